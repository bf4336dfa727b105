"""Who computes attention, and over which keys: a full pass over packed slots, or one cached step of a beam search.

A pass brings its slots in one row [N], those whose hidden states are wanted last. It is called once a layer with their
keys and values [N, heads, D] and the queries of all or of the wanted ones, so one Transformer serves training, the
source pass and decoding.
"""

from typing import Callable, NamedTuple, Protocol, Tuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ...objectives.slots import Slots
from .dropout import dropout
from .unpadding import Places, Unpadded

Bias = Callable[[Slots, Slots], Tensor]
"""What the scores of query slots over key slots get, the mask included: [B, Lq], [B, Lk] → [B, 1 or heads, Lq, Lk]."""


class Pass(Protocol):
    """The slots that go through the layers together, and their attention.

    Attributes:
        slots: [N].
        start: how many of them come before the first whose hidden state is wanted.
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
        """The given rows of the batch."""
        return KeysValues(self.key.index_select(0, rows), self.value.index_select(0, rows))


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, share: float) -> Tensor:
    """Queries [B, heads, Lq, D] over keys and values [B, heads, Lk, D], ``share`` of the weights dropped.

    The fused kernel on a CPU cannot drop.
    """
    if not share or query.device.type != "cpu":
        return scaled_dot_product_attention(query, key, value, bias, share)
    scores = (query * query.size(-1) ** -0.5) @ key.transpose(2, 3) + bias
    return dropout(scores.softmax(-1), share) @ value


def last(bias: Tensor, rows: int) -> Tensor:
    """The last rows of a bias [..., Lq, Lk]."""
    return bias.narrow(-2, bias.size(-2) - rows, rows)


class FullPass:
    """Attention over packed slots in two calls: source to source, and the rest to everything.

    The visibility rule never lets a source slot (step 0) see a later one, so those columns are not computed.

    Args:
        slots: [B, L], the source block first.
        source_length: slots of the source block, S.
        bias: of the scores.
        start: the first column whose hidden states are wanted.
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
            self.places = tuple(self.batch.places(query.size(1), late=late) for late in (False, True))
        every, late = self.places
        places = every if len(query) == len(key) else late
        return places.collect(self.attend(places.spread(query), every.spread(key), every.spread(value), dropout))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, dropout: float) -> Tensor:
        """Queries [B, heads, l, D] of the last columns, keys and values [B, heads, L, D] → [B, heads, l, D]."""
        s = self.source_length
        asking = max(0, query.size(2) - (key.size(2) - s))  # source slots among the queries, the last ones
        parts = [
            attention(part, key[:, :, :seen], value[:, :, :seen], bias, dropout)
            for part, seen, bias in (
                (query[:, :, :asking], s, last(self.source_bias, asking)),
                (query[:, :, asking:], key.size(2), last(self.rest_bias, query.size(2) - asking)),
            )
            if part.size(2)
        ]
        return torch.cat(parts, dim=2) if parts else query
