"""Warns of tokens that a text should not have: unknown ones, in text that is not tokenized, and special ones."""

import logging
from typing import Collection, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..common.binarized_words import MANY_UNKNOWN
from ..text.dictionary import PretrainedDictionary

logger = logging.getLogger(__name__)

SAMPLE = 500
"""How many lines are read."""

EXPECTED = (
    "expected pieces, in a script that the vocabulary has; for text that is not tokenized: "
    "python preprocess/pieces.py --s2s-ft-vocab PRETRAINED_DIR"
)

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
                f"{self.dictionary.unk_word}; {EXPECTED}"
            )


class SpecialTokens:
    """Warns once of sources that contain special tokens, as if the text had none of their spellings.

    Args:
        dictionary: whose special tokens they are.
        allowed: ids that a source may contain, such as the end token between parts.
    """

    def __init__(self, dictionary: PretrainedDictionary, *, allowed: Collection[int]) -> None:
        special = (dictionary.bos(), dictionary.pad(), dictionary.eos(), dictionary.mask())
        self.dictionary = dictionary
        self.ids = torch.tensor([row for row in special if row not in allowed], dtype=torch.long)
        self.lines = 0
        self.has_warned = False

    def read(self, lines: Sequence[Tensor]) -> None:
        """Reads further sources, int64 [l] each, with their end tokens."""
        for line in () if self.has_warned else lines:
            self.lines += 1
            found = line[:-1][torch.isin(line[:-1].long(), self.ids)]
            if len(found):
                self.has_warned = True
                logger.warning(
                    f"source {self.lines:,} contains the special token {self.dictionary[int(found[0])]}; if it is "
                    'meant as text: --special-tokens text, in Python from_pretrained(..., special_tokens="text")'
                )
                return


def warn_of_unknown(lines: Optional[Sequence[Tensor]], dictionary: PretrainedDictionary, name: str) -> None:
    """Reads some of the binarized lines of a split, and warns if many tokens are unknown."""
    if lines is None or not len(lines):
        return
    rows = np.unique(np.linspace(0, len(lines) - 1, SAMPLE).astype(int)).tolist()
    if getattr(lines, "supports_prefetch", False):  # --dataset-impl cached, which has only lines that are asked for
        lines.prefetch(rows)  # type: ignore[attr-defined]
    UnknownTokens(dictionary, name).count([lines[row] for row in rows])
