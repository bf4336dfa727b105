"""Text to the pieces of a pretrained vocabulary and back: the encoders `--bpe s2s_ft` and those it chooses from."""

from . import auto as automatic
from . import byte_bpe, sentencepiece, wordpiece

__all__ = ["automatic", "byte_bpe", "sentencepiece", "wordpiece"]
