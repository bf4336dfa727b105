"""`--bpe s2s_ft`: chooses the tokenizer by the files of the pretrained model."""

from typing import Tuple, Type

from fairseq.data.encoders import register_bpe

from ...common.errors import UserError
from .byte_bpe import ByteBPETokenizer
from .sentencepiece import SentencePieceTokenizer
from .tokenizer import Tokenizer, TokenizerOptions, vocabulary_path
from .wordpiece import WordPieceTokenizer

KINDS: Tuple[Type[Tokenizer], ...] = (SentencePieceTokenizer, ByteBPETokenizer, WordPieceTokenizer)


@register_bpe("s2s_ft", dataclass=TokenizerOptions)
class AutoTokenizer:
    """Builds the first of :data:`KINDS` whose files exist."""

    @staticmethod
    def build_bpe(cfg: TokenizerOptions) -> Tokenizer:
        """Builds the tokenizer.

        Raises:
            UserError: there is no vocabulary at `--s2s-ft-vocab`, or its files do not define a tokenization.
        """
        path = vocabulary_path(cfg)
        for kind in KINDS:
            if kind.serves(path):
                return kind(cfg)
        raise UserError(
            f"--s2s-ft-vocab {path} has no tokenizer files; expected BERT's vocab.txt, vocab.json + "
            "merges.txt, encoder.json + vocab.bpe, a SentencePiece *.model, or tokenizer.json"
        )
