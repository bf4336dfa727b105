"""Real pairs: docstrings of Python's standard library, made, split into pieces and binarized by the project itself."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import ROOT, Usage, run, script
from .progress import steps

WORK = ROOT / "benchmarks" / "work"
ENCODER = ROOT / "examples" / "quickstart" / "encoder"
SPLIT, SIDES = "train", ("src", "tgt")
PLUGIN = ("--user-dir", "s2sft_fairseq", "--task", "s2s_ft")


@contextmanager
def complete(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the given name once the block has filled it."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    part.mkdir(parents=True)
    try:
        yield part
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def raw_pairs() -> Path:
    """A folder with about 2,500 pairs, a docstring's prose and its first line; made once."""
    folder = WORK / "raw"
    if not folder.exists():
        with complete(folder) as part:
            run([sys.executable, "preprocess/python_docs.py", "--packages", "python", "--to", part])
    return folder


def to_pieces(raw: Path, pieces: Path) -> Usage:
    """Splits both sides of the pairs in a folder."""
    names = [f"{SPLIT}.{side}" for side in SIDES]
    inputs, outputs = [raw / name for name in names], [pieces / name for name in names]
    command = [sys.executable, "preprocess/pieces.py", "--s2s-ft-vocab", ENCODER]
    return run([*command, "--inputs", *inputs, "--outputs", *outputs])


def to_data_bin(pieces: Path, data: Path) -> Usage:
    """Binarizes the pieces in a folder."""
    languages = ["-s", "src", "-t", "tgt", "--srcdict", ENCODER, "--joined-dictionary"]
    files = ["--trainpref", pieces / SPLIT, "--destdir", data]
    return run([script("fairseq-preprocess"), *PLUGIN, *languages, *files])


def data_bin(vocabulary: int) -> Path:
    """The binarized pairs, their vocabulary filled up to a size with tokens that do not occur; made once."""
    folder = WORK / f"data-bin-{vocabulary}"
    if not folder.exists():
        with steps(3, f"text with a vocabulary of {vocabulary:,}") as step:
            raw = raw_pairs()
            step()
            with complete(folder) as part:
                to_pieces(raw, part / "pieces")
                step()
                to_data_bin(part / "pieces", part)
                fill_up((part / f"dict.{side}.txt" for side in SIDES), vocabulary)
                step()
    return folder


def text_bin(vocabulary: int) -> Path:
    """The sources of the binarized pairs as text alone; made once."""
    folder, pairs = WORK / f"text-bin-{vocabulary}", data_bin(vocabulary)
    if not folder.exists():
        with complete(folder) as part:
            shutil.copy(pairs / "dict.src.txt", part / "dict.txt")
            for kind in ("bin", "idx"):
                shutil.copy(pairs / f"{SPLIT}.src-tgt.src.{kind}", part / f"{SPLIT}.{kind}")
    return folder


def fill_up(dictionaries: Iterable[Path], vocabulary: int) -> None:
    """Appends tokens to dictionaries as fairseq writes them."""
    for path in dictionaries:
        known = path.read_text(encoding="utf-8").count("\n")
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"filler{row} 1\n" for row in range(known, vocabulary))
