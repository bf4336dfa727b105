"""XLM-R's SentencePiece as `--bpe s2s_ft_sentencepiece`.

The model is read with the package `sentencepiece` and applied as in `transformers`. The C++ library occasionally
differs: where two tokenizations are equally likely, and where its normalization takes several characters at once.
fairseq's own `--bpe sentencepiece --sentencepiece-model FILE` uses that library, with the same dictionary.
"""

from pathlib import Path
from typing import Any, List

from fairseq.data.encoders import register_bpe
from tokenizers import AddedToken, normalizers, pre_tokenizers
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import Unigram

from ...common.errors import UserError
from .. import vocabulary
from ..special_tokens import ROBERTA_TOKENS
from .tokenizer import Tokenizer, TokenizerOptions, locate, model_type

SPACE = "▁"


@register_bpe("s2s_ft_sentencepiece", dataclass=TokenizerOptions)
class SentencePieceTokenizer(Tokenizer):
    """Tokenizes text like XLM-R's tokenizer."""

    model_type = "Unigram"
    space_mark = SPACE

    @classmethod
    def serves(cls, path: Path) -> bool:
        """Whether there is a SentencePiece model."""
        return model_type(path) == cls.model_type or locate(path, "*.model") is not None

    def build(self, path: Path) -> FastTokenizer:
        """Builds XLM-R's tokenizer from a SentencePiece model."""
        file = locate(path, "sentencepiece.bpe.model") or locate(path, "*.model")
        if file is None:
            raise UserError(f"no SentencePiece model at {path}; expected sentencepiece.bpe.model or another *.model")
        model = parse(file)
        if model.trainer_spec.model_type != model.trainer_spec.UNIGRAM:
            raise UserError(
                f"{file} is not a unigram model; use fairseq's --bpe sentencepiece --sentencepiece-model for it"
            )
        tokens = vocabulary.read_sentencepiece(file)
        scores = [*[0.0] * 4, *(piece.score for piece in model.pieces[3:]), 0.0]
        unknown = tokens.index(ROBERTA_TOKENS.unk)
        tokenizer = FastTokenizer(Unigram(list(zip(tokens, scores)), unknown, byte_fallback=False))
        configure_as_xlmr(tokenizer, model.normalizer_spec.precompiled_charsmap)
        tokenizer.add_tokens(whole_pieces(model))
        return tokenizer

    def join(self, tokens: List[str]) -> str:
        """Joins the pieces, with spaces for their word marks."""
        return "".join(tokens).replace(SPACE, " ")

    def is_beginning_of_word(self, x: str) -> bool:
        """Whether a piece starts a word (part of the interface of fairseq's encoders)."""
        return x.startswith(SPACE)


def configure_as_xlmr(tokenizer: FastTokenizer, charsmap: bytes) -> None:
    """Sets normalization by the model's own table, and marks the beginning of every word."""
    if charsmap:
        tokenizer.normalizer = normalizers.Precompiled(charsmap)
    mark = pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), mark])


def parse(file: Path) -> Any:
    """The content of a SentencePiece model: its pieces, and its training and normalization settings.

    Raises:
        UserError: a package is missing, or the file is not a SentencePiece model.
    """
    content = vocabulary.load_sentencepiece(file).serialized_model_proto()
    try:
        from sentencepiece import sentencepiece_model_pb2 as messages
    except ImportError:
        raise UserError(f"{file} needs the package protobuf: pip install protobuf") from None
    return messages.ModelProto.FromString(content)  # type: ignore[attr-defined]


def whole_pieces(model: Any) -> List[AddedToken]:
    """The pieces that are kept whole in a text: control symbols, and those that the model's maker defined."""
    return [
        AddedToken(piece.piece, normalized=False, special=piece.type == piece.CONTROL)
        for piece in model.pieces
        if piece.type in (piece.CONTROL, piece.USER_DEFINED)
    ]
