"""Text to data-bin: pairs a second that one core splits into pieces and binarizes, and memory at two sizes."""

import shutil
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple, Optional

from tqdm import tqdm

from ..processes import Usage
from ..results import Result, Row, Target, memory_row
from ..texts import SIDES, SPLIT, WORK, complete, raw_pairs, to_data_bin, to_pieces
from . import FULL, SMALLEST, Settings

SIZES = {SMALLEST: (200, 2_000), FULL: (20_000, 80_000)}
COMMANDS, UNIT = ("pieces.py", "fairseq-preprocess"), "pairs/s a core"
SAME = Target(1.1, at_least=False)


class Taken(NamedTuple):
    """What both commands took for a number of pairs."""

    pairs: int
    usage: dict[str, Usage]

    @property
    def name(self) -> str:
        """In the table."""
        return f"{self.pairs:,} pairs"

    def cpu(self, commands: Sequence[str]) -> float:
        """Seconds of one core, start-up included."""
        return sum(self.usage[command].cpu for command in commands)


def measure(settings: Settings) -> Result:
    """Times the two commands at two sizes: the difference is free of start-up."""
    small, large = [taken(size) for size in tqdm(settings.pick(SIZES), desc="text to data-bin", disable=None)]
    rows = [speed(small, large, COMMANDS, Target(3000)), *(speed(small, large, [command]) for command in COMMANDS)]
    rows += [Row(f"{run.name}, start-up included", UNIT, run.pairs / run.cpu(COMMANDS)) for run in (small, large)]
    for command in COMMANDS:
        peaks = {run.name: run.usage[command].peak for run in (small, large)}
        rows.append(memory_row(f"{command}, memory at {large.name}", peaks, large.name, small.name, SAME))
    note = (
        "Seconds of a core are those that the system charged to the commands, whatever else it did. The text repeats."
    )
    return Result("Text to data-bin", rows, notes=[note])


def speed(small: Taken, large: Taken, commands: Sequence[str], target: Optional[Target] = None) -> Row:
    """Between two sizes, so that start-up does not count."""
    rate = (large.pairs - small.pairs) / (large.cpu(commands) - small.cpu(commands))
    return Row(f"{' and '.join(commands)}, start-up left out", UNIT, rate, target=target)


def taken(pairs: int) -> Taken:
    """Runs both commands on so many pairs, and removes what they wrote."""
    folder = WORK / f"text-{pairs}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with complete(folder) as part:
            repeat(raw_pairs(), part, pairs)
            pieces, binarized = to_pieces(part, part / "pieces"), to_data_bin(part / "pieces", part / "bin")
            return Taken(pairs, dict(zip(COMMANDS, (pieces, binarized))))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def repeat(raw: Path, folder: Path, pairs: int) -> None:
    """Writes the pairs of a folder over and over again."""
    for side in SIDES:
        with (raw / f"{SPLIT}.{side}").open(encoding="utf-8", newline="\n") as file:
            lines = file.readlines()
        with (folder / f"{SPLIT}.{side}").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(islice(cycle(lines), pairs))
