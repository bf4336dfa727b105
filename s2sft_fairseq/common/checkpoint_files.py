"""Reads fairseq's checkpoints without executing anything in them; fairseq's own reader would (see ``torch_files``)."""

from argparse import Namespace
from itertools import chain
from typing import Any, Dict, Iterator, Mapping, Optional
from zipfile import is_zipfile

import torch
from fairseq import checkpoint_utils
from fairseq.dataclass.utils import overwrite_args_by_name
from fairseq.file_io import PathManager
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from .errors import UserError
from .evaluated_options import check_evaluated
from .read_errors import reading
from .torch_files import read_torch

OPTIONS = (Namespace, DictConfig, dict)
"""The types of options: ``args`` up to fairseq 0.10, a configuration in ``cfg`` since then."""


def load_checkpoint(
    path: str,
    arg_overrides: Optional[Mapping[str, Any]] = None,
    load_on_all_ranks: bool = False,
    *,
    mmap: bool = False,
) -> Dict[str, Any]:
    """Reads a checkpoint onto the CPU: the same result as fairseq's ``load_checkpoint_to_cpu``, which it replaces.

    Args:
        path: the file.
        arg_overrides: options by name that replace those in the checkpoint.
        load_on_all_ranks: as in fairseq's signature; every process may read a local file at any time.
        mmap: leave the tensors in the file, for callers that want something else of it.

    Raises:
        UserError: the file is truncated, damaged, not a checkpoint, or holds more than tensors and plain options.
    """
    file = PathManager.get_local_path(path)
    state = read_torch(file, mmap=mmap and is_zipfile(file))  # torch before 1.6 wrote files that cannot be mapped
    check_content(path, state)
    with reading(path):
        check_evaluated(path, state)
        override(state, arg_overrides or {})
        return dict(checkpoint_utils._upgrade_state_dict(state))


def check_content(path: str, state: Any) -> None:
    """Raises UserError unless this is what a checkpoint of fairseq contains: a model's tensors and options.

    A damaged or hostile file may have any of the allowed types anywhere, which fairseq would only fail on later.
    """
    has_model = isinstance(state, dict) and isinstance(state.get("model"), dict)
    if not (has_model and any(is_filled(state.get(options)) for options in ("cfg", "args"))):
        raise UserError(
            f"{path} is not a checkpoint of fairseq: expected its model and options; weights alone go with config.json "
            "and vocabulary into a directory for --pretrained, or for python -m s2sft_fairseq.import_pretrained"
        )
    for problem in chain(wrong_tensors(state["model"]), wrong_sections(state)):
        raise UserError(f"{path} is damaged, or not from fairseq: {problem}")


def is_filled(options: Any) -> bool:
    """Whether these can be the options of a checkpoint, in any of the forms that fairseq has stored them in."""
    return isinstance(options, OPTIONS) and options not in ({}, Namespace())


def wrong_tensors(model: Mapping[Any, Any]) -> Iterator[str]:
    """What cannot be a part of a model's state."""
    for name, tensor in model.items():
        if not isinstance(name, str):
            yield f"its model names a tensor {name!r:.40}; expected text"
        if not isinstance(tensor, Tensor):
            yield f"its model has {name}, a {type(tensor).__name__}; expected a tensor"
        elif tensor.layout is not torch.strided:
            yield f"its model has {name} in the layout {tensor.layout}; expected a dense tensor"


def wrong_sections(state: Mapping[str, Any]) -> Iterator[str]:
    """What is of another type than fairseq stores."""
    for name in ("args", "cfg"):
        if state.get(name) is not None and not isinstance(state[name], OPTIONS):
            yield f"its {name} is of type {type(state[name]).__name__}; expected options by name"
    for name in ("extra_state", "task_state"):
        if not isinstance(state.get(name, {}), dict):
            yield f"its {name} is of type {type(state[name]).__name__}; expected entries by name"


def override(state: Dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Replaces options of a checkpoint: ``args`` up to fairseq 0.10, a configuration in ``cfg`` since then."""
    if state.get("args") is not None:
        vars(state["args"]).update(overrides)
    if state.get("cfg") is not None:
        state["cfg"] = OmegaConf.create(state["cfg"], flags={"allow_objects": True})
        overwrite_args_by_name(state["cfg"], overrides)
