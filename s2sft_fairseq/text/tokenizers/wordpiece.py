"""BERT's WordPiece as `--bpe s2s_ft_wordpiece`: cased, uncased and Chinese."""

import re
from pathlib import Path
from typing import List

from fairseq.data.encoders import register_bpe
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from ...common.characters import IDEOGRAPHS, WIDE_SIGNS
from .. import spacing, vocabulary
from ..special_tokens import BERT_TOKENS
from .tokenizer import Tokenizer, TokenizerOptions, model_type, read_config

PREFIX = "##"
CONTRACTION = re.compile(r"(\w) ' (s|t|re|ve|m|ll|d)\b", re.IGNORECASE)
CHINESE = f"[{IDEOGRAPHS}{WIDE_SIGNS}]"
CHINESE_GAP = re.compile(f"(?<={CHINESE}) (?={CHINESE})")
NORMALIZER_OPTIONS = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
"""Names in tokenizer_config.json → names in `tokenizers`."""


@register_bpe("s2s_ft_wordpiece", dataclass=TokenizerOptions)
class WordPieceTokenizer(Tokenizer):
    """Tokenizes text like BERT's tokenizer; lower-cased, without accents, unless tokenizer_config.json differs."""

    model_type = "WordPiece"
    loses_spaces = True

    @classmethod
    def serves(cls, path: Path) -> bool:
        """Whether BERT's special tokens are in the vocabulary."""
        return model_type(path) == cls.model_type or BERT_TOKENS.unk in vocabulary.read(path)

    def build(self, path: Path) -> FastTokenizer:
        """Builds BERT's tokenizer from a vocabulary in any format."""
        rows = {token: row for row, token in enumerate(vocabulary.read(path))}
        tokenizer = FastTokenizer(WordPiece(rows, unk_token=BERT_TOKENS.unk))
        tokenizer.normalizer = BertNormalizer()
        tokenizer.pre_tokenizer = BertPreTokenizer()
        return tokenizer

    def load(self, path: Path) -> FastTokenizer:
        """Follows tokenizer_config.json on case, accents and Chinese characters."""
        tokenizer, config = super().load(path), read_config(path, "tokenizer_config.json")
        if isinstance(tokenizer.normalizer, BertNormalizer):
            for name, option in NORMALIZER_OPTIONS.items():
                if name in config:
                    setattr(tokenizer.normalizer, option, config[name])
        return tokenizer

    def join(self, tokens: List[str]) -> str:
        """Joins pieces to words, and these to text with the spaces of written text; never leaves a `##`.

        On 6,000 sentences of docstrings, ``decode(encode(x))`` equals x in 72.6 % (69.2 % without case);
        with ``published`` spacing, and with sacremoses' detokenizer, in 42 % and 47 %.
        """
        tokens[:1] = [token[len(PREFIX) :] if token.startswith(PREFIX) else token for token in tokens[:1]]
        words = WordPieceDecoder(PREFIX, cleanup=not self.restores_spacing).decode(tokens)
        text = spacing.joined(words.split()) if self.restores_spacing else published_spacing(words)
        return re.sub("#(?=#)", "# ", text)

    def is_beginning_of_word(self, x: str) -> bool:
        """Whether a piece starts a word (part of the interface of fairseq's encoders)."""
        return not x.startswith(PREFIX)


def published_spacing(text: str) -> str:
    """What BERT's decoder makes of words, whose punctuation it has joined, with contractions and Chinese joined too."""
    return CHINESE_GAP.sub("", CONTRACTION.sub(r"\1'\2", text))
