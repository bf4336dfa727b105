"""CoQA's figures: exact match and F1 of words, each of several human answers left out in turn (Reddy et al., 2019)."""

from typing import List, Optional, Sequence

import numpy as np

from .answer_files import read_coqa
from .answers import Agreement, compare, expected_answers, normalize_answer
from .metric import Examples, Means, Metric, register_metric
from .texts import Files, Texts


@register_metric("coqa")
class Coqa(Metric):
    """Exact match and F1 as CoQA's official script gives them; several answers to a question are separated by tabs."""

    summary = "CoQA: exact match and F1 of words, as the official script; several answers separated by tabs, or JSON"

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Scores each answer; an empty line among the references stands for no answer."""
        scores = [score(answer, expected_answers(expected)) for answer, expected in zip(hypotheses, references)]
        exact, f1 = 100 * np.array(scores).T
        return Means({"em": exact, "f1": f1})

    def read(self, files: Files) -> Texts:
        """Reads lines, or the dataset's and the official script's JSON files."""
        return read_coqa(files) if files.references[0].suffix == ".json" else super().read(files)


def score(answer: str, expected: Sequence[str]) -> Agreement:
    """The best agreement with any of the expected answers; of several, the mean over leaving out each one in turn.

    So a system is measured against as many answers as a human is (the human's own being left out).
    """
    words = normalize_answer(answer)
    found = [compare(words, normalize_answer(text)) for text in expected or [""]]
    best = [best_of(found[:i] + found[i + 1 :] or found) for i in range(len(found))]
    return Agreement(*np.mean(best, axis=0))


def best_of(found: List[Agreement]) -> Agreement:
    """The best exact match and the best F1, which may belong to different answers."""
    return Agreement(*map(max, zip(*found)))
