"""A trained model from its checkpoint alone: fairseq's configuration, task and models, and how its text is split."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from fairseq import utils
from fairseq.checkpoint_utils import load_model_ensemble
from fairseq.data import encoders
from fairseq.dataclass.configs import GenerationConfig
from fairseq.dataclass.utils import merge_with_parent, overwrite_args_by_name
from omegaconf import DictConfig, open_dict

from .models import checkpoints
from .models.seq2seq_model import S2SFTModel
from .search.keyword_options import check_names, values_checked
from .text import checkpoint_vocabulary
from .text.checkpoint_vocabulary import CheckpointVocabulary
from .text.tokenizers.tokenizer import TokenizerOptions
from .training.finetuning_options import TaskOptions
from .training.finetuning_task import S2SFTTask

BATCH = {"max_tokens": 12000, "batch_size": 64, "fp16": False}
"""What counts instead of the settings of the training: source tokens and sentences of a batch."""


class Loaded(NamedTuple):
    """What fairseq's hub interface is made of, and the encoder of text (None: text is pieces already)."""

    cfg: DictConfig
    task: S2SFTTask
    models: List[S2SFTModel]
    bpe: Any


def load(path: str, *, data: Optional[str], overrides: Mapping[str, Any]) -> Loaded:
    """Opens a checkpoint, a directory with one, or an ensemble of both, separated by colons.

    Args:
        path: of the checkpoints.
        data: directory of the dictionary, where it is found nowhere else.
        overrides: options of fairseq and the plugin by name.

    Raises:
        UserError: no checkpoint, no dictionary, no encoder of text, or an option that does not exist.
    """
    first, *others = (checkpoints.find(Path(part)) for part in utils.split_paths(path))
    state = checkpoints.read(first)
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


def configure(cfg: DictConfig, overrides: Mapping[str, Any]) -> None:
    """Completes the configuration of an older checkpoint, and sets options by name, as fairseq's hub does.

    Raises:
        UserError: no such option, or a value that it cannot have.
    """
    given: Dict[str, Any] = {**overrides}
    if "s2s_ft_vocab" in given:
        given.setdefault("bpe", "s2s_ft")
    with values_checked(), open_dict(cfg):
        cfg.task = merge_with_parent(TaskOptions(), cfg.task)
        cfg.generation = merge_with_parent(GenerationConfig(), cfg.generation, remove_missing=True)
        cfg.update({name: None for name in ("bpe", "tokenizer") if name in given})
        overwrite_args_by_name(cfg, given)
    sections = [section for section in cfg.values() if isinstance(section, DictConfig)]
    check_names(given, known=[str(name) for section in (cfg, *sections, vars(TokenizerOptions())) for name in section])


def look_in(checkpoint: Path, cfg: DictConfig, data: Optional[str]) -> List[Path]:
    """The folders in which the text side may lie: the one that is given, or the usual ones."""
    if data is not None:
        return [Path(data)]
    remembered = [*str(cfg.task.data or "").split(":"), cfg.model.pretrained]
    return [checkpoint.parent, *(Path(folder) for folder in remembered if folder and Path(folder).is_dir())]


def build_bpe(cfg: DictConfig, side: CheckpointVocabulary, overrides: Mapping[str, Any]) -> Any:
    """The encoder that is asked for, else that of the training, else the one that belongs to the vocabulary."""
    chosen, cfg.bpe = cfg.bpe, None
    if "bpe" in overrides or "s2s_ft_vocab" in overrides:
        return encoders.build_bpe(chosen)
    if chosen is not None and Path(chosen.get("s2s_ft_vocab") or "").exists():
        return encoders.build_bpe(chosen)
    return side.tokenizer()
