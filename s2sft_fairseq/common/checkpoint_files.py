"""Reads fairseq's checkpoints with recent versions of torch, and names a file that cannot be read."""

import argparse
import collections
import functools
import typing
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
"""The types in a checkpoint besides tensors; torch only reads types that are registered as safe."""


def load_checkpoint(path: str, overrides: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """Reads a checkpoint onto the CPU, in the same way as fairseq.

    Args:
        path: the file.
        overrides: options by name that replace those in the checkpoint.

    Raises:
        UserError: the file is cut short, damaged or not a checkpoint.
    """
    with types_allowed():
        return names_its_checkpoint(checkpoint_utils.load_checkpoint_to_cpu)(path, overrides)


def types_allowed() -> ContextManager[None]:
    """A context in which torch reads the types of a checkpoint; afterwards, newly registered types are removed."""
    known = torch.serialization.get_safe_globals()
    missing = [kind for kind in TYPES if kind not in known]
    allowed: ContextManager[None] = torch.serialization.safe_globals(missing)
    return allowed


def names_its_checkpoint(load: Callable[..., Dict[str, Any]]) -> Callable[..., Dict[str, Any]]:
    """Makes a function that reads a checkpoint (its first argument) raise UserError for a file that it cannot read."""

    @functools.wraps(load)
    def load_or_name(path: str, *args: Any, **options: Any) -> Dict[str, Any]:
        try:
            return load(path, *args, **options)
        except (UserError, FileNotFoundError, MemoryError):  # these already say what is wrong
            raise
        except Exception as error:
            reason = type(error).__name__
            raise UserError(
                f"{path} cannot be read ({reason}): it is cut short, damaged or not a fairseq checkpoint"
            ) from error

    return load_or_name
