"""Writes files with one record per line, several of them together."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

UNWANTED = {"Cc", "Cs"}  # Unicode categories: control characters, lone surrogates


def one_line(text: str) -> str:
    """Returns `text` with each run of whitespace, including line separators of any kind, replaced by one space.

    Control characters and lone surrogates, which UTF-8 cannot encode, are dropped, so that a line remains one line
    both for readers that split at line feeds and for those that use `str.splitlines`.
    """
    text = " ".join(text.split())
    if text.isprintable():
        return text
    return " ".join("".join(c for c in text if unicodedata.category(c) not in UNWANTED).split())


def write_columns(paths: Sequence[Path], rows: Iterable[Sequence[str]]) -> int:
    """Writes column n of each row as a line of file n, all files or none; returns the number of rows."""
    count = 0
    with texts_to_write(paths) as files:
        for row in rows:
            count += 1
            for file, text in zip(files, row):
                file.write(f"{text}\n")
    return count


def write_files(files: Mapping[Path, Iterable[str]]) -> None:
    """Writes the lines of each of the files, all files or none."""
    with texts_to_write(list(files)) as opened:
        for file, lines in zip(opened, files.values()):
            file.writelines(f"{line}\n" for line in lines)


@contextmanager
def texts_to_write(paths: Sequence[Path]) -> Iterator[list[TextIO]]:
    """Opens files that get their names together when all are complete; after a failure, earlier files are unchanged.

    An error of the operating system ends the program with a one-line message.
    """
    from s2sft_fairseq.common.atomic_files import whole_texts  # here: reading alone does not wait for torch

    try:
        with whole_texts(paths) as files:
            yield files
    except OSError as error:
        sys.exit(f"{error.filename}: cannot be written: {error.strerror}")
