"""A pretrained vocabulary as a fairseq ``Dictionary``: the id of a token is its row in the checkpoint's tables."""

import hashlib
import os
from typing import Callable, Dict, Iterable, List, Optional, Sequence, TextIO, Union

import numpy as np
import torch
from fairseq.data import Dictionary
from fairseq.tokenizer import tokenize_line
from torch import Tensor

from ..common.errors import UserError
from . import vocabulary
from .special_tokens import complete_spelling, is_ordinary, nearest_spelling

FIRST_OTHER_WORD = 2**30
"""The id of the first word that only scoring counts: far above the rows of any model."""


class PretrainedDictionary(Dictionary):
    """Maps tokens to the rows of a pretrained model: the id of a token is its line number, counted from 0.

    Unlike its base class, it adds no tokens of its own, and it accepts duplicate tokens (some published vocabularies
    have them): both rows exist, and the token maps to the later one, as in BERT's loader.

    The five special tokens are recognized by their spelling, BERT's (`[CLS]`) or RoBERTa's (`<s>`).

    Args:
        tokens: the complete vocabulary, in the order of the rows.

    Raises:
        UserError: a special token is missing.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.symbols: List[str] = list(tokens)
        self.count: List[int] = [1] * len(self.symbols)
        self.indices: Dict[str, int] = {token: row for row, token in enumerate(self.symbols)}
        self.other_words: Dict[str, int] = {}
        self.nspecial = 0
        special = complete_spelling(self.indices)
        if special is None:
            expected = nearest_spelling(self.indices)
            missing = [token for token in expected if token not in self.indices]
            raise UserError(
                f"the vocabulary has {len(self.symbols)} tokens but no {', '.join(missing)}; expected all of "
                f"{', '.join(expected)}: use the vocabulary that belongs to the pretrained weights"
            )
        self.bos_word, self.pad_word, self.eos_word, self.unk_word, self.mask_word = special
        rows = [self.indices[token] for token in special]
        self.bos_index, self.pad_index, self.eos_index, self.unk_index, self.mask_index = rows

    @classmethod
    def load(cls, source: Union[str, os.PathLike, TextIO]) -> "PretrainedDictionary":
        """Reads a vocabulary in any format that :func:`vocabulary.read` supports, or that :meth:`save` wrote.

        Args:
            source: the directory of a pretrained model, a vocabulary file, or an open text file.

        Raises:
            UserError: there is no vocabulary, it cannot be read, or a special token is missing.
        """
        if isinstance(source, (str, os.PathLike)):
            return cls(vocabulary.read(source))
        return cls(vocabulary.parse(source.read()))

    def grow(self, tokens: Iterable[str]) -> None:
        """Appends those of `tokens` that are not yet in the vocabulary, one row each."""
        for token in tokens:
            if token not in self.indices:
                self.add_symbol(token)

    def grown(self, tokens: Iterable[str]) -> "PretrainedDictionary":
        """A copy to which :meth:`grow` has appended the tokens."""
        copy = PretrainedDictionary(self.symbols)
        copy.grow(tokens)
        return copy

    def encode_line(
        self,
        line: str,
        line_tokenizer: Callable[[str], List[str]] = tokenize_line,
        add_if_not_exist: bool = False,
        consumer: Optional[Callable[[str, int], None]] = None,
        append_eos: bool = True,
        reverse_order: bool = False,
    ) -> Tensor:
        """Like fairseq's, int32 [l], but several times as fast; never adds a token, because it would have no row.

        ``add_if_not_exist`` gives each unknown word an id of its own after the last row, for BLEU: fairseq-generate
        scores whole words by their ids, and never counts an unknown word as correct.
        """
        words = line_tokenizer(line)[:: -1 if reverse_order else 1]
        if add_if_not_exist:
            ids = [self.id_for_scoring(word) for word in words]
        else:
            ids = [self.indices.get(word, self.unk_index) for word in words]
        if consumer is not None:
            for word, row in zip(words, ids):
                consumer(word, row)
        return torch.tensor([*ids, self.eos_index] if append_eos else ids, dtype=torch.int32)

    def id_for_scoring(self, word: str) -> int:
        """The id of a token, or for any other word an id that no token has or gets; equal words have equal ids."""
        if word in self.indices:
            return self.indices[word]
        return FIRST_OTHER_WORD + self.other_words.setdefault(word, len(self.other_words))

    def mask(self) -> int:
        """The id of the mask token."""
        return self.mask_index

    def ordinary_ids(self) -> np.ndarray:
        """The ids that noise may draw, int64 [n]: all tokens except special ones and placeholders."""
        return np.array([row for row, token in enumerate(self.symbols) if is_ordinary(token)], dtype=np.int64)

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the vocabulary: a hash of its tokens in their order."""
        return hashlib.sha256("\n".join(self.symbols).encode("utf-8")).hexdigest()[:16]
