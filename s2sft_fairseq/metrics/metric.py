"""What a metric has to say, and the register of all metrics."""

from abc import ABC, abstractmethod
from argparse import ArgumentTypeError, _ArgumentGroup
from typing import ClassVar, Dict, Optional, Sequence, Type

import numpy as np

from ..common.registry import registrar
from .texts import Files, Texts, read_texts


class Examples(ABC):
    """What one system did, example by example: enough to score any sample of the examples.

    An example is what the bootstrap draws: most often one line, for question generation one group of lines.

    Attributes:
        without_interval: figures that say nothing over drawn examples, such as the variety of texts, where one that is
            drawn twice looks like a repetition.
        signature: what a library calls its way to score, to be told beside the figures; empty if it has no name.
    """

    without_interval: ClassVar[Sequence[str]] = ()
    signature: str = ""

    @abstractmethod
    def __len__(self) -> int:
        """How many examples there are."""

    @abstractmethod
    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The metric's figures over these examples, with repetition (all of them by default); 0 to 100 where usual."""

    def each(self) -> Dict[str, np.ndarray]:
        """Scores of every example [N], for those figures that have some."""
        return {}


class Means(Examples):
    """Examples whose figures are the means of their scores.

    Args:
        scores: the scores of every example [N], by the name of the figure.
    """

    def __init__(self, scores: Dict[str, np.ndarray]) -> None:
        self.scores = scores
        self.table = np.stack(list(scores.values()), axis=1)

    def __len__(self) -> int:
        return len(self.table)

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The means."""
        return self.weighted(np.ones(len(self)) if rows is None else np.bincount(rows, minlength=len(self)))

    def weighted(self, weights: np.ndarray) -> Dict[str, float]:
        """The means where each example counts as often as its weight [N] says."""
        return dict(zip(self.scores, (weights @ self.table / weights.sum()).tolist()))

    def each(self) -> Dict[str, np.ndarray]:
        """The scores as they were given."""
        return self.scores


class Metric(ABC):
    """One metric with its options, which are the keyword arguments of the constructor and have defaults there.

    Attributes:
        summary: one line of help.
    """

    summary: ClassVar[str]

    @classmethod  # noqa: B027  (most metrics have none)
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds the metric's own options to the command line; each becomes the constructor's argument of that name."""

    @abstractmethod
    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Scores N hypotheses against one or more references each ([N][R]), told the sources if the metric needs them.

        Raises:
            UserError: the metric needs sources, or takes one reference only.
        """

    def read(self, files: Files) -> Texts:
        """Reads the files that the command line names: one example a line, unless the metric has a format of its own.

        Raises:
            UserError: a file is missing, or the files have different numbers of lines.
        """
        return read_texts(files)


def non_negative_int(word: str) -> int:
    """A number of the command line that is 0 at least."""
    number = int(word)
    if number < 0:
        raise ArgumentTypeError(f"{word}; expected 0 at least")
    return number


METRICS: Dict[str, Type[Metric]] = {}
register_metric = registrar(METRICS, "metric")
"""A decorator that makes a metric a value of ``--metric``."""
