"""Finds, checks and reads the checkpoints of trained models."""

import logging
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, Optional

from torch import Tensor

from ..common.checkpoint_files import load_checkpoint
from ..common.errors import UserError
from .layers.heads import PREFIXES
from .layers.parameter_names import TOKENS

logger = logging.getLogger(__name__)

PREFIX = "transformer."
"""The prefix of a model's tensor names."""

FINGERPRINT = "pretrained_fingerprint"
"""The entry of an adapter-only checkpoint that identifies the pretrained weights: a hash, int64 []."""

PREFERRED = ("checkpoint_best.pt", "checkpoint_last.pt", "model.pt")
"""The checkpoint of a directory is the first of these that exists, or else its only *.pt file."""

IMPORT = "a pretrained encoder becomes a checkpoint with python -m s2sft_fairseq.import_pretrained"
"""What to do with a directory of published weights, in error messages."""


def find(path: Path) -> Path:
    """The checkpoint at a path: the path itself, or the preferred or only one if it is a directory.

    Raises:
        UserError: the directory has no checkpoint, or several and none of the preferred names.
    """
    if not path.is_dir():
        return path
    names = sorted(file.name for file in path.glob("*.pt"))
    choice = next((name for name in PREFERRED if name in names), names[0] if len(names) == 1 else None)
    if choice is None:
        found = f"has {', '.join(names)}" if names else "has no *.pt file"
        hint = "" if names or not (path / "config.json").exists() else f"; {IMPORT}"
        raise UserError(f"{path} {found}; expected {', '.join(PREFERRED)} or one other checkpoint: name the file{hint}")
    return path / choice


def is_trained(names: Iterable[str]) -> bool:
    """Whether these are the names of the tensors in a checkpoint of this plugin's model, whole or adapters only."""
    return not {PREFIX + TOKENS, FINGERPRINT}.isdisjoint(names)


def without_foreign_heads(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """A checkpoint's tensors without those of heads that the model does not have; says so, once."""
    prefixes = tuple(PREFIX + prefix for prefix in PREFIXES)
    foreign = [name for name in state if name.startswith(prefixes) and name not in own]
    if foreign:
        logger.info(f"left out of the checkpoint, because this model has no such heads: {', '.join(foreign)}")
    return {name: tensor for name, tensor in state.items() if name not in foreign}


def check_tensors(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Raises UserError unless the tensors of a checkpoint have the same names and shapes as the model's."""
    for name in sorted({*state} ^ {*own}):
        having, lacking = ("checkpoint", "model") if name in state else ("model", "checkpoint")
        raise UserError(
            f"the {having} has {name}, the {lacking} does not; repeat the flags of the checkpoint's training (such as "
            "--turn-rows, --type-vocab-size, --relative-buckets, --lora-rank, --encoder-layers or --objective)"
        )
    other = next((name for name in sorted(state) if name in own and state[name].shape != own[name].shape), None)
    if other is not None:
        raise UserError(
            f"the checkpoint's {other} is {tuple(state[other].shape)}, the model's {tuple(own[other].shape)}; use "
            "the checkpoint's method, vocabulary and lengths, or turn it into a directory for --pretrained: "
            "python -m s2sft_fairseq.export_pretrained"
        )


def read(path: Path, overrides: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """Reads a fairseq checkpoint of this plugin's model, and drops the state of the optimizer.

    Args:
        path: the file.
        overrides: options by name that count instead of those in the checkpoint.

    Raises:
        UserError: the file does not exist, cannot be read, or holds another model.
    """
    if not path.is_file():
        raise UserError(f"no file {path}; expected a checkpoint written by fairseq-train or import_pretrained")
    state = load_checkpoint(str(path), overrides)
    state.pop("last_optimizer_state", None)
    if not is_trained(state["model"]):
        raise UserError(f"{path} is not a checkpoint of --arch s2s_ft; expected one")
    return state
