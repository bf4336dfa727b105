"""`--bpe s2s_ft_pieces`: text that is tokenized already, and outputs that stay in pieces."""

from typing import Any

from fairseq.data.encoders import register_bpe


@register_bpe("s2s_ft_pieces")
class TokenizedText:
    """Pieces separated by spaces, before and after."""

    def __init__(self, cfg: Any) -> None:
        pass

    def encode(self, x: str) -> str:
        """The pieces themselves."""
        return x

    def decode(self, x: str) -> str:
        """The pieces themselves."""
        return x
