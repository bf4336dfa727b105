"""Files that appear whole, or not at all: what is written has its name only when nothing more is to come.

The one exception is :func:`growing`, whose unfinished file is kept on purpose, for a later run to go on from.
"""

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, Callable, ContextManager, Iterable, Iterator, List, NamedTuple, Sequence, TextIO, Union

from .errors import UserError
from .text_lines import STANDARD

Write = Callable[[Iterable[str]], None]
"""Takes lines without their ends."""


@contextmanager
def whole_files(destination: Path) -> Iterator[Path]:
    """A temporary folder, whose files move into the destination when the block ends without an error."""
    destination.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(dir=destination))
    try:
        yield workshop
        for file in sorted(workshop.iterdir()):
            os.replace(file, destination / file.name)
    finally:
        shutil.rmtree(workshop)


@contextmanager
def whole_texts(paths: Sequence[Path]) -> Iterator[List[TextIO]]:
    """UTF-8 files to write side by side; all get their names when the block ends without an error, or none does."""
    with ExitStack() as renamed, ExitStack() as closed:
        parts = [renamed.enter_context(whole_files(path.parent)) / path.name for path in paths]
        yield [closed.enter_context(open(part, "w", encoding="utf-8", newline="\n")) for part in parts]


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file.

    Raises:
        UserError: there is a directory of that name, or something else that is no file.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no file; expected the name of one to write")
    with whole_texts([path]) as (file,):
        file.write(text)


@contextmanager
def whole_lines(path: Union[str, Path]) -> Iterator[Write]:
    """Gives what writes lines to a file, or to standard output (the string ``-``), as many at a time as one likes."""
    if path == STANDARD:
        yield write_standard
        return
    path = Path(path)
    with whole_files(path.parent) as workshop, open(workshop / path.name, "wb") as file:
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
    """As :func:`growing`, for a file; an empty partial file is removed, for there is nothing to go on from."""
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
    """Cuts a file after its last whole window, and returns how many lines are left."""
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
