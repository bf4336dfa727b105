"""Attention and the keys that it covers: in a full pass over packed slots, or in one cached step of a beam search.

A pass holds its slots in one row [N], with those whose hidden states are needed at the end. It is called once per layer
with the keys and values of all slots [N, heads, D] and the queries of all or of the needed ones, so one Transformer
serves training, the source pass and decoding.
"""

from typing import Callable, NamedTuple, Protocol, Tuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ...objectives.slots import Slots
from .dropout import dropout
from .unpadding import Places, Unpadded

Bias = Callable[[Slots, Slots], Tensor]
"""What is added to the scores of query slots over key slots, masking included.

[B, Lq], [B, Lk] → [B, 1 or heads, Lq, Lk].
"""


class Pass(Protocol):
    """The slots that go through the layers together, and their attention.

    Attributes:
        slots: [N].
        start: number of slots before the first whose hidden state is needed.
    """

    slots: Slots
    start: int

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, *, dropout: float) -> Tensor:
        """Queries [n, heads, D] of the last slots, n ≤ N, keys and values [N, heads, D] → [n, heads, D]."""


class KeysValues(NamedTuple):
    """Keys and values of one layer, each [B, heads, L, D]."""

    key: Tensor
    value: Tensor

    def index_select(self, rows: Tensor) -> "KeysValues":
        """The given rows [b] of the batch: each [b, heads, L, D]."""
        return KeysValues(self.key.index_select(0, rows), self.value.index_select(0, rows))


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, drop: float) -> Tensor:
    """Queries [B, heads, Lq, D] over keys and values [B, heads, Lk, D], with dropout of the attention weights.

    The fused CPU kernel does not support dropout.
    """
    if not drop or query.device.type != "cpu":
        return scaled_dot_product_attention(query, key, value, bias, drop)
    scores = (query * query.size(-1) ** -0.5) @ key.transpose(2, 3) + bias
    return dropout(scores.softmax(-1), drop) @ value


def last(bias: Tensor, rows: int) -> Tensor:
    """The last rows of a bias: [..., Lq, Lk] → [..., rows, Lk]."""
    return bias.narrow(-2, bias.size(-2) - rows, rows)


class FullPass:
    """Attention over packed slots in two calls: source over source, and the rest over everything.

    The visibility rule never lets a source slot (step 0) see a slot of a later step, so those scores are not computed.

    Args:
        slots: [B, L], the source block first.
        source_length: slots of the source block, S.
        bias: computes the bias of the scores.
        start: the first column whose hidden states are needed.
    """

    def __init__(self, slots: Slots, source_length: int, bias: Bias, start: int = 0) -> None:
        source, rest = slots.columns(0, source_length), slots.columns(source_length, None)
        self.source_length = source_length
        self.source_bias = bias(source, source)
        self.rest_bias = bias(rest, slots)
        self.batch = Unpadded(slots, start)
        self.slots, self.start = self.batch.slots, self.batch.before
        self.places: Tuple[Places, ...] = ()

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, *, dropout: float) -> Tensor:
        if not self.places:
            self.places = tuple(self.batch.places(query.size(1), from_start=flag) for flag in (False, True))
        all_slots, needed = self.places
        queries = all_slots if len(query) == len(key) else needed
        context = self.attend(queries.spread(query), all_slots.spread(key), all_slots.spread(value), dropout)
        return queries.collect(context)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, dropout: float) -> Tensor:
        """Queries [B, heads, l, D] of the last columns, keys and values [B, heads, L, D] → [B, heads, l, D]."""
        s = self.source_length
        of_source = max(0, query.size(2) - (key.size(2) - s))  # queries of source slots, which come first
        parts = [
            attention(part, key[:, :, :seen], value[:, :, :seen], bias, dropout)
            for part, seen, bias in (
                (query[:, :, :of_source], s, last(self.source_bias, of_source)),
                (query[:, :, of_source:], key.size(2), last(self.rest_bias, query.size(2) - of_source)),
            )
            if part.size(2)
        ]
        return torch.cat(parts, dim=2) if parts else query
