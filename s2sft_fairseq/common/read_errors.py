"""Turns whatever can be wrong with a file of weights or a checkpoint into an error of one line."""

import re
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Tuple, Union

from .compression import compression
from .errors import UserError

REFUSALS: Tuple[Tuple[str, str], ...] = (
    (
        r"GLOBAL ([\w.]+)|Unsupported class ([\w.]+)",
        "holds more than weights: its pickle asks for {}, which is never executed; expected tensors and plain options",
    ),
    (r"TorchScript archives", "is a TorchScript program, which is never executed; expected a file of torch.save"),
    (r"legacy \.tar format", "is a tar archive; unpack it first (torch before 0.1.10 wrote such files: save it again)"),
    (
        r"Only one of `(\w+)` or `(\w+)`",
        "cannot be read while both {} and {} are set; unset one of these environment variables",
    ),
)
"""What torch says when it refuses a file, and what that means to a user."""

STARTS: Tuple[Tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "is a git-lfs pointer, not the file itself; run `git lfs pull` where it was cloned"),
    (b"<!doctype", "is a web page; download the file itself"),
    (b"<html", "is a web page; download the file itself"),
    (b"<?xml", "is a web page; download the file itself"),
)
"""How files of other kinds begin, in lower case, and what to do with them."""

BEGINNING = 512
"""The number of bytes by which a file's kind is recognized."""


@contextmanager
def reading(path: Union[str, Path]) -> Iterator[None]:
    """Turns whatever goes wrong while a file is read (a damaged one can raise anything) into a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} {explain_read_error(Path(path), error)}") from None


def explain_read_error(path: Path, error: Exception) -> str:
    """Describes why a file of weights could not be read."""
    message = str(error)
    if isinstance(error, (PermissionError, FileNotFoundError)):
        return f"cannot be opened: {error.strerror}"
    if isinstance(error, MemoryError) or "can't allocate" in message:
        return "needs more memory than there is: the machine is too small, or the file is damaged"
    for pattern, meaning in REFUSALS:
        found = re.search(pattern, message, re.DOTALL)
        if found:
            return meaning.format(*filter(None, found.groups()))
    reason = re.search(r"Unsupported operand \d+", message)
    return explain_wrong_file(path) or (
        f"cannot be read as weights ({reason[0] if reason else type(error).__name__}): "
        "it is truncated, damaged or not a checkpoint"
    )


def explain_wrong_file(path: Path) -> str:
    """Describes a file that is of another kind than weights, or empty; '' for any other."""
    if not path.is_file():
        return "is a directory; name a file in it" if path.is_dir() else ""
    with open(path, "rb") as file:
        start = file.read(BEGINNING)
    if not start.strip():
        return "is empty; copy it again"
    for beginning, meaning in STARTS:
        if start.lstrip().lower().startswith(beginning):
            return meaning
    kind = compression(start)
    if kind not in (None, "zip"):
        return f"is compressed ({kind}); unpack it first"
    if is_other_archive(path):
        return "is a zip archive of other files than weights; unpack it first"
    return "is a text file, not a checkpoint; copy the file of weights again" if is_text(start) else ""


def is_other_archive(path: Path) -> bool:
    """Whether a file is a zip archive, but not one of torch.save, which holds a ``data.pkl``."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not any(name.endswith(".pkl") for name in archive.namelist())
    except Exception:  # no archive, or a damaged one, which can raise anything
        return False


def is_text(start: bytes) -> bool:
    """Whether the beginning of a file is UTF-8 text without control characters; its last character may be cut."""
    text = start.decode("utf-8", errors="ignore")
    return len(text.encode("utf-8")) > len(start) - 4 and all(char.isprintable() or char.isspace() for char in text)
