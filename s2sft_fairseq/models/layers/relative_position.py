"""Relative positions (UniLMv2, 001; Raffel et al. 2020): an attention bias by head and by the bucket of a distance."""

import math
from typing import List

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding


def thresholds(side: int, distance: int) -> List[int]:
    """Distances at which one side's buckets end: half of them hold one distance each, the rest widen logarithmically.

    The ends are exclusive; the last bucket has none.

    >>> thresholds(16, 128)
    [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
    """
    near = side // 2
    wide = [math.ceil(near * (distance / near) ** (step / (side - near)) - 1e-6) for step in range(1, side - near)]
    return [*range(1, near + 1), *wide]


class RelativePosition(nn.Module):
    """A bias for each head and each bucket of relative positions, shared by all layers.

    Args:
        heads: number of attention heads.
        buckets: number of buckets: half for keys at or before the query, half for keys after it.
        distance: this distance and all beyond share the last bucket of their side.
    """

    def __init__(self, heads: int, buckets: int, *, distance: int) -> None:
        super().__init__()
        self.side = buckets // 2
        self.thresholds = thresholds(self.side, distance)
        self.weight = nn.Parameter(torch.empty(heads, buckets))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Positions [B, Lq] and [B, Lk] → biases [B, heads, Lq, Lk]."""
        return embedding(self.buckets(query, key), self.weight.t()).permute(0, 3, 1, 2)

    def buckets(self, query: Tensor, key: Tensor) -> Tensor:
        """Positions [B, Lq] and [B, Lk] → buckets [B, Lq, Lk]."""
        relative = key.unsqueeze(1) - query.unsqueeze(2)
        ends = torch.tensor(self.thresholds, device=relative.device)
        return torch.bucketize(relative.abs(), ends, right=True) + self.side * relative.gt(0)
