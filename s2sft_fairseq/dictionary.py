"""A pretrained vocabulary as a fairseq ``Dictionary``: the id of a token is its row in the checkpoint's tables."""

import hashlib
import os
import re
from pathlib import Path
from typing import List, Mapping, NamedTuple, Sequence, TextIO, Tuple, Union

import numpy as np
from fairseq.data import Dictionary

from .errors import UserError

PLACEHOLDER = re.compile(r"\[unused\d+\]")


class SpecialTokens(NamedTuple):
    """The five tokens with a role, as a vocabulary spells them."""

    bos: str
    pad: str
    eos: str
    unk: str
    mask: str


BERT_TOKENS = SpecialTokens(bos="[CLS]", pad="[PAD]", eos="[SEP]", unk="[UNK]", mask="[MASK]")


class PretrainedDictionary(Dictionary):
    """Maps tokens to the rows of a pretrained model: the line number of a token, counted from 0, is its id.

    Unlike its base class it adds no token of its own, and it tolerates a token that stands on two lines
    (published vocabularies have such): both rows exist, the token means the later one, as in BERT's loader.

    Args:
        tokens: every line of the vocabulary, in order.
        special: how this vocabulary spells the five tokens with a role.

    Raises:
        UserError: a special token is missing.
    """

    def __init__(self, tokens: Sequence[str], special: SpecialTokens = BERT_TOKENS) -> None:
        self.symbols: List[str] = list(tokens)
        self.count: List[int] = [1] * len(self.symbols)
        self.indices: Mapping[str, int] = {token: row for row, token in enumerate(self.symbols)}
        self.nspecial = 0
        missing = [token for token in special if token not in self.indices]
        if missing:
            raise UserError(
                f"the vocabulary has {len(self.symbols)} tokens but no {', '.join(missing)}; expected a BERT "
                f"vocabulary with {', '.join(special)}: use the vocab.txt that belongs to the pretrained weights"
            )
        self.special = special
        self.bos_word, self.pad_word, self.eos_word, self.unk_word, self.mask_word = special
        rows = [self.indices[token] for token in special]
        self.bos_index, self.pad_index, self.eos_index, self.unk_index, self.mask_index = rows

    @classmethod
    def load(cls, source: Union[str, os.PathLike, TextIO]) -> "PretrainedDictionary":
        """Reads ``vocab.txt`` (a token a line) or what :meth:`save` wrote (a token and a count a line).

        Args:
            source: a file name, a directory with a ``vocab.txt``, or an open text file.

        Raises:
            UserError: no such file, not UTF-8, empty, or a special token is missing.
        """
        if not isinstance(source, (str, os.PathLike)):
            return cls(parse(source.read()))
        path = Path(source)
        path = path / "vocab.txt" if path.is_dir() else path
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(f"no vocabulary at {path}; expected a vocab.txt or a dict.txt") from None
        except UnicodeDecodeError:
            raise UserError(f"the vocabulary {path} is not valid UTF-8; expected one token a line") from None
        return cls(parse(text))

    def mask(self) -> int:
        """The id of the mask token."""
        return self.mask_index

    def ordinary_ids(self) -> np.ndarray:
        """The ids that noise may draw, int64 [n]: every token but the special ones and the placeholders."""
        skip = set(self.special)
        return np.array(
            [row for row, token in enumerate(self.symbols) if token not in skip and not PLACEHOLDER.fullmatch(token)],
            dtype=np.int64,
        )

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that two vocabularies share only if all their lines are equal."""
        return hashlib.sha256("\n".join(self.symbols).encode("utf-8")).hexdigest()[:16]


def parse(text: str) -> List[str]:
    """The tokens of a vocabulary file, in order; ``token count`` lines lose their count."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    lines = [line[:-1] if line.endswith("\r") else line for line in lines]
    parts: List[Tuple[str, str, str]] = [line.rpartition(" ") for line in lines]
    counted = bool(parts) and all(space and count.isdigit() for _, space, count in parts)
    return [token for token, _, _ in parts] if counted else lines
