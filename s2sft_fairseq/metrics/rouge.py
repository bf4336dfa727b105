"""ROUGE: how much of the references' n-grams and subsequences the hypotheses have."""

import re
from argparse import _ArgumentGroup
from typing import Dict, List, Optional, Sequence

import numpy as np
from tqdm import tqdm

from ..rouge155 import count_overlap, stemmed_words, words_of_any_script
from .bootstrap import RESAMPLES, sample
from .metric import Examples, Means, Metric, register_metric

KINDS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
SEPARATORS = ("[X_SEP]", "<q>", "<S_SEP>")
WORDS = {"english": stemmed_words, "any": words_of_any_script}


class RougeExamples(Means):
    """Scores of each example, whose figures over all of them are those that ROUGE-1.5.5 prints."""

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """The means over some rows; over all, the mean over 1000 samples of them, which is what ROUGE-1.5.5 prints.

        It differs from the mean by about a thirtieth of the standard error.
        """
        if rows is None:
            rows = np.concatenate([sample(len(self), seed) for seed in range(RESAMPLES)])
        return super().figures(rows)


@register_metric("rouge")
class Rouge(Metric):
    """ROUGE-1, -2, -L and -Lsum (Lin, 2004) in percent, equal to ROUGE-1.5.5 with ``-m -a``.

    ROUGE-Lsum is ROUGE-1.5.5's ROUGE-L over texts of one sentence a line, the "RG-L" of CNN/DailyMail's tables;
    ROUGE-L takes each text as one sentence. The two are equal for texts of one sentence.

    Args:
        sentence_separator: what parts the sentences of a text, besides line feeds.
        words: ``english`` for ROUGE-1.5.5's words and stems, which knows ASCII letters alone; ``any`` for words of any
            script, unstemmed, and single Chinese characters.
    """

    summary = "ROUGE-1, -2, -L and -Lsum as ROUGE-1.5.5 -m -a computes them"

    def __init__(self, *, sentence_separator: Sequence[str] = SEPARATORS, words: str = "english") -> None:
        self.sentence_end = re.compile("|".join(map(re.escape, ["\n", *sentence_separator])))
        self.words = WORDS[words]

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Sentences, and the language."""
        group.add_argument(
            "--sentence-separator",
            nargs="*",
            default=SEPARATORS,
            metavar="STRING",
            help=f"what parts sentences within a line, for rougeLsum (default: {' '.join(SEPARATORS)})",
        )
        group.add_argument(
            "--words",
            choices=sorted(WORDS),
            default="english",
            help="english: stemmed words of A-Z and 0-9, as ROUGE-1.5.5; any: words of any script, unstemmed, "
            "and single Chinese characters (default: english)",
        )

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Scores each hypothesis; several references count as one that has all their units, as ROUGE-1.5.5 has it."""
        pairs = tqdm(zip(hypotheses, references), total=len(hypotheses), desc="rouge", delay=3, leave=False)
        return RougeExamples(scores(np.array([self.counts(*pair) for pair in pairs])))

    def counts(self, hypothesis: str, references: Sequence[str]) -> np.ndarray:
        """Counts over the references of an example [3, 4]."""
        ours = self.sentences(hypothesis)
        return np.sum([count_overlap(self.sentences(text), ours) for text in references], axis=0)

    def sentences(self, text: str) -> List[List[str]]:
        """The words of each sentence."""
        return [self.words(sentence) for sentence in self.sentence_end.split(text)]


def scores(counts: np.ndarray) -> Dict[str, np.ndarray]:
    """F1, recall and precision [N] of each kind, from counts [N, 3, 4]; rounded where ROUGE-1.5.5 rounds."""
    shared, reference, hypothesis = np.moveaxis(counts, 1, 0)
    recall = ratio(shared, reference)
    precision = ratio(shared, hypothesis)
    f1 = ratio(2 * recall * precision, recall + precision)
    columns = {}
    for index, kind in enumerate(KINDS):
        columns[kind] = 100 * f1[:, index]
        columns[f"{kind}_recall"] = 100 * recall[:, index]
        columns[f"{kind}_precision"] = 100 * precision[:, index]
    return columns


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part / whole to five digits, and 0 where there is nothing."""
    return np.round(np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0), 5)
