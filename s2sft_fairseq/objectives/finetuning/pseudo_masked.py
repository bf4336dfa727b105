"""Pseudo-masked fine-tuning (000, section 2.3; 001, section 3.4): a pseudo mask for each target token, at its position.

The whole target is kept as context, and every token of it is predicted, at its pseudo mask.
"""

import numpy as np
from torch import Tensor

from ..slots import Blocks
from .objective import FinetuningObjective, register_objective


@register_objective("pseudo_masked")
class PseudoMasked(FinetuningObjective):
    """Each token's replacement is its pseudo mask; with ``target_mask_prob`` it also replaces the known token."""

    target_mask_prob = 0.5

    def train_blocks(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        given, known, query = self.evaluate(source, target)
        mask_replacements = self.corruption.mask_replacements(target, rng)
        noised = self.corruption.target(target, mask_replacements, rng)
        return Blocks(
            given,
            known._replace(token=noised.unsqueeze(0)),
            query._replace(token=mask_replacements.unsqueeze(0)),
        )

    def train_slots(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return self.evaluate_slots(source, target)
