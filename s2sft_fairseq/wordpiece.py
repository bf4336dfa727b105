"""BERT's WordPiece as ``--bpe s2s_ft_wordpiece``: text to pieces of a pretrained vocabulary and back."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional, Sequence

from fairseq.data.encoders import register_bpe
from fairseq.dataclass import FairseqDataclass
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from .errors import UserError

CONTRACTION = re.compile(r"(\w) ' (s|t|re|ve|m|ll|d)\b", re.IGNORECASE)


@dataclass
class WordPieceOptions(FairseqDataclass):
    s2s_ft_vocab: str = field(
        default="???",
        metadata={"help": "directory of the pretrained model (with vocab.txt), or the vocab.txt itself"},
    )


@register_bpe("s2s_ft_wordpiece", dataclass=WordPieceOptions)
class WordPiece:
    """Splits text as BERT's tokenizer does, without adding [CLS] and [SEP].

    Raises:
        UserError: no vocabulary where ``--s2s-ft-vocab`` points.
    """

    def __init__(self, cfg: WordPieceOptions) -> None:
        path = Path(cfg.s2s_ft_vocab)
        vocabulary = path / "vocab.txt" if path.is_dir() else path
        if not vocabulary.is_file():
            raise UserError(f"--s2s-ft-vocab: no vocabulary at {vocabulary}; expected BERT's vocab.txt")
        self.tokenizer = BertWordPieceTokenizer(str(vocabulary), lowercase=lowercases(vocabulary.parent))
        self.decoder = WordPieceDecoder(cleanup=True)

    def encode(self, x: str) -> str:
        """Text to pieces, separated by spaces."""
        return self.encode_lines([x])[0]

    def encode_lines(self, lines: Sequence[str]) -> List[str]:
        """Many lines at once, which is much faster than one by one."""
        encodings = self.tokenizer.encode_batch(list(lines), add_special_tokens=False)
        return [" ".join(encoding.tokens) for encoding in encodings]

    def decode(self, x: str) -> str:
        """Pieces to text: joined words and contractions, no space before punctuation."""
        return CONTRACTION.sub(r"\1'\2", self.decoder.decode(x.split(" ")))

    def is_beginning_of_word(self, x: str) -> bool:
        """Whether a piece starts a word (fairseq's encoders tell this)."""
        return not x.startswith("##")


def lowercases(directory: Path) -> bool:
    """Whether the vocabulary is uncased: ``do_lower_case`` of tokenizer_config.json, else yes, as BERT's default."""
    config = directory / "tokenizer_config.json"
    declared: Optional[bool] = None
    if config.is_file():
        declared = json.loads(config.read_text(encoding="utf-8")).get("do_lower_case")
    return declared is not False
