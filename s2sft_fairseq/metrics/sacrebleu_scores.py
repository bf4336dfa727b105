"""BLEU and chrF, from sacreBLEU's statistics of each example."""

from argparse import _ArgumentGroup
from typing import Any, ClassVar, Dict, Optional, Sequence

import numpy as np

from .metric import Examples, Metric, non_negative_int, register_metric


class StatisticsExamples(Examples):
    """Statistics of each example, whose sums sacreBLEU turns into a score.

    Args:
        metric: has sacreBLEU's own metrics, which compute scores from sums of statistics.
        statistics: K numbers per example [N, K].
    """

    def __init__(self, metric: "SacreBleuMetric", statistics: np.ndarray) -> None:
        self.metric = metric
        self.statistics = statistics
        self.signature = str(metric.metric.get_signature())

    def __len__(self) -> int:
        return len(self.statistics)

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The corpus-level score of these examples."""
        counts = np.ones(len(self)) if rows is None else np.bincount(rows, minlength=len(self))
        return {self.metric.figure: score(self.metric.metric, counts @ self.statistics)}

    def each(self) -> Dict[str, np.ndarray]:
        """The scores of each example alone, as sacreBLEU scores sentences."""
        return {self.metric.figure: np.array([score(self.metric.alone, row) for row in self.statistics])}


def score(metric: Any, statistics: np.ndarray) -> float:
    """The score that one of sacreBLEU's metrics computes from summed statistics [K]."""
    return float(metric._compute_score_from_stats(statistics.astype(np.int64).tolist()).score)


class SacreBleuMetric(Metric):
    """A metric of sacreBLEU.

    Attributes:
        figure: the name of its only figure.
        metric: sacreBLEU's own metric.
        alone: the variant with which sacreBLEU scores single sentences.
    """

    figure: ClassVar[str]
    metric: Any
    alone: Any

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Counts n-grams; several references are treated like several reference files of sacreBLEU."""
        streams = [list(stream) for stream in zip(*references)]
        statistics = self.metric._extract_corpus_statistics(list(hypotheses), streams)
        return StatisticsExamples(self, np.array(statistics))


@register_metric("bleu")
class Bleu(SacreBleuMetric):
    """Corpus BLEU.

    Args:
        tokenize: sacreBLEU's tokenization, ``13a`` by default.
        lowercase: whether to ignore case.
    """

    summary = "sacreBLEU's BLEU"
    figure = "bleu"

    def __init__(self, *, tokenize: Optional[str] = None, lowercase: bool = False) -> None:
        from sacrebleu.metrics.bleu import BLEU

        self.metric = BLEU(tokenize=tokenize, lowercase=lowercase)
        self.alone = BLEU(tokenize=tokenize, lowercase=lowercase, effective_order=True)

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds tokenization and case."""
        names = ("13a", "intl", "char", "zh", "none")
        group.add_argument("--tokenize", choices=names, help="sacreBLEU's tokenization (default: 13a)")
        group.add_argument("--lowercase", action="store_true", help="ignore case")


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

        self.metric = self.alone = CHRF(word_order=word_order)

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
