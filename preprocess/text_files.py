"""One line a record, and several files of them that are written together."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


def write_columns(paths: Sequence[Path], rows: Iterable[Sequence[str]]) -> int:
    """Writes column n of each row as a line of file n, whole or not at all, and returns how many lines that were."""
    count = 0
    with texts_to_write(paths) as files:
        for row in rows:
            count += 1
            for file, text in zip(files, row):
                file.write(f"{text}\n")
    return count


def write_files(files: Mapping[Path, Iterable[str]]) -> None:
    """Writes the lines of every file of `files`, all whole or none at all."""
    with texts_to_write(list(files)) as opened:
        for file, lines in zip(opened, files.values()):
            file.writelines(f"{line}\n" for line in lines)


@contextmanager
def texts_to_write(paths: Sequence[Path]) -> Iterator[list[TextIO]]:
    """Opens files that get their names together, when all are complete; a failure on the way leaves what was there.

    An operating system's refusal ends the program with one line.
    """
    from s2sft_fairseq.common.atomic_files import whole_texts  # here: what only reads need not wait for torch

    try:
        with whole_texts(paths) as files:
            yield files
    except OSError as error:
        sys.exit(f"{error.filename}: cannot be written: {error.strerror}")
