"""Warns of data that were binarized without tokenizing, most of whose words became the unknown token."""

import logging
from typing import Optional, Sequence

import numpy as np
from torch import Tensor

from ..common.binarized_words import MANY_UNKNOWN, TOKENIZE
from ..text.dictionary import PretrainedDictionary

logger = logging.getLogger(__name__)

SAMPLE = 500
"""How many lines are read."""

LEAST = 3
"""Fewer unknown tokens are no reason for a warning: every text may have a rare character."""


class UnknownTokens:
    """Counts the unknown tokens of lines, and warns once.

    Args:
        dictionary: whose unknown token it is.
        name: of the text, for the message.
    """

    def __init__(self, dictionary: PretrainedDictionary, name: str) -> None:
        self.dictionary, self.name = dictionary, name
        self.tokens = self.unknown = 0
        self.has_warned = False

    def count(self, lines: Sequence[Tensor]) -> None:
        """Counts further lines, int64 [l] each."""
        self.tokens += sum(len(line) for line in lines)
        self.unknown += sum(int(line.eq(self.dictionary.unk()).sum()) for line in lines)
        if not self.has_warned and self.unknown >= max(LEAST, MANY_UNKNOWN * self.tokens):
            self.has_warned = True
            share = 100 * self.unknown / self.tokens
            logger.warning(
                f"{self.name}: {self.unknown:,} of {self.tokens:,} tokens ({share:.1f} %) are "
                f"{self.dictionary.unk_word}; {TOKENIZE}"
            )


def warn_of_unknown(lines: Optional[Sequence[Tensor]], dictionary: PretrainedDictionary, name: str) -> None:
    """Reads some of the binarized lines of a split, and warns if many tokens are unknown."""
    if lines is None or not len(lines):
        return
    rows = np.unique(np.linspace(0, len(lines) - 1, SAMPLE).astype(int))
    UnknownTokens(dictionary, name).count([lines[int(row)] for row in rows])
