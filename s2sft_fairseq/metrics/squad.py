"""SQuAD's figures: exact match and word F1; with unanswerable questions, also by kind and at the best threshold."""

from argparse import _ArgumentGroup
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from ..common.errors import UserError
from ..common.text_lines import parse_json, read_all_lines
from .answer_files import read_squad
from .metric import Examples, Means, Metric, register_metric
from .scorers.answers import Agreement, best_of, compare, expected_answers, normalize_answer
from .texts import Files, Texts


@register_metric("squad")
class Squad(Metric):
    """SQuAD 1.1 (Rajpurkar et al., 2016) and 2.0 (Rajpurkar et al., 2018) as the official scripts score them.

    Args:
        squad_version: 1.1, or 2.0, where an empty reference marks an unanswerable question and an empty hypothesis
            means that there is no answer.
        na_probs: a file with each question's probability of being unanswerable, one per line, or {id: probability}.
        na_prob_threshold: above this probability, the answer counts as empty.
    """

    summary = "SQuAD 1.1, 2.0: exact match, word F1, as in the official scripts; answers separated by tabs, or JSON"

    def __init__(
        self, *, squad_version: str = "2.0", na_probs: Optional[Path] = None, na_prob_threshold: float = 1.0
    ) -> None:
        self.version = squad_version
        self.na_probs = na_probs
        self.na_prob_threshold = na_prob_threshold

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds the version, and the file and threshold of the probabilities of unanswerable questions."""
        group.add_argument(
            "--squad-version",
            choices=("1.1", "2.0"),
            default="2.0",
            help="squad: version of the official script (default: %(default)s)",
        )
        group.add_argument(
            "--na-probs",
            type=Path,
            metavar="FILE",
            help="squad: probability that each question is unanswerable, per line or JSON; adds the best thresholds",
        )
        group.add_argument(
            "--na-prob-threshold",
            type=float,
            default=1.0,
            metavar="P",
            help="squad: above this probability, an answer counts as empty (default: %(default)s)",
        )

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Scores each answer by the expected one that fits it best; an example without any is unanswerable."""
        expected, file = list(map(expected_answers, references)), self.na_probs
        score = score_1 if self.version == "1.1" else score_2
        exact, f1 = np.array([score(answer, texts) for answer, texts in zip(hypotheses, expected)]).T
        if self.version == "1.1":
            return Means({"exact_match": 100 * exact, "f1": 100 * f1})
        return Squad2(
            {"exact": exact, "f1": f1},
            answered=np.array(hypotheses) != "",
            answerable=np.array([bool(texts) for texts in expected]),
            na_probs=None if file is None else read_probabilities(file, len(hypotheses), names=sources),
            threshold=self.na_prob_threshold,
        )

    def read(self, files: Files) -> Texts:
        """Reads lines, or the JSON files of the dataset and the official script."""
        return read_squad(files) if files.references[0].suffix == ".json" else super().read(files)


def score_1(answer: str, expected: Sequence[str]) -> Agreement:
    """The best exact match and the best F1 over the expected answers; the F1 of an answer without words is 0."""
    words = normalize_answer(answer)
    best = best_of([compare(words, normalize_answer(text)) for text in expected or [""]])
    if not words:
        return best._replace(f1=0.0)
    return best


def score_2(answer: str, expected: Sequence[str]) -> Agreement:
    """The best exact match and the best F1 over the expected answers with words; without any, over an empty one."""
    words = normalize_answer(answer)
    with_words = list(filter(None, map(normalize_answer, expected)))
    return best_of([compare(words, text) for text in with_words or [[]]])


class Squad2(Examples):
    """Scored answers to N questions, of which some are unanswerable.

    Args:
        scores: exact match and F1 from 0 to 1 [N], by name.
        answered: whether the system gave an answer [N].
        answerable: whether there is one [N].
        na_probs: each question's probability of being unanswerable [N], if the system gave any.
        threshold: above this probability, an answer counts as empty.
    """

    def __init__(
        self,
        scores: Dict[str, np.ndarray],
        *,
        answered: np.ndarray,
        answerable: np.ndarray,
        na_probs: Optional[np.ndarray],
        threshold: float,
    ) -> None:
        self.raw = scores
        self.answered = answered
        self.answerable = answerable
        self.na_probs = na_probs
        withheld = np.zeros_like(answered) if na_probs is None else na_probs > threshold
        self.scores = {name: 100 * np.where(withheld, ~answerable, score) for name, score in scores.items()}

    def __len__(self) -> int:
        return len(self.answered)

    def each(self) -> Dict[str, np.ndarray]:
        """Exact match and F1 [N]."""
        return self.scores

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """Exact match and F1 on all questions, on both kinds, and at the best thresholds, each from 0 to 100.

        A figure is NaN on a sample that happens to have no questions of its kind.
        """
        rows = np.arange(len(self)) if rows is None else rows
        everything = np.ones(len(self), dtype=bool)
        kinds = {"": everything, "HasAns_": self.answerable, "NoAns_": ~self.answerable}
        found = {
            f"{kind}{name}": mean(score[rows[chosen[rows]]])
            for kind, chosen in kinds.items()
            for name, score in self.scores.items()
            if chosen.any()
        }
        if self.na_probs is not None:
            for name in self.raw:
                found[f"best_{name}"], found[f"best_{name}_thresh"] = self.best_threshold(name, rows)
        return found

    def best_threshold(self, name: str, rows: np.ndarray) -> Tuple[float, float]:
        """The best score, from 0 to 100, that any threshold reaches, and the lowest such threshold.

        Starting without any answers, one more question is answered at each step, in order of increasing probability.
        """
        assert self.na_probs is not None
        rows = rows[np.argsort(self.na_probs[rows], kind="stable")]
        gains = np.where(self.answerable, self.raw[name], np.where(self.answered, -1.0, 0.0))
        totals = np.cumsum(np.concatenate([[np.count_nonzero(~self.answerable[rows])], gains[rows]]))
        best = int(np.argmax(totals))
        return 100 * float(totals[best]) / len(rows), float(self.na_probs[rows[best - 1]]) if best else 0.0


def mean(scores: np.ndarray) -> float:
    """The mean; NaN if there are no scores."""
    return float(scores.mean()) if len(scores) else float("nan")


def read_probabilities(path: Path, count: int, *, names: Optional[Sequence[str]]) -> np.ndarray:
    """Reads one probability per line, or those of the questions with these ids from {id: probability}.

    Raises:
        UserError: there is not one probability per question, or one is not a number.
    """
    try:
        if path.suffix == ".json":
            by_name = parse_json(path)
            numbers = np.array([float(by_name[name]) for name in names or ()])
        else:
            numbers = np.array([float(line) for line in read_all_lines(path)])
    except UserError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: {type(error).__name__} {error}; expected one probability per question") from None
    if len(numbers) != count:
        raise UserError(f"{path} has probabilities for {len(numbers)} of {count} questions; expected one per question")
    return numbers
