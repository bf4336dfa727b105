"""Warnings about the words of a text that fairseq-preprocess has binarized."""

import logging
import re
from collections import Counter
from typing import Any, Iterable, List

from .text_lines import read_lines

logger = logging.getLogger(__name__)

MANY_UNKNOWN = 0.01
"""The share of unknown tokens from which a warning is logged; pieces of the vocabulary's own tokenizer have fewer."""

TOKENIZE = "expected pieces; tokenize the text first: python preprocess/pieces.py --s2s-ft-vocab PRETRAINED_DIR"


def warn_of_unknown(file: str, summary: Any, unknown: str) -> None:
    """Warns if many words are not in the vocabulary.

    Args:
        file: the name of the text.
        summary: what fairseq counted while it binarized the text.
        unknown: the token that replaces these words.
    """
    if not summary.num_replaced or summary.num_replaced < MANY_UNKNOWN * summary.num_tok:
        return
    examples = ", ".join(repr(word) for word, _ in summary.replaced.most_common(3))
    logger.warning(
        f"{file}: {summary.num_replaced:,} of {summary.num_tok:,} tokens ({summary.replaced_percent:.1f} %) are not in "
        f"the vocabulary and become {unknown}, such as {examples}; {TOKENIZE}"
    )


def warn_of_special(file: str, dictionary: Any) -> None:
    """Warns of lines with special tokens, except the unknown token, which tokenizing makes of unknown characters."""
    found = SpecialLines((dictionary.bos_word, dictionary.pad_word, dictionary.eos_word, dictionary.mask_word))
    for line in read_lines(file):
        found.read(line, line)
    found.warn(file)


class SpecialLines:
    """Finds the lines of a text in which special tokens occur.

    Args:
        tokens: their spellings.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self.pattern = re.compile("|".join(map(re.escape, tokens)))
        self.numbers: List[int] = []
        self.counts = Counter[str]()
        self.lines = 0

    def read(self, text: str, pieces: str) -> None:
        """Reads one line as text, and as pieces separated by spaces; unknown characters become special, too."""
        self.lines += 1
        if self.pattern.search(text) is None:
            return
        found = [piece for piece in pieces.split() if self.pattern.fullmatch(piece) and piece in text]
        if found:
            self.numbers.append(self.lines)
            self.counts.update(found)

    def warn(self, name: str) -> None:
        """Logs one line, if there are any; ``name`` is that of the text."""
        if not self.numbers:
            return
        counts = ", ".join(f"{token} {count:,} times" for token, count in sorted(self.counts.items()))
        logger.warning(
            f"{name}: {len(self.numbers):,} lines contain special tokens ({counts}), the first is line "
            f"{self.numbers[0]:,}: in a source, the end token separates parts (--source-layout), but outputs end where "
            "a target has it; if they are meant as text: python preprocess/pieces.py --special-tokens text"
        )
