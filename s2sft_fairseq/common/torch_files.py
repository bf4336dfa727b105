"""Reads files of torch.save: tensors and plain options only, whatever torch's environment variables say.

Nothing in such a file is ever executed. torch's own default cannot be relied on: where the caller does not ask for
``weights_only``, ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1`` makes it execute what a file asks for.
"""

import argparse
import collections
import typing
import warnings
from pathlib import Path
from typing import Any, ContextManager, Union

import omegaconf
import torch
from fairseq.distributed import utils as distributed_utils

from .read_errors import reading

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
"""The types in a checkpoint besides tensors, all of them harmless; torch only reads types that are registered."""


def read_torch(path: Union[str, Path], *, mmap: bool = False) -> Any:
    """The content of a file of torch.save, on the CPU.

    Args:
        path: the file.
        mmap: leave the tensors in the file, and map it into memory.

    Raises:
        UserError: the file cannot be read, or asks for anything but tensors and the types in TYPES.
    """
    with reading(path), types_allowed(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of what it then refuses
        return torch.load(str(path), map_location="cpu", weights_only=True, mmap=mmap)


def types_allowed() -> ContextManager[None]:
    """A context in which torch reads the types of a checkpoint; afterwards, newly registered types are removed."""
    known = torch.serialization.get_safe_globals()
    allowed: ContextManager[None] = torch.serialization.safe_globals([kind for kind in TYPES if kind not in known])
    return allowed
