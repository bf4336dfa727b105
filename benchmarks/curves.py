"""Cost against size: the exponent of growth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The p of y = c · x ** p that fits best on logarithmic axes; 1 is linear growth, 2 quadratic.

    Args:
        x: two different sizes or more.
        y: what they cost.
    """
    slope, _ = np.polyfit(np.log(x), np.log(y), 1)
    return float(slope)


@dataclass
class Curve:
    """What something costs at growing sizes.

    Attributes:
        title: what grows.
        x_label, y_label: with units.
        x, y: sizes and costs, medians.
        operations: what the arithmetic operations alone would cost, in any unit.
        why: the exponent is what it is.
        exponent, end_exponent: over the whole curve, and between its last two points.
        expected_exponent: of the operations, over the whole curve.
    """

    title: str
    x_label: str
    y_label: str
    x: list[float]
    y: list[float]
    operations: list[float]
    why: str
    exponent: float = 0.0
    end_exponent: float = 0.0
    expected_exponent: float = 0.0

    def __post_init__(self) -> None:
        self.exponent = exponent(self.x, self.y)
        self.end_exponent = exponent(self.x[-2:], self.y[-2:])
        self.expected_exponent = exponent(self.x, self.operations)
