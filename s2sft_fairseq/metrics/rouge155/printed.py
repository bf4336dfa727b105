"""What ROUGE-1.5.5 prints."""

import re
from typing import Dict, List, NamedTuple

AVERAGE = re.compile(r"^\S+ ROUGE-(\w+) Average_([RPF]): (\S+) \(\S+ (\S+) - (\S+)\)", re.MULTILINE)
EXAMPLE = re.compile(r"^\S+ ROUGE-(\w+) Eval (\d+)\.\S+ R:(\S+) P:(\S+) F:(\S+)", re.MULTILINE)
SIDES = ("R", "P", "F")


class Printed(NamedTuple):
    """Scores in percent, each of them under the kind (1, 2, L) and the side (R, P, F).

    Attributes:
        averages: average, and the interval's ends [3].
        each: of every example [N], in the order of their numbers; with ``-d`` alone.
    """

    averages: Dict[str, List[float]]
    each: Dict[str, List[float]]


def read_printed(out: str) -> Printed:
    """Reads what the script has printed, with or without ``-d``."""
    averages = {kind + side: percent(values) for kind, side, *values in AVERAGE.findall(out)}
    examples = sorted((kind, int(number), percent(values)) for kind, number, *values in EXAMPLE.findall(out))
    each: Dict[str, List[float]] = {}
    for kind, _, values in examples:
        for side, value in zip(SIDES, values):
            each.setdefault(kind + side, []).append(value)
    return Printed(averages, each)


def percent(values: List[str]) -> List[float]:
    """Numbers times 100."""
    return [100 * float(value) for value in values]
