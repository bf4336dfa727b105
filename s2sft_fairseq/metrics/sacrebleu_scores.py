"""BLEU and chrF, from sacreBLEU's statistics of each example."""

import functools
from abc import abstractmethod
from argparse import _ArgumentGroup
from typing import Any, ClassVar, Dict, NamedTuple, Optional, Sequence

import numpy as np

from ..common.errors import UserError
from .metric import Examples, Metric, non_negative_int, register_metric
from .word_boundaries import is_installed, suitable_tokenization

TOKENIZATIONS = ("13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none")


class Scorers(NamedTuple):
    """sacreBLEU's own metric for a corpus, and the variant with which it scores single sentences."""

    corpus: Any
    alone: Any


class StatisticsExamples(Examples):
    """Statistics of each example, whose sums sacreBLEU turns into a score.

    Args:
        figure: the name of the score.
        scorers: sacreBLEU's own metrics, which compute scores from sums of statistics.
        statistics: K numbers per example [N, K].
    """

    def __init__(self, figure: str, scorers: "Scorers", statistics: np.ndarray) -> None:
        self.figure = figure
        self.scorers = scorers
        self.statistics = statistics
        self.signature = str(scorers.corpus.get_signature())

    def __len__(self) -> int:
        return len(self.statistics)

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The corpus-level score of these examples."""
        counts = np.ones(len(self)) if rows is None else np.bincount(rows, minlength=len(self))
        return {self.figure: score(self.scorers.corpus, counts @ self.statistics)}

    def each(self) -> Dict[str, np.ndarray]:
        """The scores of each example alone, as sacreBLEU scores sentences."""
        return {self.figure: np.array([score(self.scorers.alone, row) for row in self.statistics])}


def score(metric: Any, statistics: np.ndarray) -> float:
    """The score that one of sacreBLEU's metrics computes from summed statistics [K]."""
    return float(metric._compute_score_from_stats(statistics.astype(np.int64).tolist()).score)


class SacreBleuMetric(Metric):
    """A metric of sacreBLEU.

    Attributes:
        figure: the name of its only figure.
    """

    figure: ClassVar[str]

    @abstractmethod
    def scorers(self, references: Sequence[Sequence[str]]) -> Scorers:
        """sacreBLEU's metrics for texts like these references [N][R]."""

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Counts n-grams; several references are treated like several reference files of sacreBLEU."""
        streams = [list(stream) for stream in zip(*references)]
        scorers = self.scorers(references)
        statistics = scorers.corpus._extract_corpus_statistics(list(hypotheses), streams)
        return StatisticsExamples(self.figure, scorers, np.array(statistics))


@register_metric("bleu")
class Bleu(SacreBleuMetric):
    """Corpus BLEU.

    Args:
        tokenize: sacreBLEU's tokenization; by default ``13a``, or that of the references' script if it has no spaces
            between words.
        lowercase: whether to ignore case.

    Raises:
        UserError: sacreBLEU has no such tokenization, or lacks a package for it.
    """

    summary = "sacreBLEU's BLEU"
    figure = "bleu"

    def __init__(self, *, tokenize: Optional[str] = None, lowercase: bool = False) -> None:
        from sacrebleu.metrics.bleu import BLEU

        self.bleu = functools.partial(BLEU, lowercase=lowercase)
        self.tokenize = tokenize
        if tokenize is not None:
            check_tokenization(tokenize)

    def scorers(self, references: Sequence[Sequence[str]]) -> Scorers:
        """BLEU with the tokenization that was asked for, or that the references need."""
        tokenize = self.tokenize or suitable_tokenization(references)
        return Scorers(self.bleu(tokenize=tokenize), self.bleu(tokenize=tokenize, effective_order=True))

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds tokenization and case."""
        group.add_argument(
            "--tokenize",
            choices=TOKENIZATIONS,
            help="sacreBLEU's tokenization (default: 13a; for scripts without spaces between words, a suitable one)",
        )
        group.add_argument("--lowercase", action="store_true", help="ignore case")


def check_tokenization(name: str) -> None:
    """Raises UserError if sacreBLEU cannot tokenize like this."""
    if name not in TOKENIZATIONS:
        raise UserError(f"BLEU has no tokenization {name!r}; expected one of {', '.join(TOKENIZATIONS)}")
    if not is_installed(name):
        raise UserError(f'tokenization {name} needs: pip install "sacrebleu[{name[:2]}]"')


@register_metric("chrf")
class ChrF(SacreBleuMetric):
    """Corpus chrF.

    Args:
        word_order: the maximum order of word n-grams, which are counted as well: 2 for chrF++.
    """

    summary = "sacreBLEU's chrF"
    figure = "chrf"

    def __init__(self, *, word_order: int = 0) -> None:
        from sacrebleu.metrics.chrf import CHRF

        self.chrf = CHRF(word_order=word_order)

    def scorers(self, references: Sequence[Sequence[str]]) -> Scorers:
        """chrF, whatever the script: it counts characters."""
        return Scorers(self.chrf, self.chrf)

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds the order of word n-grams."""
        group.add_argument(
            "--word-order",
            type=non_negative_int,
            default=0,
            metavar="N",
            help="maximum order of word n-grams, 2 for chrF++ (default: 0)",
        )
