"""The interface of a fine-tuning method, and the register of all methods."""

from abc import ABC, abstractmethod
from typing import ClassVar, Dict, Mapping, NamedTuple, Optional, Tuple, Type

import numpy as np
from torch import Tensor

from ...common.registry import registrar
from ...text.dictionary import PretrainedDictionary
from ..corruption import Corruption, CorruptionOptions
from ..slots import Blocks, PredictionLayout, Slots, lay_out
from ..source_layouts import Segments


class Flow(NamedTuple):
    """Slots that a picture shows as a matrix of its own, bool [L] each: those that look, and those looked at."""

    looking: Tensor
    seen: Tensor


class FinetuningObjective(ABC):
    """One fine-tuning method: how it predicts (its layout) and how it lays out training examples.

    Args:
        dictionary: provides the special tokens.
        segments: token types and dialogue turns.
        options: noise, and whatever else the method declares.

    Attributes:
        target_mask_prob: the default of ``--target-mask-prob``.
        extra_positions: rows of the position table that a pair needs beyond its source and target.
        extra_tokens: tokens that the method needs; those missing from the vocabulary are added to it.
        copied_from: those initialized as a copy, and the role (a field of SpecialTokens) of the token they copy; the
            others start as the mean of all tokens.
        options_class: the task's options for this method.
    """

    target_mask_prob: ClassVar[float] = 0.0
    extra_positions: ClassVar[int] = 0
    extra_tokens: ClassVar[Tuple[str, ...]] = ()
    copied_from: ClassVar[Mapping[str, str]] = {}
    options_class: ClassVar[Type[CorruptionOptions]] = CorruptionOptions

    def __init__(self, dictionary: PretrainedDictionary, segments: Segments, options: CorruptionOptions) -> None:
        self.layout = self.prediction_layout(dictionary, segments)
        self.corruption = Corruption(dictionary, options, target_mask_prob=self.target_mask_prob)

    @classmethod
    def prediction_layout(cls, dictionary: PretrainedDictionary, segments: Segments) -> PredictionLayout:
        """How the method lays out a pair for prediction; here ``[CLS] s [SEP]``, then masks as queries.

        (000, section 2.4: in the next step, the mask is replaced by its prediction.)
        """
        return PredictionLayout(
            pad=dictionary.pad(),
            end=dictionary.eos(),
            segments=segments,
            source_end=True,
            start=None,
            query=dictionary.mask(),
        )

    @abstractmethod
    def train_blocks(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        """The slots of one training example: source [S], target [T] with its end token, noise from ``rng``."""

    def train(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        """As :meth:`train_blocks`, with noise on the source's tokens, which does not affect segments and turns."""
        noised = self.corruption.source(source, rng)
        blocks = self.train_blocks(source, target, rng)
        return blocks._replace(source=blocks.source._replace(token=noised.unsqueeze(0)))

    def evaluate(self, source: Tensor, target: Tensor) -> Blocks:
        """The noise-free slots of one example; whatever the method, every target token is predicted."""
        return lay_out(source.unsqueeze(0), target.unsqueeze(0), self.layout)

    def prepare(self) -> None:  # noqa: B027  (most have nothing to read)
        """Reads the files that training needs; called before the first example is made."""

    def flows(self, packed: Slots) -> Dict[str, Flow]:
        """The flows of attention of a training example [1, L], by name, if the paper tells several apart."""
        return {}

    def weights(self, packed: Slots) -> Optional[Tensor]:
        """The weight in the loss of each labelled slot of a training batch [B, L], [N]; None: equal weights."""
        return None

    def train_slots(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Number of slots of training examples with these source and target lengths, int64 [n]."""
        return source + target

    def evaluate_slots(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Number of slots of noise-free examples with these source and target lengths, int64 [n]."""
        if self.layout.query is None:
            return source + target
        return source + 2 * target + int(self.layout.start is not None)


OBJECTIVES: Dict[str, Type[FinetuningObjective]] = {}
register_objective = registrar(OBJECTIVES, "objective")
"""Decorator that makes an objective a value of ``--finetune-method``."""
