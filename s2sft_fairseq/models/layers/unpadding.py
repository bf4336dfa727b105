"""Batches without their padding: all that a layer does slot by slot is done to real slots alone.

Only attention needs sentences under one another. There and back is one copy each, which also brings the heads into
place, so that leaving padding out costs nothing.
"""

from functools import cached_property
from typing import Any, NamedTuple, Tuple

import torch
from torch import Tensor
from torch.autograd import Function

from ...objectives.slots import PADDING, Slots


class GatherIndices(NamedTuple):
    """Rows of one table, told by those of another.

    Attributes:
        origin: [m], for every row the number of that which it copies.
        absent: [k], the rows that copy nothing and are 0.
    """

    origin: Tensor
    absent: Tensor

    def take(self, table: Tensor) -> Tensor:
        """A table [n, D] → [m, D]."""
        taken = table.index_select(0, self.origin)
        return taken.index_fill_(0, self.absent, 0) if len(self.absent) else taken


class Move(Function):
    """Rows of a table to where they belong; their gradients the way back."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, there: GatherIndices, back: GatherIndices) -> Tensor:
        ctx.back = back
        return there.take(table)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Tensor, None, None]:
        return ctx.back.take(gradient), None, None


class Places(NamedTuple):
    """The way of n real slots to their places in padded columns, head by head, and back.

    Attributes:
        shape: of the padded side, (B, heads, l).
        there: from n · heads rows to B · heads · l.
        back: the other way.
    """

    shape: Tuple[int, int, int]
    there: GatherIndices
    back: GatherIndices

    def spread(self, x: Tensor) -> Tensor:
        """[n, heads, D] → [B, heads, l, D], padding 0."""
        return Move.apply(x.flatten(0, 1), self.there, self.back).view(*self.shape, x.size(-1))

    def collect(self, x: Tensor) -> Tensor:
        """[B, heads, l, D] → [n, heads, D], the inverse of :meth:`spread`."""
        rows = Move.apply(x.flatten(0, 2), self.back, self.there)
        return rows.view(len(rows) // self.shape[1], self.shape[1], x.size(-1))


class Unpadded:
    """The real slots of a batch in one row, those of the columns from ``start`` on last.

    Args:
        slots: [B, L].
        start: a column.

    Attributes:
        slots: the real ones, [N].
        before: how many of them lie before the column.
    """

    def __init__(self, slots: Slots, start: int) -> None:
        self.real, self.column = slots.group.ne(PADDING), start
        early, late = self.real[:, :start].nonzero(), self.real[:, start:].nonzero()
        self.sentence, self.place = torch.cat([early, late + late.new_tensor([0, start])]).unbind(1)  # each [N]
        self.slots = Slots(*(field[self.sentence, self.place] for field in slots))
        self.before = len(early)

    @cached_property
    def numbers(self) -> Tensor:
        """Where each slot [B, L] lies in the row."""
        numbers = torch.zeros_like(self.real, dtype=torch.int64)
        numbers[self.sentence, self.place] = torch.arange(len(self.place), device=numbers.device)
        return numbers

    def places(self, heads: int, *, late: bool = False) -> Places:
        """Those of all slots, or of the late ones only, which lie from the start column on."""
        column, before = (self.column, self.before) if late else (0, 0)
        head = torch.arange(heads, device=self.real.device)
        real = self.real[:, column:]
        number = (self.numbers[:, column:] - before).clamp(min=0)
        there = number.unsqueeze(1) * heads + head.unsqueeze(1)  # [B, heads, l]
        absent = (~real).unsqueeze(1).expand_as(there).flatten().nonzero().flatten()
        row = self.sentence[before:].unsqueeze(1) * heads + head  # [n, heads]
        back = row * real.size(1) + (self.place[before:] - column).unsqueeze(1)
        shape = len(real), heads, real.size(1)
        return Places(shape, GatherIndices(there.flatten(), absent), GatherIndices(back.flatten(), absent[:0]))

    def padded(self, x: Tensor) -> Tensor:
        """What was computed for the late slots [n, H] → [B, L − start, H], padding 0."""
        return self.places(1, late=True).spread(x.unsqueeze(1)).squeeze(1)
