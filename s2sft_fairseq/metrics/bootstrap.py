"""Bootstrap resampling: confidence intervals of a figure, and a test of the difference between two systems.

The samples are those that ROUGE-1.5.5 draws: sample k uses Perl's generator (drand48, since Perl 5.20) with seed k,
and the examples are in the order of their numbers as strings (1, 10, 100, 11, ...).
"""

from functools import lru_cache
from typing import Dict, Iterator, NamedTuple, Tuple

import numpy as np
from tqdm import tqdm

from .metric import Examples

RESAMPLES = 1000
MULTIPLIER, INCREMENT, MODULUS = 0x5DEECE66D, 0xB, 1 << 48  # drand48


class Interval(NamedTuple):
    """The interval that contains 95 % of the samples."""

    low: float
    high: float


class Difference(NamedTuple):
    """The difference between two systems, its 95 % interval, and the p-value of the test."""

    value: float
    interval: Interval
    p: float


@lru_cache(maxsize=2)
def steps(count: int) -> Tuple[np.ndarray, np.ndarray]:
    """Factors and summands [count] that map a state of drand48 to each of the following states."""
    factors = np.cumprod(np.full(count, MULTIPLIER, dtype=np.uint64))
    before = np.concatenate([np.ones(1, dtype=np.uint64), factors[:-1]])
    return factors, np.cumsum(before) * np.uint64(INCREMENT)


@lru_cache(maxsize=2)
def order_by_name(count: int) -> np.ndarray:
    """The examples [count], sorted by their numbers (counted from 1) as strings."""
    return np.array(sorted(range(count), key=lambda number: str(number + 1)), dtype=np.int64)


def sample(count: int, seed: int) -> np.ndarray:
    """The examples [count] of one sample, drawn with replacement."""
    factors, summands = steps(count)
    states = (factors * np.uint64((seed << 16) + 0x330E) + summands) & np.uint64(MODULUS - 1)
    return order_by_name(count)[(states / MODULUS * count).astype(np.int64)]


def samples(count: int, *, resamples: int = RESAMPLES) -> Iterator[np.ndarray]:
    """All samples, with a progress bar if they take long."""
    for seed in tqdm(range(resamples), desc="bootstrap", unit=" samples", delay=3, leave=False, disable=None):
        yield sample(count, seed)


def resampled(examples: Examples, *, resamples: int = RESAMPLES) -> Dict[str, np.ndarray]:
    """Each figure on each of the samples [resamples], except those that are meaningless on samples."""
    drawn = [examples.figures(rows) for rows in samples(len(examples), resamples=resamples)]
    names = [name for name in drawn[0] if name not in examples.without_interval]
    return {name: np.array([figures[name] for figures in drawn]) for name in names}


def interval(values: np.ndarray) -> Interval:
    """The bounds of 95 % of the values, as in ROUGE-1.5.5: of 1000, the 26th and the 26th from the end.

    Samples on which the figure is undefined are left out; without any others, so is the interval.
    """
    ranked = np.sort(values[~np.isnan(values)])
    if not len(ranked):
        return Interval(np.nan, np.nan)
    outside = int(0.025 * len(ranked))
    return Interval(float(ranked[outside]), float(ranked[-outside - 1]))


def difference(value: float, ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """Paired bootstrap test of a difference, given one figure of two systems on the same samples [resamples].

    The (two-sided) p-value is the share of samples that, after shifting their mean to 0, are at least as far from 0 as
    the value (Riezler and Maxwell, 2005, "On some pitfalls in automatic evaluation and significance testing for MT").
    Samples on which a figure is undefined are left out; without any others, so is the p-value.
    """
    scatter = ours - theirs
    scatter = scatter[~np.isnan(scatter)]
    if np.isnan(value) or not len(scatter):
        return Difference(value, Interval(np.nan, np.nan), np.nan)
    as_far = np.abs(scatter - scatter.mean()) >= abs(value) - 1e-12
    return Difference(value, interval(scatter), (as_far.sum() + 1) / (len(scatter) + 1))
