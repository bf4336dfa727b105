"""Dropout; on a CPU, with masks that take one byte and 16 random bits per number.

There, torch draws 32 bits per number, which costs more than a layer's norm and activation together, and keeps the mask
in the numbers' own type until the backward pass.
"""

from typing import Any, Tuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

STEPS = 1 << 16
"""The probability is rounded to a multiple of 1 / STEPS, the resolution of 16 random bits."""


def keep_mask(like: Tensor, probability: float) -> Tensor:
    """A bool mask of the tensor's shape, each entry False with the given probability."""
    words = torch.empty(like.numel() // 4 + 1, dtype=torch.int64).random_(-(1 << 63), None)
    draws = words.view(torch.int16)[: like.numel()].view(like.shape)
    return draws >= round(probability * STEPS) - STEPS // 2


class MaskedDropout(Function):
    """Zeroes random numbers and scales up the rest."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float) -> Tensor:
        """A tensor of any shape → the same shape."""
        keep = keep_mask(x, probability)
        ctx.save_for_backward(keep)
        ctx.scale = 1 / (1 - probability)
        return torch.where(keep, x, 0.0).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Tensor, None]:
        """The gradient of the kept numbers, scaled by the same factor; 0 for the others."""
        (keep,) = ctx.saved_tensors
        return torch.where(keep, gradient, 0.0).mul_(ctx.scale), None


def dropout(x: Tensor, probability: float) -> Tensor:
    """Zeroes each number with the given probability, and scales up the rest so that the expectation is unchanged."""
    if not probability:
        return x
    if x.device.type != "cpu" or probability == 1:
        return functional.dropout(x, probability)
    return MaskedDropout.apply(x, probability)


class Dropout(nn.Dropout):
    """``nn.Dropout`` with the masks of this module.

    Attributes:
        retained: whether it stays at work after training (``--retain-dropout``).
    """

    retained = False

    @property
    def rate(self) -> float:
        """The probability with which a number is zeroed at the moment."""
        return self.p if self.training or self.retained else 0.0

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.rate)
