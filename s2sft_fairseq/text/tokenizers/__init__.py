"""Tokenizers of pretrained vocabularies, and back to text: `--bpe s2s_ft` and the encoders that it chooses from."""

from . import auto as automatic
from . import byte_bpe, pieces, sentencepiece, wordpiece

__all__ = ["automatic", "byte_bpe", "pieces", "sentencepiece", "wordpiece"]
