"""Batches without padding: whatever a layer computes slot by slot, it computes for real slots only.

Only attention needs the padded batch. Padding and unpadding take one copy each, which also moves the heads into place,
so leaving padding out costs nothing.
"""

from functools import cached_property
from typing import Any, NamedTuple, Tuple

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


class Unpadded:
    """The real slots of a batch in one row, with those of the columns from ``start`` on at the end.

    Args:
        slots: [B, L].
        start: a column.

    Attributes:
        slots: the real ones, [N].
        before: how many of them are in columns before ``start``.
    """

    def __init__(self, slots: Slots, start: int) -> None:
        self.real, self.column = slots.group.ne(PADDING), start
        early, late = self.real[:, :start].nonzero(), self.real[:, start:].nonzero()
        self.sentence, self.place = torch.cat([early, late + late.new_tensor([0, start])]).unbind(1)  # each [N]
        self.slots = Slots(*(field[self.sentence, self.place] for field in slots))
        self.before = len(early)

    @cached_property
    def numbers(self) -> Tensor:
        """The index of each slot in the row, [B, L]; 0 for padding."""
        numbers = torch.zeros_like(self.real, dtype=torch.int64)
        numbers[self.sentence, self.place] = torch.arange(len(self.place), device=numbers.device)
        return numbers

    def places(self, heads: int, *, from_start: bool = False) -> Places:
        """The places of all slots, or only of those in the columns from ``start`` on."""
        column, before = (self.column, self.before) if from_start else (0, 0)
        head = torch.arange(heads, device=self.real.device)
        real = self.real[:, column:]
        number = (self.numbers[:, column:] - before).clamp(min=0)
        pad = number.unsqueeze(1) * heads + head.unsqueeze(1)  # [B, heads, l]
        absent = (~real).unsqueeze(1).expand_as(pad).flatten().nonzero().flatten()
        row = self.sentence[before:].unsqueeze(1) * heads + head  # [n, heads]
        unpad = row * real.size(1) + (self.place[before:] - column).unsqueeze(1)
        shape = len(real), heads, real.size(1)
        return Places(shape, GatherIndices(pad.flatten(), absent), GatherIndices(unpad.flatten(), absent[:0]))

    def padded(self, x: Tensor) -> Tensor:
        """Values of the slots in the columns from ``start`` on, [n, H] → [B, L − start, H], with 0 for padding."""
        return self.places(1, from_start=True).spread(x.unsqueeze(1)).squeeze(1)
