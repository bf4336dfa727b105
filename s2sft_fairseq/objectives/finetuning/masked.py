"""Masked fine-tuning (000, section 2.2; 004, section 2.5): predict a share of the target that is masked in place."""

import numpy as np
import torch
from torch import Tensor

from ..slots import IGNORE, Blocks
from .objective import FinetuningObjective, register_objective


@register_objective("masked")
class Masked(FinetuningObjective):
    """``int(p · m)`` target tokens, at least one, the end token among the candidates, give way to stand-ins."""

    target_mask_prob = 0.5

    def train_blocks(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        count = max(1, int(self.corruption.target_mask_prob * len(target)))
        chosen = torch.zeros(len(target), dtype=torch.bool)
        chosen[torch.from_numpy(rng.permutation(len(target))[:count])] = True
        token = torch.where(chosen, self.corruption.mask_replacements(target, rng), target)
        label = target.masked_fill(~chosen, IGNORE)
        given, known, query = self.evaluate(source, target)
        known = known._replace(token=token.unsqueeze(0), label=label.unsqueeze(0))
        return Blocks(given, known, query.columns(0, 0))
