"""Lines of text in and out: read one by one, written under a temporary name until they are complete."""

import os
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, Callable, ContextManager, Iterable, Iterator, NamedTuple

from .atomic_files import whole_files
from .errors import UserError

STANDARD = "-"
"""Names standard input and standard output."""

Write = Callable[[Iterable[str]], None]


def read_lines(path: str) -> Iterator[str]:
    """The lines of a UTF-8 file, or of standard input; only a line feed ends a line (CRLF is taken too)."""
    with nullcontext(sys.stdin.buffer) if path == STANDARD else open(path, "rb") as lines:
        for line in lines:
            yield line.decode("utf-8").rstrip("\r\n")


def count_lines(path: Path) -> int:
    """The number of lines of a text file, all of which are UTF-8."""
    count = 0
    with open(path, "rb") as lines:
        for count, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{path}: line {count} is not valid UTF-8 (byte 0x{line[error.start]:02x}: {error.reason}); "
                    "convert the file first, for instance with `iconv -f LATIN1 -t UTF-8`"
                ) from None
    return count


@contextmanager
def whole(path: str) -> Iterator[Write]:
    """Writes a file that has its name when the block ends without an error, and leaves nothing if there is one."""
    if path == STANDARD:
        yield write_standard
        return
    with whole_files(Path(path).parent) as workshop, open(workshop / Path(path).name, "wb") as file:
        yield lambda lines: flush_lines(file, lines)


class Growing(NamedTuple):
    """A text that is being written.

    Attributes:
        kept: lines that an earlier run has written already.
        write: appends lines, which then survive a kill.
    """

    kept: int
    write: Write


def growing(path: str, *, stamp: str, resume: bool, window: int) -> ContextManager[Growing]:
    """A file that is renamed from ``PATH.STAMP.partial`` to ``PATH`` when the block ends without an error.

    Args:
        path: the file; ``-`` is standard output, which keeps nothing.
        stamp: what tells apart runs that would write other lines.
        resume: go on where an earlier run of that stamp was stopped.
        window: lines written at once; of an earlier run, whole windows are kept.
    """
    if path == STANDARD:
        return nullcontext(Growing(0, write_standard))
    return growing_file(Path(path), stamp=stamp, resume=resume, window=window)


@contextmanager
def growing_file(path: Path, *, stamp: str, resume: bool, window: int) -> Iterator[Growing]:
    """As :func:`growing`, for a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{stamp}.partial")
    kept = keep_windows(partial, window) if resume and partial.exists() else 0
    try:
        with open(partial, "ab" if kept else "wb") as file:
            yield Growing(kept, lambda lines: flush_lines(file, lines))
        os.replace(partial, path)
    finally:
        if partial.exists() and not partial.stat().st_size:
            partial.unlink()


def keep_windows(partial: Path, window: int) -> int:
    """Cuts a file behind its last whole window, and returns how many lines are left."""
    kept = end = offset = 0
    with open(partial, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            offset += len(line)
            if number % window == 0 and line.endswith(b"\n"):
                kept, end = number, offset
    os.truncate(partial, end)
    return kept


def flush_lines(file: BinaryIO, lines: Iterable[str]) -> None:
    """Writes lines and hands them to the operating system."""
    file.write("".join(f"{line}\n" for line in lines).encode("utf-8"))
    file.flush()


def write_standard(lines: Iterable[str]) -> None:
    """Writes lines to standard output, in UTF-8 whatever the locale."""
    flush_lines(sys.stdout.buffer, lines)
