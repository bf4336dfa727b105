"""Reads fairseq's checkpoints without executing anything in them; fairseq's own reader would (see ``torch_files``)."""

from typing import Any, Dict, Mapping, Optional

from fairseq import checkpoint_utils
from fairseq.dataclass.utils import overwrite_args_by_name
from fairseq.file_io import PathManager
from omegaconf import OmegaConf

from .errors import UserError
from .evaluated_options import check_evaluated
from .read_errors import reading
from .torch_files import read_torch


def load_checkpoint(
    path: str, arg_overrides: Optional[Mapping[str, Any]] = None, load_on_all_ranks: bool = False
) -> Dict[str, Any]:
    """Reads a checkpoint onto the CPU: the same result as fairseq's ``load_checkpoint_to_cpu``, which it replaces.

    Args:
        path: the file.
        arg_overrides: options by name that replace those in the checkpoint.
        load_on_all_ranks: as in fairseq's signature; every process may read a local file at any time.

    Raises:
        UserError: the file is truncated, damaged, not a checkpoint, or holds more than tensors and plain options.
    """
    state = read_torch(PathManager.get_local_path(path))
    check_content(path, state)
    with reading(path):
        check_evaluated(path, state)
        override(state, arg_overrides or {})
        return dict(checkpoint_utils._upgrade_state_dict(state))


def check_content(path: str, state: Any) -> None:
    """Raises UserError unless this is what a checkpoint of fairseq contains: a model's tensors and options."""
    has_model = isinstance(state, dict) and isinstance(state.get("model"), dict)
    if not (has_model and (state.get("cfg") or state.get("args"))):
        raise UserError(
            f"{path} is not a checkpoint of fairseq: expected its model and options; weights alone go with config.json "
            "and vocabulary into a directory for --pretrained, or for python -m s2sft_fairseq.import_pretrained"
        )


def override(state: Dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Replaces options of a checkpoint: ``args`` up to fairseq 0.10, a configuration in ``cfg`` since then."""
    if state.get("args") is not None:
        vars(state["args"]).update(overrides)
    if state.get("cfg") is not None:
        state["cfg"] = OmegaConf.create(state["cfg"], flags={"allow_objects": True})
        overwrite_args_by_name(state["cfg"], overrides)
