"""GLUE's figures: accuracy, F1 and Matthews' correlation of labels, Pearson's and Spearman's of numbers."""

import math
import warnings
from argparse import _ArgumentGroup
from typing import Dict, List, Optional, Sequence

import numpy as np

from ..common.errors import UserError
from .extras import load
from .metric import Examples, Metric, register_metric

MOST_LABELS = 1000
"""How many different labels a classification may have (GLUE's have three at most)."""


@register_metric("glue")
class Glue(Metric):
    """The figures of GLUE's tasks (Wang et al., 2019) as scikit-learn and scipy compute them, in points.

    Args:
        positive_label: the label whose F1 is meant.
    """

    summary = "GLUE: accuracy, F1 and Matthews of labels, Pearson and Spearman of numbers; one label or number a line"

    def __init__(self, *, positive_label: str = "1") -> None:
        self.positive = positive_label

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds the label that F1 looks for."""
        group.add_argument(
            "--positive-label", default="1", metavar="LABEL", help="glue: whose F1 is meant (default: %(default)s)"
        )

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Compares labels as they are written; the correlations need numbers throughout."""
        if any(len(texts) != 1 for texts in references):
            raise UserError("--metric glue got several references for an example; expected one label for each")
        return GlueExamples(
            predicted=[text.strip() for text in hypotheses],
            expected=[texts[0].strip() for texts in references],
            positive=self.positive,
        )


class GlueExamples(Examples):
    """N predicted and expected labels; where all of them are numbers, they are correlated too.

    Numbers with fractions (as in STS-B) are no labels. F1 is given where two labels are expected at most.

    Raises:
        UserError: there are too many different labels for this to be a classification.
    """

    def __init__(self, *, predicted: List[str], expected: List[str], positive: str) -> None:
        self.scores = load("sklearn.metrics", package="scikit-learn", purpose="--metric glue")
        self.stats = load("scipy.stats", package="scipy", purpose="--metric glue")
        names, labels = np.unique([predicted, expected], return_inverse=True)
        self.labels = labels.reshape(2, -1)
        self.numbers = as_numbers(names.tolist())
        self.continuous = self.numbers is not None and not np.array_equal(self.numbers, np.round(self.numbers))
        if not self.continuous and len(names) > MOST_LABELS:
            raise UserError(f"--metric glue found {len(names)} different lines; expected one label or number a line")
        self.positive = np.flatnonzero((names == positive) & (len({*expected}) <= 2))

    def __len__(self) -> int:
        return self.labels.shape[1]

    def each(self) -> Dict[str, np.ndarray]:
        """Whether each label is right [N], in points."""
        return {} if self.continuous else {"accuracy": 100.0 * np.equal(*self.labels)}

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """Those figures that fit the data; a correlation with a constant is not a number."""
        labels = self.labels if rows is None else self.labels[:, rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy says that a constant has no correlation; so does the figure
            found = {**self.of_labels(labels), **self.of_numbers(labels)}
        return {name: 100 * float(value) for name, value in found.items()}

    def of_labels(self, labels: np.ndarray) -> Dict[str, float]:
        """Accuracy, Matthews' correlation and F1 of predicted and expected labels [2, N]."""
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
        """Pearson's and Spearman's correlation of the numbers behind predicted and expected labels [2, N]."""
        if self.numbers is None:
            return {}
        if labels.shape[1] < 2:
            return {"pearson": math.nan, "spearman": math.nan}
        pair = self.numbers[labels]
        return {"pearson": self.stats.pearsonr(*pair)[0], "spearman": self.stats.spearmanr(*pair)[0]}


def as_numbers(texts: Sequence[str]) -> Optional[np.ndarray]:
    """The texts as finite numbers [N], or None if one is not."""
    try:
        numbers = np.array(texts, dtype=float)
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None
