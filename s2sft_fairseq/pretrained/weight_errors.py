"""Turns whatever can be wrong with a weight file into an error of one line."""

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union

import numpy as np
import torch

from ..common.errors import UserError


def check_floating(path: Path, name: str, dtype: Union[torch.dtype, np.dtype]) -> None:
    """Raises UserError unless a tensor holds floating-point numbers."""
    if not (dtype.is_floating_point if isinstance(dtype, torch.dtype) else dtype.kind == "f"):
        raise UserError(f"{path}: {name} holds {dtype} numbers; expected floating-point ones, such as float32")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns whatever goes wrong while a weight file is read (a damaged one can raise anything) into a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} {explain_read_error(path, error)}") from None


def explain_read_error(path: Path, error: Exception) -> str:
    """Describes why a weight file could not be read."""
    message = str(error)
    if isinstance(error, (PermissionError, FileNotFoundError)):
        return f"cannot be opened: {error.strerror}"
    if isinstance(error, MemoryError) or "can't allocate" in message:
        return "needs more memory than there is: the machine is too small, or the file is damaged"
    pickled = re.search(r"GLOBAL ([\w.]+)|Unsupported class ([\w.]+)", message)
    if pickled:
        name = pickled[1] or pickled[2]
        return f"holds more than weights: its pickle asks for {name}, which is never executed; expected tensors"
    reason = re.search(r"Unsupported operand \d+", message)
    return explain_wrong_file(path) or (
        f"cannot be read as weights ({reason[0] if reason else type(error).__name__}): "
        "it is truncated, damaged or not a checkpoint"
    )


def explain_wrong_file(path: Path) -> str:
    """Describes a file that is empty, a git-lfs pointer or a web page instead of weights; '' for any other."""
    start = b"a folder"
    if path.is_file():
        with open(path, "rb") as file:
            start = file.read(64).lstrip().lower()
    if not start:
        return "is empty; copy it again"
    if start.startswith(b"version https://git-lfs"):
        return "is a git-lfs pointer, not the weights themselves; run `git lfs pull` where it was cloned"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not weights; download the file itself"
    return ""
