"""What a fine-tuning method has to say, and the register of all methods."""

from abc import ABC, abstractmethod
from typing import ClassVar, Dict, Mapping, Optional, Tuple, Type

import numpy as np
from torch import Tensor

from ...common.registry import registrar
from ...text.dictionary import PretrainedDictionary
from ..corruption import Corruption, CorruptionOptions
from ..slots import Blocks, PredictionLayout, Slots, lay_out
from ..source_layouts import Segments


class FinetuningObjective(ABC):
    """One fine-tuning method: how it predicts (its convention) and how it lays out training examples.

    Args:
        dictionary: the special tokens.
        segments: token types and dialogue turns.
        options: noise, and what else the method declares.

    Attributes:
        target_mask_prob: what ``--target-mask-prob`` is by default.
        extra_positions: rows of the position table that a pair takes beyond its source and target.
        extra_tokens: tokens that the method needs; the vocabulary grows by those that it lacks.
        likened: of these, those that begin with the weights of a token with a role (a field of SpecialTokens); the
            others begin with the mean of all tokens.
        options_class: what the task can be told for this method.
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
        """How the method lays out a pair when it predicts: ``[CLS] s [SEP]``, then queries that are masks.

        (000, section 2.4: the mask gives way to its prediction in the next step.)
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
        """The slots of one training example: source [S], target [T] with its end, noise from ``rng``."""

    def train(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        """As :meth:`train_blocks`, over a source that carries the source noise: its layout is that of the text."""
        noised = self.corruption.source(source, rng)
        blocks = self.train_blocks(source, target, rng)
        return blocks._replace(source=blocks.source._replace(token=noised.unsqueeze(0)))

    def evaluate(self, source: Tensor, target: Tensor) -> Blocks:
        """The noise-free slots of one example: every target token is predicted, by every method."""
        return lay_out(source.unsqueeze(0), target.unsqueeze(0), self.layout)

    def prepare(self) -> None:  # noqa: B027  (most have nothing to read)
        """Reads the files that training takes; called before the first example is made."""

    def weights(self, packed: Slots) -> Optional[Tensor]:
        """What each labelled slot of a training batch [B, L] counts in the loss, [N]; None: all the same."""
        return None

    def train_slots(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How many slots training examples of these lengths take."""
        return source + target

    def evaluate_slots(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How many slots noise-free examples of these lengths take."""
        if self.layout.query is None:
            return source + target
        return source + 2 * target + int(self.layout.start is not None)


OBJECTIVES: Dict[str, Type[FinetuningObjective]] = {}
register_objective = registrar(OBJECTIVES, "objective")
"""Makes an objective a value of ``--finetune-method``."""
