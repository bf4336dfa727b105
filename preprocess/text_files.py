"""One line a record, and files that are either whole or not there."""

import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

UNWANTED = {"Cc", "Cs"}  # Unicode categories: control characters, lone surrogates


def one_line(text: str) -> str:
    """Returns `text` with each run of whitespace, line separators of any kind included, made one space.

    Control characters and lone surrogates, which UTF-8 cannot hold, are dropped: a line stays one line for a
    reader that splits on line feeds as well as for one that uses `str.splitlines`.
    """
    text = " ".join(text.split())
    if text.isprintable():
        return text
    return " ".join("".join(c for c in text if unicodedata.category(c) not in UNWANTED).split())


def read_lines(path: Path) -> Iterator[str]:
    """Yields the lines of a UTF-8 file without their line feeds; only a line feed ends a line.

    A file that is missing or is not UTF-8 text ends the program with one line.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{path}: cannot be read as UTF-8 text: {error}")


def write_columns(paths: Sequence[Path], rows: Iterable[Sequence[str]]) -> int:
    """Writes column n of each row as a line of file n, whole or not at all, and returns how many lines that were."""
    count = 0
    with whole_files(paths) as files:
        for row in rows:
            count += 1
            for file, text in zip(files, row):
                file.write(f"{text}\n")
    return count


def write_files(files: Mapping[Path, Iterable[str]]) -> None:
    """Writes the lines of every file of `files`, all whole or none at all."""
    with whole_files(list(files)) as opened:
        for file, lines in zip(opened, files.values()):
            file.writelines(f"{line}\n" for line in lines)


@contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator[list[TextIO]]:
    """Opens files to write, making the folders they lie in.

    All are written under temporary names and renamed when the last one is complete, so that a failure on the way
    leaves what was there before. An operating system's refusal ends the program with one line.
    """
    temporary = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in paths]
    try:
        with ExitStack() as opened:
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
            yield [opened.enter_context(open(part, "w", encoding="utf-8", newline="\n")) for part in temporary]
        for part, path in zip(temporary, paths):
            os.replace(part, path)
    except OSError as error:
        sys.exit(f"{error.filename}: cannot be written: {error.strerror}")
    finally:
        for part in filter(Path.exists, temporary):
            part.unlink()
