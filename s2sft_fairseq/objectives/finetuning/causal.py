"""Causal fine-tuning (000, section 2.1): ``[CLS] s``, then ``[SEP] t_1 … t_{m-1}``, each predicting the next.

The [SEP] that would end the source opens the target instead, as in the published code.
"""

import numpy as np
from torch import Tensor

from ...text.dictionary import PretrainedDictionary
from ..slots import Blocks, Convention
from ..source_layouts import Segments
from .objective import Objective, register_objective


@register_objective("causal")
class Causal(Objective):
    """Every target slot predicts its successor; noise, if asked for, corrupts known tokens but not the start."""

    @classmethod
    def convention_of(cls, dictionary: PretrainedDictionary, segments: Segments) -> Convention:
        convention = super().convention_of(dictionary, segments)
        return convention._replace(source_end=False, start=dictionary.eos(), query=None)

    def train_blocks(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        blocks = self.evaluate(source, target)
        token = blocks.target.token.clone()
        known = token[0, 1:]
        token[0, 1:] = self.corruption.target(known, self.corruption.stand_ins(known, rng), rng)
        return blocks._replace(target=blocks.target._replace(token=token))
