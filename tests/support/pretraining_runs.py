"""The task of pre-training as fairseq-train makes it, without a command, on text of a few lines."""

from pathlib import Path
from typing import Any, Dict, List, Optional

from builders import VOCABULARY
from fairseq.data import indexed_dataset
from omegaconf import OmegaConf

from s2sft_fairseq.models.options import ModelOptions
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.training.pretraining_task import PretrainingOptions, PretrainingTask

RUN: Dict[str, Any] = {
    "seed": 3,
    "fp16": False,
    "bf16": False,
    "num_shards": 1,
    "shard_id": 0,
    "finetune_from_model": None,
    "cpu": True,
    "train_subset": "train",
    "save_dir": "nowhere",
    "restore_file": "checkpoint_last.pt",
    "best_checkpoint_metric": "loss",
    "dataset_impl": "mmap",
    "required_seq_len_multiple": 1,
}
SMALL: Dict[str, Any] = {
    "_name": "s2s_ft",
    "encoder_layers": 1,
    "encoder_embed_dim": 8,
    "encoder_ffn_embed_dim": 8,
    "encoder_attention_heads": 2,
    "finetune_method": "infilling",
    "max_source_positions": 12,
    "max_target_positions": 6,
}
LINES = ["w1 w2 w3 w4", "w5 w6 w7", "", " ".join(["w8"] * 23), "w9 [PAD] w0"]


def binarized(folder: Path, lines: List[str], dictionary: PretrainedDictionary = VOCABULARY) -> Path:
    """What fairseq-preprocess --only-source would write of these lines, for both splits."""
    folder.mkdir(parents=True)
    dictionary.save(str(folder / "dict.txt"))
    for split in ("train", "valid"):
        builder = indexed_dataset.make_builder(str(folder / f"{split}.bin"), impl="mmap", vocab_size=len(dictionary))
        for line in lines:
            builder.add_item(dictionary.encode_line(line))
        builder.finalize(str(folder / f"{split}.idx"))
    return folder


def set_up(*folders: Path, model: Optional[Dict[str, Any]] = None, **options: Any) -> PretrainingTask:
    """A task that is about to train a small model, as fairseq-train makes it."""
    cfg = PretrainingOptions(data=":".join(map(str, folders)), **{**RUN, **options})
    task = PretrainingTask.setup_task(cfg)
    made = task.build_model(OmegaConf.structured(ModelOptions(**{**SMALL, **(model or {})})))
    assert made is task.model
    return task
