"""What can be wrong with a weight file, in one line."""

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
    """Words whatever goes wrong while a weight file is read (a damaged one can raise anything) as a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} {explain_read_error(path, error)}") from None


def explain_read_error(path: Path, error: Exception) -> str:
    """What is wrong with a weight file that could not be read."""
    said = str(error)
    if isinstance(error, (PermissionError, FileNotFoundError)):
        return f"cannot be opened: {error.strerror}"
    if isinstance(error, MemoryError) or "can't allocate" in said:
        return "asks for more memory than there is: the machine is too small, or the file damaged"
    asked = re.search(r"GLOBAL ([\w.]+)|Unsupported class ([\w.]+)", said)
    if asked:
        return (
            f"holds more than weights: its pickle asks for {asked[1] or asked[2]}, which is not run; expected tensors"
        )
    reason = re.search(r"Unsupported operand \d+", said)
    return explain_wrong_file(path) or (
        f"cannot be read as weights ({reason[0] if reason else type(error).__name__}): "
        "it is cut short, damaged or no checkpoint"
    )


def explain_wrong_file(path: Path) -> str:
    """What a file is that only has the name of a weight file, or ''."""
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
