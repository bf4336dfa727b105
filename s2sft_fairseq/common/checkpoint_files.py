"""Reads fairseq's checkpoints with today's torch, and names the file that cannot be read."""

import argparse
import collections
import functools
import typing
from contextlib import nullcontext
from typing import Any, Callable, ContextManager, Dict, Mapping, Optional

import omegaconf
import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils

from .errors import UserError

TYPES = (
    argparse.Namespace,
    omegaconf.DictConfig,
    omegaconf.ListConfig,
    omegaconf.base.ContainerMetadata,
    omegaconf.base.Metadata,
    omegaconf.nodes.AnyNode,
    typing.Any,
    dict,
    list,
    int,
    collections.defaultdict,
    distributed_utils._TensorPlaceholder,
)
"""What a checkpoint holds beside tensors; torch ≥ 2.6 reads no other types than those that it is told are safe."""


def load_checkpoint(path: str, overrides: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """A checkpoint on the CPU, as fairseq reads it.

    Args:
        path: the file.
        overrides: options by name that count instead of those in the checkpoint.

    Raises:
        UserError: the file is cut short, damaged or something else.
    """
    with types_allowed():
        return names_its_checkpoint(checkpoint_utils.load_checkpoint_to_cpu)(path, overrides)


def types_allowed() -> ContextManager[None]:
    """Lets torch read the types of a checkpoint in a block, and forgets those that it did not know before."""
    if not hasattr(torch.serialization, "safe_globals"):
        return nullcontext()
    known = torch.serialization.get_safe_globals()
    missing = [kind for kind in TYPES if kind not in known]
    allowed: ContextManager[None] = torch.serialization.safe_globals(missing)
    return allowed


def names_its_checkpoint(load: Callable[..., Dict[str, Any]]) -> Callable[..., Dict[str, Any]]:
    """Lets a function that reads a checkpoint, its first argument, raise UserError for a file that it cannot read."""

    @functools.wraps(load)
    def load_or_name(path: str, *args: Any, **options: Any) -> Dict[str, Any]:
        try:
            return load(path, *args, **options)
        except (UserError, FileNotFoundError, MemoryError):  # they say what is wrong
            raise
        except Exception as error:
            reason = type(error).__name__
            raise UserError(
                f"{path} cannot be read ({reason}): it is cut short, damaged or no fairseq checkpoint"
            ) from error

    return load_or_name
