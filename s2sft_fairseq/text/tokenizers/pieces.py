"""`--bpe s2s_ft_pieces`: text that is tokenized already, and outputs that stay in pieces."""

from dataclasses import dataclass

from fairseq.data.encoders import register_bpe
from fairseq.dataclass import FairseqDataclass


@dataclass
class NoOptions(FairseqDataclass):
    """It has none, but fairseq asks for them."""


@register_bpe("s2s_ft_pieces", dataclass=NoOptions)
class TokenizedText:
    """Pieces separated by spaces, before and after."""

    def __init__(self, cfg: NoOptions) -> None:
        pass

    def encode(self, x: str) -> str:
        """The pieces themselves."""
        return x

    def decode(self, x: str) -> str:
        """The pieces themselves."""
        return x
