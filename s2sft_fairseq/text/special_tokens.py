"""How vocabularies spell the tokens with a role, and what else in them is no text."""

import re
from typing import Collection, NamedTuple, Optional


class SpecialTokens(NamedTuple):
    """The five tokens with a role, as a vocabulary spells them."""

    bos: str
    pad: str
    eos: str
    unk: str
    mask: str


BERT_TOKENS = SpecialTokens(bos="[CLS]", pad="[PAD]", eos="[SEP]", unk="[UNK]", mask="[MASK]")
ROBERTA_TOKENS = SpecialTokens(bos="<s>", pad="<pad>", eos="</s>", unk="<unk>", mask="<mask>")
SPELLINGS = (BERT_TOKENS, ROBERTA_TOKENS)

PLACEHOLDER = re.compile(r"\[unused\d+\]|madeupword\d{4,}")
"""A row that no text leads to, as BERT's and fairseq's vocabularies name it."""

ROLE = re.compile(r"\[(ATTN|NOISE)\]|</?s>|<(pad|unk|mask)>")
"""A token that means something to a model, be it one of the five or not."""


def complete_spelling(tokens: Collection[str]) -> Optional[SpecialTokens]:
    """The spelling of which all five tokens are among `tokens`, or None."""
    return next((spelling for spelling in SPELLINGS if all(token in tokens for token in spelling)), None)


def nearest_spelling(tokens: Collection[str]) -> SpecialTokens:
    """The spelling that most of the five tokens follow; BERT's when none does."""
    return max(SPELLINGS, key=lambda spelling: sum(token in tokens for token in spelling))


def is_ordinary(token: str) -> bool:
    """Whether a token is a piece of text, not a placeholder and not a token with a meaning of its own."""
    return not (token in BERT_TOKENS or PLACEHOLDER.fullmatch(token) or ROLE.fullmatch(token))
