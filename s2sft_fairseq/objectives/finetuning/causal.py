"""Causal fine-tuning (000, section 2.1): ``[CLS] s``, then ``[SEP] t_1 … t_{m-1}``, each of which predicts the next.

The [SEP] that would end the source opens the target instead, as in the published code.
"""

import numpy as np
from torch import Tensor

from ...text.dictionary import PretrainedDictionary
from ..slots import Blocks, PredictionLayout
from ..source_layouts import Segments
from .objective import FinetuningObjective, register_objective


@register_objective("causal")
class Causal(FinetuningObjective):
    """Every target slot predicts the next token; noise, if any, corrupts known tokens but not the start token."""

    @classmethod
    def prediction_layout(cls, dictionary: PretrainedDictionary, segments: Segments) -> PredictionLayout:
        layout = super().prediction_layout(dictionary, segments)
        return layout._replace(source_end=False, start=dictionary.eos(), query=None)

    def train_blocks(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        blocks = self.evaluate(source, target)
        token = blocks.target.token.clone()
        known = token[0, 1:]
        token[0, 1:] = self.corruption.target(known, self.corruption.mask_replacements(known, rng), rng)
        return blocks._replace(target=blocks.target._replace(token=token))
