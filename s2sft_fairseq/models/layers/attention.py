"""Attention and the keys that it covers: in a full pass over packed slots, or in one cached step of a beam search.

A pass holds its slots in one row [N], with those whose hidden states are needed at the end. It is called once per layer
with the keys and values of all slots [N, heads, D] and the queries of all or of the needed ones, so one Transformer
serves training, the source pass and decoding.
"""

from typing import Callable, NamedTuple, Optional, Protocol, Tuple

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
    The last layer computes only the slots whose hidden states are needed, in one call.

    Args:
        slots: [B, L], the source block first.
        source_length: slots of the source block, S.
        bias: computes the bias of the scores.
        needed: which hidden states are needed, bool [B, L]; None: all.
    """

    def __init__(self, slots: Slots, source_length: int, bias: Bias, needed: Optional[Tensor] = None) -> None:
        source, rest = slots.columns(0, source_length), slots.columns(source_length, None)
        self.source_length = source_length
        self.source_bias = bias(source, source)
        self.rest_bias = bias(rest, slots)
        self.batch = Unpadded(slots, needed)
        self.slots, self.start = self.batch.slots, self.batch.before
        self.needed_bias = bias(self.batch.needed_slots(), slots) if self.start else None
        self.places: Tuple[Places, ...] = ()

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, *, dropout: float) -> Tensor:
        if not self.places:
            self.places = self.batch.places(query.size(1)), self.batch.needed_places(query.size(1))
        all_slots, needed = self.places
        seen = KeysValues(all_slots.spread(key), all_slots.spread(value))
        self.keep(seen)
        if len(query) == len(key):
            return all_slots.collect(self.attend_all(all_slots.spread(query), seen, dropout))
        return needed.collect(self.attend_needed(needed.spread(query), seen, dropout))

    def keep(self, seen: KeysValues) -> None:
        """Called with the keys and values of every layer."""

    def attend_all(self, query: Tensor, seen: KeysValues, dropout: float) -> Tensor:
        """Queries of all columns [B, heads, L, D] → [B, heads, L, D]."""
        s = self.source_length
        of_source = attention(query[:, :, :s], seen.key[:, :, :s], seen.value[:, :, :s], self.source_bias, dropout)
        if query.size(2) == s:
            return of_source
        of_rest = attention(query[:, :, s:], seen.key, seen.value, self.rest_bias, dropout)
        return torch.cat([of_source, of_rest], dim=2)

    def attend_needed(self, query: Tensor, seen: KeysValues, dropout: float) -> Tensor:
        """Queries of the needed slots [B, heads, K, D] → [B, heads, K, D]."""
        if not query.size(2):
            return query
        assert self.needed_bias is not None
        return attention(query, seen.key, seen.value, self.needed_bias, dropout)
