"""The figures of dialogue tasks: DSTC7's (Galley et al., 2019), and those that ERNIE-GEN reports for Persona-Chat."""

from argparse import _ArgumentGroup
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np
from tqdm import tqdm

from .extras import load
from .metric import Examples, Metric, register_metric
from .scorers import mteval
from .scorers.diversity import NgramTable
from .scorers.meteor import Meteor, add_jar_option, measure
from .texts import Files, Texts
from .word_boundaries import warn_of_unspaced


@register_metric("dialogue")
class Dialogue(Metric):
    """The figures of DSTC7's and Persona-Chat's scripts for responses whose tokens are separated by spaces.

    Several reference responses on one line are separated by tabs.

    Args:
        meteor_jar: the path of METEOR's jar, if not in pycocoevalcap.
    """

    summary = "DSTC7: NIST-4, BLEU-4, METEOR, Entropy-4, Distinct-1/2, length; Persona-Chat: BLEU-1/2, Distinct-1/2"

    def __init__(self, *, meteor_jar: Optional[Path] = None) -> None:
        self.jar = meteor_jar

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds the path of METEOR's jar."""
        add_jar_option(group)

    def read(self, files: Files) -> Texts:
        """Reads one example per line; its references are in several files, or on one line, separated by tabs."""
        texts = super().read(files)
        apart = [[text for line in lines for text in line.split("\t")] for lines in texts.references]
        return texts._replace(references=apart)

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Scores each response against one or more references."""
        warn_of_unspaced(references, "--metric dialogue")
        return Responses(
            hypotheses,
            counts=mteval.count(hypotheses, references),
            persona=persona_bleu(hypotheses, references),
            meteor=measure(hypotheses, references, jar=self.jar),
        )


class Responses(Examples):
    """N responses: mteval's counts, Persona-Chat's BLEU-1 and BLEU-2 [N, 2], and METEOR if it is available."""

    without_interval = ("entropy_4", "distinct_1", "distinct_2")

    def __init__(
        self, responses: Sequence[str], *, counts: mteval.Counts, persona: np.ndarray, meteor: Optional[Meteor]
    ) -> None:
        words = [text.split() for text in responses]
        self.lengths = np.array([len(tokens) for tokens in words])
        self.tables = {length: NgramTable(words, length=length) for length in (1, 2, 4)}
        self.counts = counts
        self.persona = persona
        self.meteor = meteor

    def __len__(self) -> int:
        return len(self.lengths)

    def each(self) -> Dict[str, np.ndarray]:
        """The figures that are defined for a single response."""
        meteor = {"meteor": self.meteor.each()} if self.meteor else {}
        persona = {"persona_bleu_1": self.persona[:, 0], "persona_bleu_2": self.persona[:, 1]}
        return {**meteor, "length": self.lengths, **persona}

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """BLEU and METEOR from 0 to 100, Entropy in nats, Distinct from 0 to 1, length in tokens."""
        rows = np.arange(len(self)) if rows is None else rows
        sums = self.counts.sums(rows)
        meteor = {"meteor": self.meteor.score(rows)} if self.meteor else {}
        persona_1, persona_2 = self.persona[rows].mean(axis=0).tolist()
        return {
            "nist_4": mteval.nist(sums),
            "bleu_4": 100 * mteval.bleu(sums.overlap),
            **meteor,
            "entropy_4": self.tables[4].entropy(rows),
            "distinct_1": self.tables[1].distinct(rows),
            "distinct_2": self.tables[2].distinct(rows),
            "length": float(self.lengths[rows].mean()),
            "persona_bleu_1": persona_1,
            "persona_bleu_2": persona_2,
        }


def persona_bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """BLEU-1 and BLEU-2 of every sentence, from 0 to 100 [N, 2]: nltk's, with its seventh smoothing method."""
    nltk = load("nltk.translate.bleu_score", package="nltk", purpose="--metric dialogue")
    smoothing = nltk.SmoothingFunction().method7

    def score(hypothesis: str, texts: Sequence[str]) -> List[float]:
        golds = [text.strip().split(" ") for text in texts]
        weights = [(1, 0, 0, 0), (0.5, 0.5, 0, 0)]
        return nltk.sentence_bleu(golds, hypothesis.strip().split(" "), weights, smoothing_function=smoothing)

    pairs = tqdm(zip(hypotheses, references), "BLEU-1/2", total=len(hypotheses), disable=None, leave=False)
    return 100 * np.array([score(*pair) for pair in pairs], dtype=float)
