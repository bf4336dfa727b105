"""Loads a trained model from its checkpoint alone: fairseq's configuration, task and models, and the tokenizer."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from fairseq import utils
from fairseq.checkpoint_utils import load_model_ensemble
from fairseq.data import encoders
from fairseq.dataclass.configs import CommonConfig, GenerationConfig
from fairseq.dataclass.utils import merge_with_parent, overwrite_args_by_name
from omegaconf import DictConfig, open_dict

from .common.read_errors import reading
from .models import checkpoints
from .models.options import ModelOptions
from .models.seq2seq_model import S2SFTModel
from .search.keyword_options import check_names, values_checked
from .text import checkpoint_vocabulary
from .text.checkpoint_vocabulary import CheckpointVocabulary
from .text.tokenizers.tokenizer import TokenizerOptions
from .training.finetuning_options import TaskOptions
from .training.finetuning_task import S2SFTTask

BATCH = {"max_tokens": 12000, "batch_size": 64, "fp16": False, "bf16": False}
"""Replaces the settings of the training: maximum source tokens and sentences per batch."""

HOW_TO_TOKENIZE = ("special_tokens", "spacing")
"""The options of a checkpoint's own tokenizer."""


class Loaded(NamedTuple):
    """What fairseq's hub interface is built from, and the tokenizer (None: text is already tokenized)."""

    cfg: DictConfig
    task: S2SFTTask
    models: List[S2SFTModel]
    bpe: Any


def load(path: str, *, data: Optional[str], overrides: Mapping[str, Any]) -> Loaded:
    """Loads a checkpoint, from a file or a directory, or an ensemble of several, separated by colons.

    Args:
        path: path of the checkpoint, or paths separated by colons.
        data: directory of the dictionary, if it is not in one of the usual places.
        overrides: options of fairseq and the plugin by name.

    Raises:
        UserError: the checkpoint, the dictionary or the tokenizer is not found, or an option does not exist.
    """
    first, *others = (checkpoints.find(Path(part)) for part in utils.split_paths(path))
    state = checkpoints.read(first)
    with reading(first):
        complete(state["cfg"])
    configure(state["cfg"], {**BATCH, **overrides})
    with checkpoint_vocabulary.unpacked(state.get("task_state", {})) as carried:
        side = CheckpointVocabulary(carried, look_in(first, state["cfg"], data), state["cfg"].model)
        task = S2SFTTask(state["cfg"].task, side.dictionary())
        bpe = build_bpe(state["cfg"], side, overrides)
    cfg = state["cfg"]
    models, _ = load_model_ensemble([str(first)], task=task, state=state)
    for other in others:
        models += load_model_ensemble([str(other)], task=task, state=checkpoints.read(other, overrides))[0]
    return Loaded(cfg, task, models, bpe)


def complete(cfg: DictConfig) -> None:
    """Adds options that an older checkpoint lacks, and drops those of pre-training; raises anything for wrong types."""
    with open_dict(cfg):
        cfg.common = merge_with_parent(CommonConfig(), cfg.common)
        cfg.model = merge_with_parent(ModelOptions(), cfg.model)
        pretrained = cfg.task.get("_name") == "s2s_pretraining"
        cfg.task = merge_with_parent(TaskOptions(), cfg.task, remove_missing=pretrained)
        cfg.generation = merge_with_parent(GenerationConfig(), cfg.generation, remove_missing=True)
        for name in ("bpe", "tokenizer"):
            if cfg.get(name) is not None and "_name" not in cfg[name]:
                raise KeyError(name)


def configure(cfg: DictConfig, overrides: Mapping[str, Any]) -> None:
    """Sets options by name, like fairseq's hub.

    Raises:
        UserError: an option does not exist, or cannot have this value.
    """
    given: Dict[str, Any] = {**overrides}
    if "s2s_ft_vocab" in given:
        given.setdefault("bpe", "s2s_ft")
    with values_checked(), open_dict(cfg):
        cfg.update({name: None for name in ("bpe", "tokenizer") if name in given})
        overwrite_args_by_name(cfg, given)
    sections = [section for section in cfg.values() if isinstance(section, DictConfig)]
    check_names(given, known=[str(name) for section in (cfg, *sections, vars(TokenizerOptions())) for name in section])


def look_in(checkpoint: Path, cfg: DictConfig, data: Optional[str]) -> List[Path]:
    """The folders in which to look for dictionary and tokenizer: the given one, or the usual ones."""
    if data is not None:
        return [Path(data)]
    remembered = [*str(cfg.task.data or "").split(":"), cfg.model.pretrained]
    return [checkpoint.parent, *(Path(folder) for folder in remembered if folder and Path(folder).is_dir())]


def build_bpe(cfg: DictConfig, side: CheckpointVocabulary, overrides: Mapping[str, Any]) -> Any:
    """The tokenizer that the overrides name, or else that of the training, or else the vocabulary's own."""
    chosen, cfg.bpe = cfg.bpe, None
    if "bpe" in overrides or "s2s_ft_vocab" in overrides:
        return encoders.build_bpe(chosen)
    if chosen is not None and Path(chosen.get("s2s_ft_vocab") or "").exists():
        return encoders.build_bpe(chosen)
    return side.tokenizer(**{name: overrides[name] for name in HOW_TO_TOKENIZE if name in overrides})
