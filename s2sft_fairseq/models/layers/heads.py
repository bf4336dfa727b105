"""Heads beside that of the language model, which only some models have: they classify a whole text, or its tokens.

A head is a row of :data:`HEADS`; its tensors are ``heads.NAME.*``, and the families of checkpoints that publish one
name it in their tables.
"""

from typing import Callable, Dict, NamedTuple

import torch
from torch import Tensor, nn


class Pooler(nn.Module):
    """What BERT makes of the first token's hidden state: tanh of a linear layer, [B, H] → [B, H]."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)

    def forward(self, first: Tensor) -> Tensor:
        return torch.tanh(self.dense(first))


class Head(NamedTuple):
    """A kind of head.

    Attributes:
        make: builds its own layers for a hidden size.
        pooled: whether it reads the pooler's output, [B, H], or hidden states, [..., H].
    """

    make: Callable[[int], nn.Module]
    pooled: bool


HEADS: Dict[str, Head] = {
    "next_sentence": Head(lambda hidden_size: nn.Linear(hidden_size, 2), pooled=True),
}
"""All heads by name. ``next_sentence``: two logits, 0: the second text follows the first, 1: it does not (BERT)."""

PREFIXES = ("pooler.", "heads.")
"""Prefixes of the names of these heads' tensors."""
