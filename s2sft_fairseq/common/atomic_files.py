"""Writes files atomically: a file gets its name only when it is complete.

The one exception is :func:`growing`, whose unfinished file is kept on purpose, so that a later run can continue it.
"""

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import (
    BinaryIO,
    Callable,
    ContextManager,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Sequence,
    TextIO,
    Union,
)

from .errors import UserError
from .text_lines import STANDARD

Write = Callable[[Iterable[str]], None]
"""Writes lines, which are given without line ends."""


@contextmanager
def whole_files(destination: Path) -> Iterator[Path]:
    """A temporary folder whose files are moved to the destination when the block ends without an error."""
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
    """UTF-8 files to write in parallel; when the block ends, all get their names, or none if there is an error."""
    with ExitStack() as renamed, ExitStack() as closed:
        parts = [renamed.enter_context(whole_files(path.parent)) / path.name for path in paths]
        yield [closed.enter_context(open(part, "w", encoding="utf-8", newline="\n")) for part in parts]


def write_columns(paths: Sequence[Path], rows: Iterable[Sequence[str]]) -> int:
    """Writes column n of each row as a line of file n, all files or none; returns the number of rows.

    Raises:
        UserError: the operating system refuses to write a file.
    """
    count = 0
    with refusals_in_one_line(), whole_texts(paths) as files:
        for row in rows:
            count += 1
            for file, text in zip(files, row):
                file.write(f"{text}\n")
    return count


def write_line_files(files: Mapping[Path, Iterable[str]]) -> None:
    """Writes the lines of each of the files, all files or none.

    Raises:
        UserError: the operating system refuses to write a file.
    """
    with refusals_in_one_line(), whole_texts(list(files)) as opened:
        for file, lines in zip(opened, files.values()):
            file.writelines(f"{line}\n" for line in lines)


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Turns an error of the operating system into a user error that names the file."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written: {error.strerror}") from None


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file.

    Raises:
        UserError: the path exists and is not a file.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is not a file; expected the name of a file to write")
    with whole_texts([path]) as (file,):
        file.write(text)


@contextmanager
def whole_lines(path: Union[str, Path]) -> Iterator[Write]:
    """A function that writes lines to a file or to standard output (the string ``-``), any number per call."""
    if path == STANDARD:
        yield write_standard
        return
    path = Path(path)
    with whole_files(path.parent) as workshop, open(workshop / path.name, "wb") as file:
        yield lambda lines: flush_lines(file, lines)


class Growing(NamedTuple):
    """A text file that is being written.

    Attributes:
        kept: number of lines that an earlier run wrote and this one keeps.
        write: appends lines, which then survive if the process is killed.
    """

    kept: int
    write: Write


def growing(path: str, *, stamp: str, resume: bool, window: int) -> ContextManager[Growing]:
    """A file that is renamed from ``PATH.STAMP.partial`` to ``PATH`` when the block ends without an error.

    Args:
        path: the file; ``-`` is standard output, which cannot be resumed.
        stamp: differs between runs that would write different lines.
        resume: continue where an earlier run with the same stamp stopped.
        window: number of lines written at once; only whole windows of an earlier run are kept.
    """
    if path == STANDARD:
        return nullcontext(Growing(0, write_standard))
    return growing_file(Path(path), stamp=stamp, resume=resume, window=window)


@contextmanager
def growing_file(path: Path, *, stamp: str, resume: bool, window: int) -> Iterator[Growing]:
    """Like :func:`growing`, for a file; an empty partial file is removed, since there is nothing to continue."""
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
    """Truncates a file after its last whole window, and returns the number of lines that are left."""
    kept = end = offset = 0
    with open(partial, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            offset += len(line)
            if number % window == 0 and line.endswith(b"\n"):
                kept, end = number, offset
    os.truncate(partial, end)
    return kept


def flush_lines(file: BinaryIO, lines: Iterable[str]) -> None:
    """Writes lines and passes them to the operating system."""
    file.write("".join(f"{line}\n" for line in lines).encode("utf-8"))
    file.flush()


def write_standard(lines: Iterable[str]) -> None:
    """Writes lines to standard output in UTF-8, regardless of the locale."""
    flush_lines(sys.stdout.buffer, lines)
