"""XLM-R's SentencePiece as `--bpe s2s_ft_sentencepiece`.

The model is read through the package `sentencepiece` and applied as `transformers` applies it. Now and then the C++
library splits otherwise: where two splits are equally likely, and where its normalization takes several signs at
once. fairseq's own `--bpe sentencepiece --sentencepiece-model FILE` is that library, and serves the same dictionary.
"""

from pathlib import Path
from typing import List

from fairseq.data.encoders import register_bpe
from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram

from .. import vocabulary
from ..errors import UserError
from ..special_tokens import ROBERTA_TOKENS
from .protobuf import fields, get_bytes, get_int
from .splitter import Splitter, SplitterOptions, locate, model_type

SPACE = "▁"

# Field numbers and values of sentencepiece_model.proto
PIECES, TRAINER_SPEC, NORMALIZER_SPEC = 1, 2, 3
PIECE, PIECE_TYPE, NORMAL, CONTROL, USER_DEFINED = 1, 3, 1, 3, 4
MODEL_TYPE, UNIGRAM = 3, 1
CHARSMAP = 2


@register_bpe("s2s_ft_sentencepiece", dataclass=SplitterOptions)
class SentencePieceSplitter(Splitter):
    """Splits text as XLM-R's tokenizer does."""

    model_type = "Unigram"

    @classmethod
    def serves(cls, path: Path) -> bool:
        """Whether a SentencePiece model is there."""
        return model_type(path) == cls.model_type or locate(path, "*.model") is not None

    def build(self, path: Path) -> Tokenizer:
        """Makes XLM-R's tokenizer of a SentencePiece model."""
        file = locate(path, "sentencepiece.bpe.model") or locate(path, "*.model")
        if file is None:
            raise UserError(f"no SentencePiece model at {path}; expected sentencepiece.bpe.model or another *.model")
        model = vocabulary.load_sentencepiece(file)
        proto = model.serialized_model_proto()
        if get_int(get_bytes(proto, TRAINER_SPEC), MODEL_TYPE, UNIGRAM) != UNIGRAM:
            raise UserError(
                f"{file} is no unigram model; fairseq's --bpe sentencepiece --sentencepiece-model serves it"
            )
        tokens = vocabulary.read_sentencepiece(file)
        scores = [*[0.0] * 4, *(model.get_score(row) for row in range(3, len(model))), 0.0]
        unknown = tokens.index(ROBERTA_TOKENS.unk)
        tokenizer = Tokenizer(Unigram(list(zip(tokens, scores)), unknown, byte_fallback=False))
        configure_as_xlmr(tokenizer, get_bytes(get_bytes(proto, NORMALIZER_SPEC), CHARSMAP))
        tokenizer.add_tokens(whole_pieces(proto))
        return tokenizer

    def join(self, tokens: List[str]) -> str:
        """Joins the pieces and makes spaces of their marks."""
        return "".join(tokens).replace(SPACE, " ")

    def is_beginning_of_word(self, x: str) -> bool:
        """Whether a piece starts a word (fairseq's encoders tell this)."""
        return x.startswith(SPACE)


def configure_as_xlmr(tokenizer: Tokenizer, charsmap: bytes) -> None:
    """Normalizes by the model's own table, and marks the beginning of every word."""
    if charsmap:
        tokenizer.normalizer = normalizers.Precompiled(charsmap)
    mark = pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), mark])


def whole_pieces(proto: bytes) -> List[AddedToken]:
    """The pieces that a text keeps whole: control symbols and what the model's maker defined."""
    whole = []
    for number, message in fields(proto):
        if number == PIECES and isinstance(message, bytes):
            kind = get_int(message, PIECE_TYPE, NORMAL)
            if kind in (CONTROL, USER_DEFINED):
                piece = get_bytes(message, PIECE).decode("utf-8")
                whole.append(AddedToken(piece, normalized=False, special=kind == CONTROL))
    return whole
