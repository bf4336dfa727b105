"""The interface of metrics, and the registry of all metrics."""

from abc import ABC, abstractmethod
from argparse import ArgumentTypeError, _ArgumentGroup
from typing import ClassVar, Dict, Optional, Sequence, Type

import numpy as np

from ..common.registry import registrar
from .texts import Files, Texts, read_texts


class Examples(ABC):
    """One system's results, example by example: enough to score any sample of the examples.

    An example is the unit that the bootstrap draws: usually one line, in question generation a group of lines.

    Attributes:
        without_interval: figures that are meaningless on drawn examples, such as the diversity of texts, where an
            example that is drawn twice looks like a repetition.
        signature: a library's description of how it scores, to report with the figures; may be empty.
    """

    without_interval: ClassVar[Sequence[str]] = ()
    signature: str = ""

    @abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @abstractmethod
    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The metric's figures on these examples, which may repeat (default: all); from 0 to 100 where usual."""

    def each(self) -> Dict[str, np.ndarray]:
        """Scores of every example [N], for those figures that are defined for single examples."""
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
        """The means over these examples."""
        return self.weighted(np.ones(len(self)) if rows is None else np.bincount(rows, minlength=len(self)))

    def weighted(self, weights: np.ndarray) -> Dict[str, float]:
        """The means with these weights [N] of the examples."""
        return dict(zip(self.scores, (weights @ self.table / weights.sum()).tolist()))

    def each(self) -> Dict[str, np.ndarray]:
        """The scores of every example [N]."""
        return self.scores


class Metric(ABC):
    """A metric with its options, which are the keyword arguments of the constructor and have defaults there.

    Attributes:
        summary: a line of help.
        joined_pieces: the mark of those pieces that it joins itself, if any.
    """

    summary: ClassVar[str]
    joined_pieces: ClassVar[str] = ""

    @classmethod  # noqa: B027  (most metrics have none)
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds the metric's own options to the command line; each is passed to the constructor under its name."""

    @abstractmethod
    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Scores N hypotheses against one or more references each ([N][R]), and the sources if the metric needs them.

        Raises:
            UserError: the metric needs sources, or supports only one reference.
        """

    def read(self, files: Files) -> Texts:
        """Reads the files that the command line names: one example per line, unless the metric has its own format.

        Raises:
            UserError: a file is missing, or the files have different numbers of lines.
        """
        return read_texts(files)


def non_negative_int(word: str) -> int:
    """Parses an integer that is at least 0."""
    number = int(word)
    if number < 0:
        raise ArgumentTypeError(f"{word}; expected at least 0")
    return number


METRICS: Dict[str, Type[Metric]] = {}
register_metric = registrar(METRICS, "metric")
"""A decorator that registers a metric as a value of ``--metric``."""
