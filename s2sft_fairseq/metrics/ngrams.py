"""Counting n-grams, and how many of a hypothesis its references have too."""

from collections import Counter
from functools import reduce
from operator import or_
from typing import Iterable, Mapping, Sequence, Tuple

import numpy as np

Ngram = Tuple[str, ...]


def count_ngrams(tokens: Sequence[str], *, longest: int = 4) -> "Counter[Ngram]":
    """How often each n-gram of 1 to `longest` tokens occurs."""
    return Counter(
        tuple(tokens[start : start + length])
        for length in range(1, longest + 1)
        for start in range(len(tokens) - length + 1)
    )


def shared_ngrams(hypothesis: "Counter[Ngram]", references: Iterable["Counter[Ngram]"]) -> "Counter[Ngram]":
    """How often each n-gram of a hypothesis counts: at most as often as in that reference which has it most often."""
    return hypothesis & reduce(or_, references)


def sum_by_length(counts: Mapping[Ngram, float], *, longest: int = 4) -> np.ndarray:
    """The sum of the counts of 1-grams, of 2-grams ... [longest]."""
    sums = np.zeros(longest)
    for ngram, count in counts.items():
        sums[len(ngram) - 1] += count
    return sums


def closest_length(length: int, others: Iterable[int]) -> int:
    """That of the other lengths which is closest; of two equally close ones the shorter."""
    return min(others, key=lambda other: (abs(other - length), other))


def number_of_ngrams(lengths: np.ndarray, *, longest: int = 4) -> np.ndarray:
    """How many 1-grams, 2-grams ... texts of these many tokens have: [N] -> [N, longest]."""
    return np.maximum(lengths[:, None] - np.arange(longest), 0)
