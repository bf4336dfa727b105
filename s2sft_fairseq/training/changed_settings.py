"""Training that starts from a checkpoint with other settings: a warning for each that shapes the model or its loss."""

import logging
from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Type

import torch.distributed as dist
from fairseq.dataclass import FairseqDataclass

from ..common.checkpoint_files import load_checkpoint
from ..models.adapters import AdapterOptions, has_adapters
from ..models.freezing import FreezingOptions
from ..models.options import ModelOptions
from ..objectives.finetuning import OBJECTIVES
from ..objectives.pretraining import PRETRAINING

logger = logging.getLogger(__name__)

LAST = "checkpoint_last.pt"
"""The default of ``--restore-file``: the checkpoint in ``--save-dir``."""

OTHERWISE_DECIDED = ("pretrained", "pretrained_type", "vocab_add", "added_tokens", "dropout", "attention_dropout")
"""Options of the model that do not shape it, or by way of others: weights and vocabulary are compared as they are."""

ADAPTERS = ("lora_rank", "lora_alpha", "lora_targets", "adapter_dim")
"""Options that shape adapters; where a checkpoint has none, the model says that they are new."""


class Settings(NamedTuple):
    """The sections of fairseq's configuration that shape the model or its loss."""

    model: Any
    task: Any
    criterion: Any


def starting_checkpoint(options: Any) -> Optional[Path]:
    """The checkpoint that training starts from, as fairseq chooses it; None: there is none.

    Args:
        options: those of the task.
    """
    path = Path(str(options.restore_file))
    if options.restore_file == LAST:
        path = Path(str(options.save_dir)) / LAST
        if options.finetune_from_model and not path.is_file():
            path = Path(str(options.finetune_from_model))
    return path if path.is_file() else None


def warn_of_changes(checkpoint: Path, now: Settings, *, resumes: bool) -> None:
    """Warns, in the first of several processes, of every changed setting.

    Args:
        checkpoint: the one that training starts from.
        now: the settings of this run, complete.
        resumes: whether its training goes on; else it only gives its weights to another, which has a loss of its own.
    """
    if dist.is_available() and dist.is_initialized() and dist.get_rank() > 0:
        return
    state = load_checkpoint(str(checkpoint), mmap=True)
    trained = Settings(*(state["cfg"].get(section) or {} for section in ("model", "task", "criterion")))
    resumes = resumes and bool(state["optimizer_history"][-1]["num_updates"])  # import_pretrained trains nothing
    for setting, (before, after) in changes(trained, now, with_loss=resumes).items():
        logger.warning(f"{checkpoint} was trained with {setting} {before}, and this run goes on with {after}")


def changes(trained: Settings, now: Settings, *, with_loss: bool) -> Dict[str, Any]:
    """The settings that differ: how a user would write them → their values before and now.

    A setting that a checkpoint of an earlier version does not have is not compared.
    """
    model = shaping_options(with_adapters=has_adapters(trained.model))
    found = compared(trained.model, now.model, {name: spelled(name) for name in model})
    if with_loss:
        found.update(compared(trained.task, now.task, {"_name": "--task", **{name: spelled(name) for name in noise()}}))
        criterion = [name for name in now.criterion if name != "_name"]
        names = {"_name": "--criterion", **{str(name): spelled(str(name)) for name in criterion}}
        found.update(compared(trained.criterion, now.criterion, names))
    return found


def compared(trained: Any, now: Any, names: Mapping[str, str]) -> Dict[str, Any]:
    """The options of one section that differ, among those in ``names`` (option → as a user would write it)."""
    found = {}
    for name, shown in names.items():
        if name in trained and name in now and str(trained[name]) != str(now[name]):
            found[shown] = (trained[name], now[name])
    return found


def shaping_options(*, with_adapters: bool) -> Iterable[str]:
    """The options that shape the model."""
    others = {option.name for options in (AdapterOptions, FreezingOptions) for option in fields(options)}
    own = [option.name for option in fields(ModelOptions) if option.name not in (*others, *OTHERWISE_DECIDED)]
    return [*own, *ADAPTERS] if with_adapters else own


def noise() -> Iterable[str]:
    """The options that decide what is predicted, those of all objectives."""
    classes: List[Type[FairseqDataclass]] = [objective.options_class for objective in OBJECTIVES.values()]
    classes += [objective.options_class for objective in PRETRAINING.values()]
    declared = [option.name for options in classes for option in fields(options) if option.name != "_name"]
    return ["objective", *dict.fromkeys(declared)]


def spelled(name: str) -> str:
    """How a user writes an option; the vocabulary is no flag."""
    return name if name == "vocabulary" else "--" + name.replace("_", "-")
