"""ROUGE: the overlap of n-grams and subsequences between hypotheses and references."""

import logging
import re
from argparse import _ArgumentGroup
from typing import List, Optional, Sequence

import numpy as np
from tqdm import tqdm

from ..common.errors import UserError
from .metric import Examples, Metric, register_metric
from .rouge155 import count_overlap, files2rouge_scores, stemmed_words, words_of_any_script
from .rouge_examples import PrintedExamples, counted

logger = logging.getLogger(__name__)

SEPARATORS = ("[X_SEP]", "<q>", "<S_SEP>", "<n>", "<t>", "</t>")
SENTENCE_BEGINS = re.compile(r"[.!?][\"')]*\s+[^\s.!?\"')]")  # after the end of another
WORDS = {"english": stemmed_words, "any": words_of_any_script}
MANY = 0.5
"""The share of texts above which a warning is logged."""

IMPLEMENTATIONS = ("own", "files2rouge")


@register_metric("rouge")
class Rouge(Metric):
    """ROUGE-1, -2, -L and -Lsum (Lin, 2004) in percent, equal to ROUGE-1.5.5 with ``-m -a``.

    ROUGE-Lsum is ROUGE-1.5.5's ROUGE-L on texts with one sentence per line, the "RG-L" of CNN/DailyMail's tables;
    ROUGE-L takes each text as one sentence. The two are equal for texts of one sentence.

    Args:
        sentence_separator: strings that separate the sentences of a text, in addition to line feeds.
        words: ``english`` for ROUGE-1.5.5's words and stems, which are of ASCII letters and digits only; ``any`` for
            words of any script, not stemmed, and single Chinese characters.
        rouge_implementation: ``own``, or ``files2rouge`` for the Perl script through that package.
    """

    summary = "ROUGE-1, -2, -L and -Lsum as ROUGE-1.5.5 -m -a computes them"

    def __init__(
        self,
        *,
        sentence_separator: Sequence[str] = SEPARATORS,
        words: str = "english",
        rouge_implementation: str = "own",
    ) -> None:
        self.sentence_end = re.compile("|".join(map(re.escape, ["\n", *filter(None, sentence_separator)])))
        self.words = WORDS[words]
        self.perl = rouge_implementation == "files2rouge"

    @classmethod
    def add_options(cls, group: _ArgumentGroup) -> None:
        """Adds sentence separators, the kind of words, and the implementation."""
        group.add_argument(
            "--sentence-separator",
            nargs="*",
            default=SEPARATORS,
            metavar="STRING",
            help=f"strings between sentences within a line, for rouge_lsum (default: {' '.join(SEPARATORS)})",
        )
        group.add_argument(
            "--words",
            choices=sorted(WORDS),
            default="english",
            help="english: stemmed words of A-Z and 0-9, as in ROUGE-1.5.5; any: words of any script, not stemmed, "
            "and single Chinese characters (default: english)",
        )
        group.add_argument(
            "--rouge-implementation",
            choices=IMPLEMENTATIONS,
            default="own",
            help="files2rouge: run the Perl script through that package (default: own, which needs no Perl)",
        )

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        """Scores each hypothesis; several references count as one with all their units, as in ROUGE-1.5.5."""
        if self.words is stemmed_words:
            warn_of_other_scripts(references)
        self.warn_of_unparted(hypotheses, [text for several in references for text in several])
        if self.perl:
            return self.printed(hypotheses, references)
        pairs = tqdm(
            zip(hypotheses, references), total=len(hypotheses), desc="rouge", delay=3, leave=False, disable=None
        )
        return counted(np.array([self.counts(*pair) for pair in pairs]))

    def counts(self, hypothesis: str, references: Sequence[str]) -> np.ndarray:
        """The counts of an example [3, 4], summed over its references."""
        ours = self.sentences(hypothesis)
        return np.sum([count_overlap(self.sentences(text), ours) for text in references], axis=0)

    def sentences(self, text: str) -> List[List[str]]:
        """The words of each sentence."""
        return [self.words(sentence) for sentence in self.sentence_end.split(text)]

    def warn_of_unparted(self, hypotheses: Sequence[str], references: Sequence[str]) -> None:
        """Warns if rouge_lsum may be computed without sentences (on CNN/DailyMail, about 30 instead of 40)."""
        ours, theirs = (share_with(self.sentence_end, texts) for texts in (hypotheses, references))
        unparted = [name for name, share in (("hypotheses", ours), ("references", theirs)) if not share]
        if unparted and max(ours, theirs, share_with(SENTENCE_BEGINS, references)) > MANY:
            logger.warning(
                f"nothing separates the sentences of the {' and '.join(unparted)}, as rouge_lsum requires; name what "
                "does, such as --sentence-separator '. '"
            )

    def printed(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Examples:
        """The scores of files2rouge."""
        if len(references[0]) > 1 or self.words is not stemmed_words:
            raise UserError("files2rouge supports one reference, with English words; leave --rouge-implementation out")
        ours, theirs = (
            [self.sentence_end.split(text) for text in texts] for texts in (hypotheses, next(zip(*references)))
        )
        whole = ([[" ".join(text)] for text in texts] for texts in (ours, theirs))
        return PrintedExamples(files2rouge_scores(ours, theirs), files2rouge_scores(*whole))


def share_with(pattern: "re.Pattern[str]", texts: Sequence[str]) -> float:
    """The share of texts that contain a pattern."""
    return sum(pattern.search(text) is not None for text in texts) / len(texts)


def warn_of_other_scripts(references: Sequence[Sequence[str]]) -> None:
    """Warns if texts in another script, such as Chinese, are scored as if they were English."""
    unread = sum(text.strip() != "" and not stemmed_words(text) for several in references for text in several)
    if unread > len(references) * MANY:
        logger.warning(
            f"{unread} references have no words of A-Z or 0-9, the only ones that ROUGE-1.5.5 counts; for texts in "
            "another script, use --words any"
        )
