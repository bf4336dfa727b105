"""Which fairseq the plugin runs on, and what it asks of Python and torch before anything is registered."""

import argparse
import collections
import importlib.metadata
import io
import logging
import os
import sys
import typing
import warnings

import torch

from .errors import UserError

logger = logging.getLogger(__name__)

NAME = "s2sft_fairseq"
OLDEST = (0, 12, 2)
INSTALL = 'pip install --no-deps "fairseq==0.12.2"'


def check_environment(name: str) -> None:
    """Checks the package's own name and fairseq's version, and mends what disturbs fairseq's commands.

    Raises:
        UserError: the package was imported under another name, or fairseq is missing or too old.
    """
    if name != NAME:
        raise UserError(f"the plugin was imported as {name!r}; --user-dir must point to a folder named {NAME}")
    check_fairseq()
    allow_checkpoint_types()
    quiet_warnings()
    refuse_bad_input()
    copy_whole_files()


def check_fairseq() -> None:
    """Refuses a missing or old fairseq, and warns of a fork that drops the last batch."""
    try:
        import fairseq
    except ModuleNotFoundError as error:
        if error.name != "fairseq":
            raise
        raise UserError(f"fairseq is not installed; expected 0.12.2: {INSTALL}") from None
    except ValueError as error:
        raise UserError(
            f"fairseq cannot be imported on this Python ({error}); install the plugin: pip install ."
        ) from None
    version = str(getattr(fairseq, "__version__", "0"))
    if version_tuple(version) < OLDEST:
        raise UserError(f"fairseq {version} is too old; expected 0.12.2: {INSTALL}")
    if distribution_version("fairseq") != "0.12.2":
        logger.warning(
            f"fairseq {version} is not the official 0.12.2: forks drop the last batch when its size is no multiple of "
            "--required-batch-size-multiple; pass --required-batch-size-multiple 1"
        )


def version_tuple(version: str) -> typing.Tuple[int, ...]:
    """The leading numbers of a version."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def distribution_version(name: str) -> typing.Optional[str]:
    """The version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def allow_checkpoint_types() -> None:
    """Lists the types in fairseq's checkpoints as safe, so that several processes can resume with torch ≥ 2.6."""
    if not hasattr(torch.serialization, "add_safe_globals"):
        return
    import omegaconf
    from fairseq.distributed.utils import _TensorPlaceholder

    torch.serialization.add_safe_globals(
        [
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
            _TensorPlaceholder,
        ]
    )


def quiet_warnings() -> None:
    """Silences what a user can do nothing about: fairseq's old calls of Hydra and torch, a data loader on a CPU."""
    for start in (
        r"(?s).*\bhydra\b",
        "'pin_memory' argument is set",
        r"`torch\.cuda\.amp\.\w+\(args\.\.\.\)` is deprecated",
    ):
        warnings.filterwarnings("ignore", message=start)


def refuse_bad_input() -> None:
    """Lets standard input be read as strictly as a file; in the C locale Python lets bytes pass that are no UTF-8."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")


def copy_whole_files() -> None:
    """Lets fairseq copy checkpoint_last.pt under a temporary name first, so that a kill leaves no half of it."""
    from fairseq.file_io import PathManager

    copy = PathManager.copy

    def copy_whole(src_path: str, dst_path: str, overwrite: bool = False) -> bool:
        copied = copy(src_path, f"{dst_path}.tmp", overwrite=True)
        os.replace(f"{dst_path}.tmp", dst_path)
        return bool(copied)  # fairseq asserts it

    PathManager.copy = staticmethod(copy_whole)
