"""Counts n-grams exactly, in text of any size, with memory that does not grow with it.

An n-gram of vocabulary rows is one number, with its rows as digits in base V (int64: V³ < 2⁶³). Each block of text
produces a run, its sorted n-grams with their counts, which is written to disk; the runs are merged in order, with one
window of each in memory at a time.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
from multiprocessing import Pool
from pathlib import Path
from typing import BinaryIO, List, NamedTuple

import numpy as np
from tqdm import tqdm

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.common.utf8 import explain_bad_utf8

BLOCK = 8 << 20  # bytes of text that a worker counts at a time
ROOM = 1 << 20  # records in memory while runs are merged
RECORD = 16  # bytes
BREAK = -1  # the row of what no n-gram may contain
MARGIN = 1 << 12  # bytes that a block looks ahead, more than a few tokens of a vocabulary take
WHITESPACE = re.compile(rb"\s")


class Block(NamedTuple):
    """A byte range of a file that ends at the end of a token; lines of any length are split into such blocks."""

    path: Path
    start: int
    stop: int


class Runs:
    """The runs of one order, in a file: records (n-gram, count), int64 [total, 2].

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.total = path, 0
        self.lengths: List[int] = []
        path.touch()

    def append(self, run: Path, length: int, total: int) -> None:
        """Moves the file of a run with `length` records to the end; `total` is the sum of their counts."""
        with open(self.path, "ab") as whole, open(run, "rb") as part:
            shutil.copyfileobj(part, whole)
        run.unlink()
        if length:
            self.lengths.append(length)
            self.total += total

    def merged(self, room: int = ROOM) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields n-grams with their counts over all runs, each int64 [n], in ascending order, about `room` at a time.

        Each batch ends at the last n-gram that all windows have reached.
        """
        stops = np.cumsum(self.lengths)
        left = [(int(stop) - length, int(stop)) for stop, length in zip(stops, self.lengths)]
        with open(self.path, "rb") as file:
            while left:
                width = max(1, room // len(left))
                windows = [read_records(file, start, min(start + width, stop)) for start, stop in left]
                unfinished = [len(window) < stop - start for window, (start, stop) in zip(windows, left)]
                limit = min((window[-1, 0] for window in compress(windows, unfinished)), default=2**63 - 1)
                taken = [int(np.searchsorted(window[:, 0], limit, side="right")) for window in windows]
                yield added_up(np.concatenate([window[:count] for window, count in zip(windows, taken)]))
                moved = ((start + count, stop) for (start, stop), count in zip(left, taken))
                left = [(start, stop) for start, stop in moved if start < stop]


def read_records(file: BinaryIO, start: int, stop: int) -> np.ndarray:
    """The records `start:stop` of a file, int64 [n, 2]."""
    file.seek(start * RECORD)
    return np.fromfile(file, dtype=np.int64, count=2 * (stop - start)).reshape(-1, 2)


def added_up(records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct n-grams of records [n, 2] in ascending order, and the sums of their counts."""
    records = records[np.argsort(records[:, 0], kind="stable")]
    first = np.flatnonzero(np.diff(records[:, 0], prepend=-1))
    return records[first, 0], np.add.reduceat(records[:, 1], first)


def parted(paths: Iterable[Path], size: int = BLOCK) -> Iterator[Block]:
    """Yields the blocks of all files, of `size` bytes plus the rest of their last token."""
    for path in paths:
        start, end = 0, os.path.getsize(path)
        with open(path, "rb") as file:
            while start < end:
                stop = end_of_token(file, min(start + size, end))
                yield Block(path, start, stop)
                start = stop


def end_of_token(file: BinaryIO, place: int) -> int:
    """The position of the first whitespace from `place` on, or the end of the file."""
    file.seek(place)
    for chunk in iter(partial(file.read, MARGIN), b""):
        found = WHITESPACE.search(chunk)
        if found:
            return place + found.start()
        place += len(chunk)
    return place


def encoded(block: Block, rows: Mapping[str, int]) -> tuple[np.ndarray, int]:
    """The rows of a block's tokens, and of those after it on its last line, up to MARGIN bytes, int64 [T].

    There is a BREAK between lines, and for tokens without a row. Tokens are separated by any whitespace, as in
    fairseq-preprocess.

    Returns:
        the rows, and how many of them are the block's own.

    Raises:
        UserError: the file is not UTF-8.
    """
    with open(block.path, "rb") as file:
        file.seek(block.start)
        text, behind = file.read(block.stop - block.start), file.read(MARGIN)
    found: list[int] = []
    for number, line in enumerate(decoded(text, block).split("\n")):
        if number > 0:
            found.append(BREAK)
        found += [rows.get(token, BREAK) for token in line.split()]
    following = behind.partition(b"\n")[0].decode(errors="ignore").split()
    return np.array(found + [rows.get(token, BREAK) for token in following], dtype=np.int64), len(found)


def decoded(text: bytes, block: Block) -> str:
    """The text of a block."""
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise UserError(explain_bad_utf8(f"{block.path}: byte {block.start + error.start}", error)) from None


def ngrams(rows: np.ndarray, order: int, base: int) -> np.ndarray:
    """The numbers of all n-grams of rows [T] that contain no BREAK."""
    count = max(0, len(rows) - order + 1)
    number, whole = np.zeros(count, dtype=np.int64), np.ones(count, dtype=bool)
    for offset in range(order):
        digit = rows[offset : offset + count]
        number = number * base + digit
        whole &= digit != BREAK
    return number[whole]


def spelled(number: int, order: int, tokens: Sequence[str]) -> list[str]:
    """The tokens of an n-gram."""
    rows = [number // len(tokens) ** place % len(tokens) for place in reversed(range(order))]
    return [tokens[row] for row in rows]


def count_block(
    numbered: tuple[int, Block], *, folder: Path, rows: Mapping[str, int], base: int, orders: Sequence[int]
) -> tuple[Block, list[tuple[Path, int, int]]]:
    """Writes one run per order, with the n-grams that begin in a block.

    Returns:
        the block, and each run's file, number of records and sum of counts.
    """
    number, block = numbered
    (found, own), written = encoded(block, rows), []
    for order in orders:
        run, counts = np.unique(ngrams(found[: own + order - 1], order, base), return_counts=True)
        path = folder / f"{order}.{number}"
        np.stack([run, counts], axis=1).astype(np.int64).tofile(path)
        written.append((path, len(run), int(counts.sum())))
    return block, written


def count(
    paths: Sequence[Path], rows: Mapping[str, int], base: int, folder: Path, *, orders: Sequence[int], workers: int
) -> list[Runs]:
    """Counts the n-grams of every order in all files, with a progress bar.

    Args:
        paths: UTF-8 text, tokens separated by whitespace; n-grams do not cross line ends.
        rows: the tokens to count, with their rows, below `base`; n-grams do not contain other tokens.
        base: the number of rows.
        folder: the folder for the runs, with at most 16 bytes per n-gram of the text.
        orders: the lengths of n-grams.
        workers: number of processes; each holds one block of text in memory.

    Raises:
        UserError: a file is not UTF-8.
    """
    assert base ** max(orders) < 2**63, "the numbers of n-grams would not fit"
    work = partial(count_block, folder=folder, rows=rows, base=base, orders=orders)
    runs = [Runs(folder / f"{order}-grams") for order in orders]
    size = sum(map(os.path.getsize, paths))
    with tqdm(desc="counting", total=size, unit="B", unit_scale=True) as bar, Pool(workers) as pool:
        for block, written in pool.imap_unordered(work, enumerate(parted(paths))):
            for of_order, run in zip(runs, written):
                of_order.append(*run)
            bar.update(block.stop - block.start)
    return runs
