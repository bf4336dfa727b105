"""Dropout, on a CPU with masks of one byte a number that take a quarter of the random bits.

torch draws 32 bits for every number there, which costs more than a layer's norm and activation together, and keeps the
mask in the numbers' own type until the backward pass.
"""

from typing import Any, Tuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

STEPS = 1 << 16
"""The probability is rounded to this many steps: 16 random bits decide over a number."""


def keep_mask(like: Tensor, probability: float) -> Tensor:
    """A bool mask of the tensor's shape that is False with the probability."""
    words = torch.empty(like.numel() // 4 + 1, dtype=torch.int64).random_(-(1 << 63), None)
    draws = words.view(torch.int16)[: like.numel()].view(like.shape)
    return draws >= round(probability * STEPS) - STEPS // 2


class MaskedDropout(Function):
    """Zeroes numbers and scales the others up."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float) -> Tensor:
        """A tensor of any shape → the same shape."""
        keep = keep_mask(x, probability)
        ctx.save_for_backward(keep)
        ctx.scale = 1 / (1 - probability)
        return torch.where(keep, x, 0.0).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Tensor, None]:
        """The gradient of what was kept."""
        (keep,) = ctx.saved_tensors
        return torch.where(keep, gradient, 0.0).mul_(ctx.scale), None


def dropout(x: Tensor, probability: float) -> Tensor:
    """Zeroes each number with the probability, and scales the others so that the expectation stays."""
    if not probability:
        return x
    if x.device.type != "cpu" or probability == 1:
        return functional.dropout(x, probability)
    return MaskedDropout.apply(x, probability)


class Dropout(nn.Dropout):
    """As its base class, with these masks."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x
