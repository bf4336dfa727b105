"""`--bpe s2s_ft`: the encoder that the files of a pretrained model ask for."""

from typing import Tuple, Type

from fairseq.data.encoders import register_bpe

from ...common.errors import UserError
from .byte_bpe import ByteBPESplitter
from .sentencepiece import SentencePieceSplitter
from .tokenizer import Splitter, SplitterOptions, vocabulary_path
from .wordpiece import WordPieceSplitter

KINDS: Tuple[Type[Splitter], ...] = (SentencePieceSplitter, ByteBPESplitter, WordPieceSplitter)


@register_bpe("s2s_ft", dataclass=SplitterOptions)
class AutomaticSplitter:
    """Stands for the first of :data:`KINDS` whose files are there."""

    @staticmethod
    def build_bpe(cfg: SplitterOptions) -> Splitter:
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
