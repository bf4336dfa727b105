"""The figures of question generation: BLEU, METEOR and ROUGE-L of COCO-caption, grouped by source (Du et al., 2017)."""

from argparse import _ArgumentGroup
from pathlib import Path
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, TypeVar

import numpy as np

from ..common.errors import UserError
from .metric import Examples, Metric, register_metric
from .postprocessing.penn_treebank import LOWER_BRACKETS, penn_tokens
from .scorers import coco
from .scorers.meteor import Meteor, add_jar_option, measure
from .word_boundaries import warn_of_unspaced

Score = TypeVar("Score")

DU_NAMES = {**LOWER_BRACKETS, "[UNK]": "UNK", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""The spelling of brackets and symbols in the references of Du et al."""


class Tokenization(NamedTuple):
    """How outputs and references are converted to the same tokens."""

    hypothesis: Callable[[str], str]
    reference: Callable[[str], str]


def join_pieces(text: str) -> str:
    """Lower-case words from WordPieces ("##x" continues the word before it) or from words.

    >>> join_pieces("What is cas ##tle ##s ?")
    'what is castles ?'
    """
    return " ".join(text.split()).replace(" ##", "").lower()


TOKENIZATIONS = {
    "unilm": Tokenization(hypothesis=lambda text: text.strip().lower(), reference=join_pieces),
    "du": Tokenization(hypothesis=lambda text: penn_tokens(text, names=DU_NAMES).lower(), reference=str.strip),
    "none": Tokenization(hypothesis=str.strip, reference=str.strip),
}


@register_metric("qg")
class QuestionGeneration(Metric):
    """BLEU-1 to 4, METEOR and ROUGE-L with all questions about one source as references of one example.

    Args:
        qg_tokenization: `unilm` for references in WordPieces or words, `du` for those that Du et al. published (outputs
            are converted to their tokens), `none` for texts to be scored unchanged.
        meteor_jar: the path of METEOR's jar, if not in pycocoevalcap.
    """

    summary = "question generation: BLEU-1/2/3/4, METEOR, ROUGE-L of COCO-caption, grouped by --source"
    joined_pieces = "##"

    def __init__(self, *, qg_tokenization: str = "unilm", meteor_jar: Optional[Path] = None) -> None:
        self.tokenization = TOKENIZATIONS[qg_tokenization]
        self.jar = meteor_jar

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds the tokenization, and the path of METEOR's jar."""
        group.add_argument(
            "--qg-tokenization",
            choices=TOKENIZATIONS,
            default="unilm",
            help="qg: tokens of the references: words or pieces, Du et al.'s, or unchanged (default: %(default)s)",
        )
        add_jar_option(group)

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Groups the lines by source; of several outputs for a source, the last counts, as in the published script.

        Raises:
            UserError: there are no sources.
        """
        if sources is None:
            raise UserError("--metric qg groups by source; expected --source FILE with the text of each question")
        warn_of_unspaced(references, "--metric qg")
        outputs: Dict[str, str] = {}
        golds: Dict[str, List[str]] = {}
        for source, output, texts in zip(sources, hypotheses, references):
            name = source.strip().lower()
            outputs[name] = self.tokenization.hypothesis(output)
            golds.setdefault(name, []).extend(map(self.tokenization.reference, texts))
        return Questions(list(outputs.values()), list(golds.values()), jar=self.jar)


class Questions(Examples):
    """N outputs, each with all questions about its source."""

    def __init__(self, outputs: Sequence[str], golds: Sequence[Sequence[str]], *, jar: Optional[Path]) -> None:
        self.counts = coco.count(outputs, golds)
        self.rouge = np.array([coco.rouge_l(output, texts) for output, texts in zip(outputs, golds)])
        self.meteor: Optional[Meteor] = measure(outputs, golds, jar=jar)

    def __len__(self) -> int:
        return len(self.rouge)

    def each(self) -> Dict[str, np.ndarray]:
        """The figures of every example [N]; BLEU of single examples is not smoothed."""
        meteor = {"meteor": self.meteor.each()} if self.meteor else {}
        return {**named_bleu(coco.bleu(self.counts).T), **meteor, "rouge_l": self.rouge}

    def figures(self, rows: Optional[np.ndarray] = None) -> Dict[str, float]:
        """BLEU and METEOR of these examples together, and the mean ROUGE-L; all from 0 to 100."""
        rows = np.arange(len(self)) if rows is None else rows
        bleu = coco.bleu(self.counts.sums(rows))
        meteor = {"meteor": self.meteor.score(rows)} if self.meteor else {}
        return {**named_bleu(bleu.tolist()), **meteor, "rouge_l": float(self.rouge[rows].mean())}


def named_bleu(scores: Iterable[Score]) -> Dict[str, Score]:
    """BLEU-1 to BLEU-4 by name."""
    return {f"bleu_{length}": score for length, score in enumerate(scores, 1)}
