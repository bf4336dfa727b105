"""CoQA's figures: exact match and F1 of words, each of several human answers left out in turn (Reddy et al., 2019)."""

from typing import Dict, Optional, Sequence

import numpy as np

from .answer_files import read_coqa
from .metric import Examples, Means, Metric, register_metric
from .scorers.answers import Agreement, best_of, compare, normalize_answer
from .texts import Files, Texts

IN_DOMAIN = {
    "mctest": "children_stories",
    "gutenberg": "literature",
    "race": "mid-high_school",
    "cnn": "news",
    "wikipedia": "wikipedia",
}
OUT_DOMAIN = {"reddit": "reddit", "science": "science"}
DOMAINS = {**IN_DOMAIN, **OUT_DOMAIN}
"""The domains of the stories, as named in the data (``source``) and in the official script."""


@register_metric("coqa")
class Coqa(Metric):
    """Exact match and F1 as in CoQA's official script; several answers to a question are separated by tabs."""

    summary = "CoQA: exact match and word F1, as in the official script; several answers separated by tabs, or JSON"

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Scores each answer; if all sources are keys of :data:`DOMAINS`, there are figures for each domain, too."""
        expected = ([answer for text in texts for answer in text.split("\t")] for texts in references)
        exact, f1 = 100 * np.array([score(answer, texts) for answer, texts in zip(hypotheses, expected)]).T
        scores = {"em": exact, "f1": f1}
        return ByDomain(scores, sources) if sources and set(sources) <= set(DOMAINS) else Means(scores)

    def read(self, files: Files) -> Texts:
        """Reads lines, or the JSON files of the dataset and the official script."""
        return read_coqa(files) if files.references[0].suffix == ".json" else super().read(files)


class ByDomain(Means):
    """Examples whose figures are means over all of them, over each domain, and over in-domain and out-domain ones.

    Args:
        scores: the scores of every example [N], by the name of the figure.
        sources: the domain of each story [N], keys of :data:`DOMAINS`.
    """

    def __init__(self, scores: Dict[str, np.ndarray], sources: Sequence[str]) -> None:
        super().__init__(scores)
        kinds = {name: [source] for source, name in DOMAINS.items()}
        kinds |= {"in_domain": list(IN_DOMAIN), "out_domain": list(OUT_DOMAIN)}
        members = {name: np.isin(sources, chosen) for name, chosen in kinds.items()}
        self.members = {name: chosen for name, chosen in members.items() if chosen.any()}

    def weighted(self, weights: np.ndarray) -> Dict[str, float]:
        """The means with these weights [N] of the examples; NaN for a domain without any."""
        found = super().weighted(weights)
        for name, chosen in self.members.items():
            share = weights * chosen
            inside = super().weighted(share) if share.any() else dict.fromkeys(self.scores, float("nan"))
            found |= {f"{name}_{figure}": value for figure, value in inside.items()}
        return found


def score(answer: str, expected: Sequence[str]) -> Agreement:
    """The best agreement with any of the expected answers; if there are several, the mean over leaving out each one.

    In this way, a system is compared with as many answers as a human, whose own answer is left out. An empty answer is
    treated like any other.
    """
    words = normalize_answer(answer)
    found = [compare(words, normalize_answer(text)) for text in expected]
    best = [best_of(found[:i] + found[i + 1 :] or found) for i in range(len(found))]
    return Agreement(*np.mean(best, axis=0))
