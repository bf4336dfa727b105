"""Resampled examples: intervals of a figure, and a test of the difference between two systems.

The samples are those that ROUGE-1.5.5 draws: sample k is what Perl's generator (drand48, since Perl 5.20) gives for
seed k, over the examples in the order of their numbers' names (1, 10, 100, 11, ...).
"""

from functools import lru_cache
from typing import Dict, Iterator, NamedTuple, Tuple

import numpy as np
from tqdm import tqdm

from .metric import Examples

RESAMPLES = 1000
MULTIPLIER, INCREMENT, MODULUS = 0x5DEECE66D, 0xB, 1 << 48  # drand48


class Interval(NamedTuple):
    """Where 95 % of the samples lie."""

    low: float
    high: float


class Difference(NamedTuple):
    """How much one system is above another, where 95 % of the samples lie, and how likely that is by chance."""

    value: float
    interval: Interval
    p: float


@lru_cache(maxsize=2)
def steps(count: int) -> Tuple[np.ndarray, np.ndarray]:
    """Factors and summands [count] that take a state of drand48 to each of the states that follow it."""
    factors = np.cumprod(np.full(count, MULTIPLIER, dtype=np.uint64))
    before = np.concatenate([np.ones(1, dtype=np.uint64), factors[:-1]])
    return factors, np.cumsum(before) * np.uint64(INCREMENT)


@lru_cache(maxsize=2)
def order_by_name(count: int) -> np.ndarray:
    """The examples [count] in the order of their numbers, counted from 1, as words."""
    return np.array(sorted(range(count), key=lambda number: str(number + 1)), dtype=np.int64)


def sample(count: int, seed: int) -> np.ndarray:
    """The examples [count] of one sample, drawn with repetition."""
    factors, summands = steps(count)
    states = (factors * np.uint64((seed << 16) + 0x330E) + summands) & np.uint64(MODULUS - 1)
    return order_by_name(count)[(states / MODULUS * count).astype(np.int64)]


def samples(count: int, *, resamples: int = RESAMPLES) -> Iterator[np.ndarray]:
    """Every sample, with a progress bar if it takes long."""
    for seed in tqdm(range(resamples), desc="bootstrap", unit=" samples", delay=3, leave=False, disable=None):
        yield sample(count, seed)


def resampled(examples: Examples, *, resamples: int = RESAMPLES) -> Dict[str, np.ndarray]:
    """Each figure over each of the samples [resamples], but for those that say nothing over samples."""
    drawn = [examples.figures(rows) for rows in samples(len(examples), resamples=resamples)]
    names = [name for name in drawn[0] if name not in examples.without_interval]
    return {name: np.array([figures[name] for figures in drawn]) for name in names}


def interval(values: np.ndarray) -> Interval:
    """The values between which 95 % lie, as ROUGE-1.5.5 takes them: with 1000, the 26th and the 26th from the end.

    Samples over which the figure has no value are left out; if there are no others, nor has the interval.
    """
    ranked = np.sort(values[~np.isnan(values)])
    if not len(ranked):
        return Interval(np.nan, np.nan)
    outside = int(0.025 * len(ranked))
    return Interval(float(ranked[outside]), float(ranked[-outside - 1]))


def difference(value: float, ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """Paired bootstrap test of a difference, given one figure of two systems over the same samples [resamples].

    The p-value (two-sided) is the share of samples that, moved so that they scatter around no difference, are as far
    from it as the value (Riezler and Maxwell, 2005, "On some pitfalls in automatic evaluation and significance
    testing for MT"). Samples over which a figure has no value are left out; if there are no others, nor has the test.
    """
    scatter = ours - theirs
    scatter = scatter[~np.isnan(scatter)]
    if np.isnan(value) or not len(scatter):
        return Difference(value, Interval(np.nan, np.nan), np.nan)
    as_far = np.abs(scatter - scatter.mean()) >= abs(value) - 1e-12
    return Difference(value, interval(scatter), (as_far.sum() + 1) / (len(scatter) + 1))
