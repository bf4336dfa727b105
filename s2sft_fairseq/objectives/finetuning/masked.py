"""Masked fine-tuning (000, section 2.2; 004, section 2.5): part of the target is masked in place and predicted."""

import numpy as np
import torch
from torch import Tensor

from ..slots import IGNORE, Blocks
from .objective import FinetuningObjective, register_objective


@register_objective("masked")
class Masked(FinetuningObjective):
    """Masks and predicts ``int(p · m)`` of m target tokens, at least one; the end token is a candidate, too."""

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
