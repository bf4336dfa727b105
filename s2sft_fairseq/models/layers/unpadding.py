"""Batches without padding: whatever a layer computes slot by slot, it computes for real slots only.

Only attention needs the padded batch. Padding and unpadding take one copy each, which also moves the heads into place,
so leaving padding out costs nothing.
"""

from typing import Any, NamedTuple, Optional, Tuple

import torch
from torch import Tensor
from torch.autograd import Function

from ...objectives.slots import PADDING, Slots


class GatherIndices(NamedTuple):
    """How to gather a table of m rows from one of n rows.

    Attributes:
        origin: [m], for each row, the index of the row that it copies.
        absent: [k], the rows that copy nothing and are 0.
    """

    origin: Tensor
    absent: Tensor

    def take(self, table: Tensor) -> Tensor:
        """Gathers the rows of a table: [n, D] → [m, D]."""
        taken = table.index_select(0, self.origin)
        return taken.index_fill_(0, self.absent, 0) if len(self.absent) else taken


class Move(Function):
    """Moves rows of a table to other places, and their gradients back."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, indices: GatherIndices, inverse: GatherIndices) -> Tensor:
        ctx.inverse = inverse
        return indices.take(table)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Tensor, None, None]:
        return ctx.inverse.take(gradient), None, None


class Places(NamedTuple):
    """Moves n real slots to their places in padded columns, head by head, and back.

    Attributes:
        shape: of the padded side, (B, heads, l).
        pad: from n · heads rows to B · heads · l rows.
        unpad: the inverse.
    """

    shape: Tuple[int, int, int]
    pad: GatherIndices
    unpad: GatherIndices

    def spread(self, x: Tensor) -> Tensor:
        """[n, heads, D] → [B, heads, l, D], with 0 for padding."""
        return Move.apply(x.flatten(0, 1), self.pad, self.unpad).view(*self.shape, x.size(-1))

    def collect(self, x: Tensor) -> Tensor:
        """[B, heads, l, D] → [n, heads, D], the inverse of :meth:`spread`."""
        rows = Move.apply(x.flatten(0, 2), self.unpad, self.pad)
        return rows.view(len(rows) // self.shape[1], self.shape[1], x.size(-1))


def places_of(sentence: Tensor, column: Tensor, *, size: Tuple[int, int], heads: int) -> Places:
    """The moves between slots in a row and a padded grid.

    Args:
        sentence, column: where in the grid each slot belongs, [n].
        size: of the grid, (B, l).
        heads: number of attention heads.
    """
    number = torch.full(size, -1, device=sentence.device)
    number[sentence, column] = torch.arange(len(sentence), device=sentence.device)
    head = torch.arange(heads, device=sentence.device)
    pad = number.clamp(min=0).unsqueeze(1) * heads + head.unsqueeze(1)  # [B, heads, l]
    absent = number.lt(0).unsqueeze(1).expand_as(pad).flatten().nonzero().flatten()
    row = sentence.unsqueeze(1) * heads + head  # [n, heads]
    unpad = row * size[1] + column.unsqueeze(1)
    shape = size[0], heads, size[1]
    return Places(shape, GatherIndices(pad.flatten(), absent), GatherIndices(unpad.flatten(), absent[:0]))


class Unpadded:
    """The real slots of a batch in one row, with those whose hidden states are needed at the end.

    Both parts go sentence by sentence, from left to right.

    Args:
        slots: [B, L].
        needed: which of them are needed, bool [B, L]; None: all.

    Attributes:
        slots: the real ones, [N].
        before: how many of them come before the first that is needed.
        sentence, column: where in the batch they are, [N].
        rank: of those that are needed, counted from 0 within each sentence, [N − before].
        size: of the batch, (B, L).
        width: the largest number of needed slots in a sentence, K.
    """

    def __init__(self, slots: Slots, needed: Optional[Tensor] = None) -> None:
        real = slots.group.ne(PADDING)
        needed = real if needed is None else needed & real
        early, late = (real & ~needed).nonzero(), needed.nonzero()
        self.sentence, self.column = torch.cat([early, late]).unbind(1)
        self.slots = Slots(*(field[self.sentence, self.column] for field in slots))
        self.before = len(early)
        rank = needed.cumsum(1) - 1
        self.rank = rank[self.sentence[self.before :], self.column[self.before :]]
        self.size, self.width = (real.size(0), real.size(1)), int(rank.max()) + 1

    def places(self, heads: int) -> Places:
        """The places of all slots in the batch."""
        return places_of(self.sentence, self.column, size=self.size, heads=heads)

    def needed_places(self, heads: int) -> Places:
        """The places of the needed slots in a batch of these alone, [B, heads, K]."""
        size = self.size[0], self.width
        return places_of(self.sentence[self.before :], self.rank, size=size, heads=heads)

    def needed_slots(self) -> Slots:
        """The needed slots as a batch of their own, [B, K], with 0 in all fields of padding."""

        def grid(field: Tensor) -> Tensor:
            padded = field.new_zeros(self.size[0], self.width)
            padded[self.sentence[self.before :], self.rank] = field[self.before :]
            return padded

        return Slots(*map(grid, self.slots))

    def padded(self, x: Tensor) -> Tensor:
        """Values of the needed slots, [n, H], in their places in the batch, [B, L, H], with 0 elsewhere."""
        where = self.sentence[self.before :], self.column[self.before :]
        return x.new_zeros(*self.size, x.size(1)).index_put(where, x)
