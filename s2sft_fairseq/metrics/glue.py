"""GLUE's figures: accuracy, F1 and Matthews correlation of labels, Pearson and Spearman correlation of numbers."""

import math
import warnings
from argparse import _ArgumentGroup
from typing import Dict, List, Optional, Sequence

import numpy as np

from ..common.errors import UserError
from .extras import load
from .metric import Examples, Metric, register_metric

MOST_LABELS = 1000
"""The maximum number of different labels of a classification (GLUE's have at most three)."""


@register_metric("glue")
class Glue(Metric):
    """The figures of GLUE's tasks (Wang et al., 2019) as computed by scikit-learn and scipy, times 100.

    Args:
        positive_label: the label that F1 is computed for.
    """

    summary = "GLUE: accuracy, F1, Matthews of labels, Pearson and Spearman of numbers; one label or number per line"

    def __init__(self, *, positive_label: str = "1") -> None:
        self.positive = positive_label

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds the label that F1 is computed for."""
        group.add_argument(
            "--positive-label",
            default="1",
            metavar="LABEL",
            help="glue: label that F1 is computed for (default: %(default)s)",
        )

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Compares labels as strings; the correlations are given if all are numbers."""
        if any(len(texts) != 1 for texts in references):
            raise UserError("--metric glue got several references per example; expected one label each")
        return GlueExamples(
            predicted=[text.strip() for text in hypotheses],
            expected=[texts[0].strip() for texts in references],
            positive=self.positive,
        )


class GlueExamples(Examples):
    """N predicted and expected labels; if all of them are numbers, with their correlations.

    Numbers with fractions (as in STS-B) are not labels. F1 is given if at most two labels are expected.

    Raises:
        UserError: there are too many different labels for a classification.
    """

    def __init__(self, *, predicted: List[str], expected: List[str], positive: str) -> None:
        self.scores = load("sklearn.metrics", package="scikit-learn", purpose="--metric glue")
        self.stats = load("scipy.stats", package="scipy", purpose="--metric glue")
        names, labels = np.unique([predicted, expected], return_inverse=True)
        self.labels = labels.reshape(2, -1)
        self.numbers = as_numbers(names.tolist())
        self.continuous = self.numbers is not None and not np.array_equal(self.numbers, np.round(self.numbers))
        if not self.continuous and len(names) > MOST_LABELS:
            raise UserError(f"--metric glue found {len(names)} different lines; expected one label or number per line")
        self.positive = np.flatnonzero((names == positive) & (len({*expected}) <= 2))

    def __len__(self) -> int:
        return self.labels.shape[1]

    def each(self) -> Dict[str, np.ndarray]:
        """100 for each correct label and 0 for each wrong one [N]."""
        return {} if self.continuous else {"accuracy": 100.0 * np.equal(*self.labels)}

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The figures that apply to the data; the correlation with a constant is NaN."""
        labels = self.labels if rows is None else self.labels[:, rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy warns that a constant has no correlation; the figure is NaN
            found = {**self.of_labels(labels), **self.of_numbers(labels)}
        return {name: 100 * float(value) for name, value in found.items()}

    def of_labels(self, labels: np.ndarray) -> Dict[str, float]:
        """Accuracy, Matthews correlation and F1 of predicted and expected labels [2, N]."""
        if self.continuous:
            return {}
        predicted, expected = labels
        found = {
            "accuracy": self.scores.accuracy_score(expected, predicted),
            "matthews": self.scores.matthews_corrcoef(expected, predicted),
        }
        if len(self.positive):
            found["f1"] = self.scores.f1_score(
                expected, predicted, labels=self.positive, average="macro", zero_division=0
            )
        return found

    def of_numbers(self, labels: np.ndarray) -> Dict[str, float]:
        """Pearson and Spearman correlation of the numbers that predicted and expected labels [2, N] stand for."""
        if self.numbers is None:
            return {}
        if labels.shape[1] < 2:
            return {"pearson": math.nan, "spearman": math.nan}
        pair = self.numbers[labels]
        return {"pearson": self.stats.pearsonr(*pair)[0], "spearman": self.stats.spearmanr(*pair)[0]}


def as_numbers(texts: Sequence[str]) -> Optional[np.ndarray]:
    """The texts as finite numbers [N], or None if any is not one."""
    try:
        numbers = np.array(texts, dtype=float)
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None
