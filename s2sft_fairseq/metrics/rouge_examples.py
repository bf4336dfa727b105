"""ROUGE scores of each example: computed here, or printed by the Perl script."""

from functools import cached_property
from typing import Dict, List, Mapping, Optional

import numpy as np

from .bootstrap import RESAMPLES, sample
from .metric import Means
from .rouge155 import Printed

KINDS = {"rouge_1": "1", "rouge_2": "2", "rouge_l": "L", "rouge_lsum": "L"}  # and their names in the script
SIDES = {"": "F", "_recall": "R", "_precision": "P"}


class RougeExamples(Means):
    """Scores of each example; the figures over all of them are those that ROUGE-1.5.5 prints."""

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The means over these rows; over all, the mean over 1000 bootstrap samples, which is what ROUGE-1.5.5 prints.

        It differs from the mean by about a thirtieth of the standard error.
        """
        return super().figures(rows) if rows is not None else self.weighted(self.times_drawn)

    @cached_property
    def times_drawn(self) -> np.ndarray:
        """How often each example [N] occurs in the samples."""
        drawn = (np.bincount(sample(len(self), seed), minlength=len(self)) for seed in range(RESAMPLES))
        return sum(drawn, np.zeros(len(self)))


class PrintedExamples(Means):
    """Scores that the Perl script printed.

    Args:
        sentences: for texts with one sentence per line.
        whole: for the same texts on one line each.
    """

    def __init__(self, sentences: Printed, whole: Printed) -> None:
        super().__init__({name: np.array(values) for name, values in by_name(sentences.each, whole.each).items()})
        self.averages = {name: values[0] for name, values in by_name(sentences.averages, whole.averages).items()}

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The means over these rows; over all, the printed averages."""
        return super().figures(rows) if rows is not None else self.averages


def by_name(sentences: Mapping[str, List[float]], whole: Mapping[str, List[float]]) -> Dict[str, List[float]]:
    """Scores by our names: the script's ROUGE-L is rouge_lsum for sentences, and rouge_l for whole texts."""
    return {
        kind + suffix: (whole if kind == "rouge_l" else sentences)[called + side]
        for kind, called in KINDS.items()
        for suffix, side in SIDES.items()
    }


def counted(counts: np.ndarray) -> RougeExamples:
    """F1, recall and precision of each kind, from counts [N, 3, 4]; rounded as in ROUGE-1.5.5."""
    shared, reference, hypothesis = np.moveaxis(counts, 1, 0)
    recall, precision = ratio(shared, reference), ratio(shared, hypothesis)
    sides = {"F": ratio(2 * recall * precision, recall + precision), "R": recall, "P": precision}
    return RougeExamples(
        {
            kind + suffix: 100 * sides[side][:, column]
            for column, kind in enumerate(KINDS)
            for suffix, side in SIDES.items()
        }
    )


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part / whole, rounded to five digits; 0 where the whole is 0."""
    return np.round(np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0), 5)
