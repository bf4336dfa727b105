"""How two or more sides are compared: all are warmed, then they take turns, round by round."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from .progress import steps

Rates = dict[str, list[float]]
"""What each side did a second, a number a round."""


class Side(NamedTuple):
    """One of those compared.

    Attributes:
        name: in tables.
        work: does one round's work.
        amount: of that work, for instance in sentences.
    """

    name: str
    work: Callable[[], object]
    amount: float


@dataclass(frozen=True)
class Spread:
    """A number that was measured several times: its median, its least and its greatest value."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value or more."""
        return cls(median(values), min(values), max(values))


def seconds(work: Callable[[], object]) -> float:
    """How long some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(sides: Sequence[Side], *, rounds: int, title: str) -> Rates:
    """Measures all sides in every round, after a first one that does not count.

    Neighbours in time share what else the machine does, so a ratio is taken within a round, never across.
    """
    rates: Rates = {side.name: [] for side in sides}
    with steps((rounds + 1) * len(sides), title) as step:
        for turn in range(rounds + 1):
            for side in sides:
                took = seconds(side.work)
                if turn:
                    rates[side.name].append(side.amount / took)
                step()
    return rates


def ratio(rates: Rates, ours: str, peer: str) -> Spread:
    """How many times as fast as ``peer`` our side is, round by round."""
    return Spread.of([one / other for one, other in zip(rates[ours], rates[peer])])
