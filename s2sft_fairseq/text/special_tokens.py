"""How vocabularies spell special tokens, and which other tokens are not text."""

import re
from typing import Collection, NamedTuple, Optional


class SpecialTokens(NamedTuple):
    """The five special tokens, as a vocabulary spells them."""

    bos: str
    pad: str
    eos: str
    unk: str
    mask: str


BERT_TOKENS = SpecialTokens(bos="[CLS]", pad="[PAD]", eos="[SEP]", unk="[UNK]", mask="[MASK]")
ROBERTA_TOKENS = SpecialTokens(bos="<s>", pad="<pad>", eos="</s>", unk="<unk>", mask="<mask>")
SPELLINGS = (BERT_TOKENS, ROBERTA_TOKENS)

PLACEHOLDER = re.compile(r"\[unused\d+\]|madeupword\d{4,}")
"""The names of unused rows in BERT's and fairseq's vocabularies."""

ROLE = re.compile(r"\[(ATTN|NOISE)\]|</?s>|<(pad|unk|mask)>")
"""Tokens with a special meaning to a model, whether or not they are among the five."""


def complete_spelling(tokens: Collection[str]) -> Optional[SpecialTokens]:
    """The spelling whose five tokens are all in `tokens`, or None."""
    return next((spelling for spelling in SPELLINGS if all(token in tokens for token in spelling)), None)


def nearest_spelling(tokens: Collection[str]) -> SpecialTokens:
    """The spelling with the most of its five tokens in `tokens`; BERT's if there are none."""
    return max(SPELLINGS, key=lambda spelling: sum(token in tokens for token in spelling))


def is_ordinary(token: str) -> bool:
    """Whether a token is a piece of text, not a placeholder and not a token with a special meaning.

    >>> [token for token in ("[CLS]", "the", "##ing", "[unused7]", "<mask>", "[ATTN]", "[1]") if is_ordinary(token)]
    ['the', '##ing', '[1]']
    """
    return not (token in BERT_TOKENS or PLACEHOLDER.fullmatch(token) or ROLE.fullmatch(token))
