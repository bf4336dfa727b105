"""Seeded random numbers, and assertions on how often something happens."""

from collections import Counter

import numpy as np

MANY = 4000


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_share(count: int, *, of: int, expected: float) -> None:
    """Whether a count is within five standard deviations of a binomial variable."""
    deviation = (of * expected * (1 - expected)) ** 0.5
    assert abs(count - of * expected) <= 5 * deviation, f"{count} of {of}, expected {expected:.3f}"


def assert_uniform(counts: Counter, values: int) -> None:
    """Pearson's chi-square, within five standard deviations of its mean."""
    expected = sum(counts.values()) / values
    seen = sum((count - expected) ** 2 / expected for count in counts.values())
    unseen = (values - len(counts)) * expected
    assert seen + unseen <= values - 1 + 5 * (2 * (values - 1)) ** 0.5


def assert_same_law(ours: Counter, theirs: Counter) -> None:
    """The chi-square test that two samples come from one law, of values that are not rare, within 5 deviations."""
    values = [value for value in {*ours, *theirs} if ours[value] + theirs[value] >= 20]
    assert values
    ratio = (sum(theirs[value] for value in values) / sum(ours[value] for value in values)) ** 0.5
    seen = sum((ours[v] * ratio - theirs[v] / ratio) ** 2 / (ours[v] + theirs[v]) for v in values)
    degrees = len(values) - 1
    assert seen <= degrees + 5 * (2 * degrees) ** 0.5, f"{seen:.1f} at {degrees} degrees of freedom: {ours}, {theirs}"
