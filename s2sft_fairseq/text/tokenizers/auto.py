"""`--bpe s2s_ft`: the encoder that the files of a pretrained model ask for."""

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
    """Stands for the first of :data:`KINDS` whose files are there."""

    @staticmethod
    def build_bpe(cfg: TokenizerOptions) -> Tokenizer:
        """Makes the encoder.

        Raises:
            UserError: no vocabulary at `--s2s-ft-vocab`, or files that do not tell how text is split.
        """
        path = vocabulary_path(cfg)
        for kind in KINDS:
            if kind.serves(path):
                return kind(cfg)
        raise UserError(
            f"--s2s-ft-vocab {path} does not tell how its text is split; expected BERT's vocab.txt, vocab.json + "
            "merges.txt, encoder.json + vocab.bpe, a SentencePiece *.model, or tokenizer.json"
        )
