"""Counting n-grams, and how many of a hypothesis its references have too."""

from collections import Counter
from functools import reduce
from operator import or_
from typing import Iterable, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

Ngram = Tuple[str, ...]


def count_ngrams(tokens: Sequence[str], *, longest: int = 4) -> "Counter[Ngram]":
    """How often each n-gram of 1 to `longest` tokens occurs."""
    return Counter(
        tuple(tokens[start : start + length])
        for length in range(1, longest + 1)
        for start in range(len(tokens) - length + 1)
    )


def shared_ngrams(hypothesis: Sequence[str], references: Iterable[Sequence[str]]) -> "Counter[Ngram]":
    """How often each n-gram of a hypothesis counts: at most as often as in that reference which has it most often."""
    return count_ngrams(hypothesis) & reduce(or_, map(count_ngrams, references))


def sum_by_length(counts: Mapping[Ngram, float], *, longest: int = 4) -> np.ndarray:
    """The sum of the counts of 1-grams, of 2-grams ... [longest]."""
    sums = np.zeros(longest)
    for ngram, count in counts.items():
        sums[len(ngram) - 1] += count
    return sums


class Overlap(NamedTuple):
    """What BLEU needs of N examples, or the sums over them.

    Attributes:
        shared: n-grams that a reference has too [N, 4].
        possible: n-grams of the hypothesis [N, 4].
        closest: tokens of the reference whose length is closest [N].
    """

    shared: np.ndarray
    possible: np.ndarray
    closest: np.ndarray

    def sums(self, rows: np.ndarray) -> "Overlap":
        """The sums over these examples."""
        return Overlap(*(column[rows].sum(axis=0) for column in self))


def overlap(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
    *,
    shared: Iterable[Mapping[Ngram, float]],
) -> Overlap:
    """Counts tokens, and the n-grams that hypotheses share with their references."""
    lengths = np.array([len(tokens) for tokens in hypotheses])
    return Overlap(
        shared=np.stack([sum_by_length(ngrams) for ngrams in shared]),
        possible=np.maximum(lengths[:, None] - np.arange(4), 0),
        closest=np.array([closest_length(n, map(len, texts)) for n, texts in zip(lengths, references)]),
    )


def closest_length(length: int, others: Iterable[int]) -> int:
    """That of the other lengths which is closest; of two equally close ones the shorter."""
    return min(others, key=lambda other: (abs(other - length), other))
