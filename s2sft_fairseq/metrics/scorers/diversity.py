"""How varied texts are: the entropy of their n-grams, and the share of distinct ones."""

from typing import Dict, Sequence

import numpy as np

from .ngrams import Ngram


class NgramTable:
    """The n-grams of one length in N texts.

    Args:
        texts: the tokens of each text.
        length: n.
    """

    def __init__(self, texts: Sequence[Sequence[str]], *, length: int) -> None:
        numbers: Dict[Ngram, int] = {}
        self.ngrams = np.array(
            [
                numbers.setdefault(tuple(tokens[start : start + length]), len(numbers))
                for tokens in texts
                for start in range(len(tokens) - length + 1)
            ],
            dtype=np.int64,
        )
        self.texts = np.repeat(np.arange(len(texts)), [max(len(tokens) - length + 1, 0) for tokens in texts])
        self.size = len(texts)

    def counts(self, rows: np.ndarray) -> np.ndarray:
        """How often each n-gram occurs in these texts (a text may be named repeatedly)."""
        times = np.bincount(rows, minlength=self.size)
        counts = np.bincount(self.ngrams, weights=times[self.texts])
        return counts[counts > 0]

    def entropy(self, rows: np.ndarray) -> float:
        """The entropy of the n-grams in these texts, in nats (Zhang et al., 2018); 0 without any."""
        counts = self.counts(rows)
        shares = counts / counts.sum()
        return float(np.sum(shares * np.log(1 / shares)))

    def distinct(self, rows: np.ndarray) -> float:
        """The number of different n-grams divided by that of all (Li et al., 2016), from 0 to 1; 0 without any."""
        counts = self.counts(rows)
        return len(counts) / float(counts.sum()) if len(counts) else 0.0
