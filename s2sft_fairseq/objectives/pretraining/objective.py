"""The interface of a pre-training objective (how a text becomes slots), and the register of all objectives."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Dict, Optional, Type

import numpy as np
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ...common.registry import registrar
from ...text.dictionary import PretrainedDictionary
from ..finetuning import FinetuningObjective
from ..slots import Blocks, PredictionLayout, Slots


class PretrainingObjective(ABC):
    """Lays out texts, which are tokens without special ones among them.

    Args:
        method: the fine-tuning method that the model is pre-trained for.
        dictionary: provides the special tokens.
        options: of the task.

    Attributes:
        options_class: the task's options for this objective.
    """

    options_class: ClassVar[Type[FairseqDataclass]] = FairseqDataclass

    def __init__(self, method: FinetuningObjective, dictionary: PretrainedDictionary, options: Any) -> None:
        self.method, self.dictionary = method, dictionary

    @property
    def layout(self) -> PredictionLayout:
        """How the pre-trained model lays out a pair for prediction."""
        return self.method.layout

    def prepare(self) -> None:
        """Reads the files that training needs; called before the first example is made."""
        self.method.prepare()

    @abstractmethod
    def train(self, text: Tensor, rng: np.random.Generator) -> Blocks:
        """The slots of one training example, made from a text [T]; all randomness comes from ``rng``."""

    @abstractmethod
    def evaluate(self, text: Tensor, rng: np.random.Generator) -> Blocks:
        """The slots of one noise-free example, made from a text [T]; ``rng`` is for other random choices."""

    def weights(self, packed: Slots) -> Optional[Tensor]:
        """The weight in the loss of each labelled slot of a training batch [B, L], [N]; None: equal weights."""
        return None

    @abstractmethod
    def train_slots(self, text: np.ndarray) -> np.ndarray:
        """Number of slots of training examples made from texts of these lengths, int64 [n]."""

    @abstractmethod
    def evaluate_slots(self, text: np.ndarray) -> np.ndarray:
        """Number of slots of noise-free examples made from texts of these lengths, int64 [n]."""


PRETRAINING: Dict[str, Type[PretrainingObjective]] = {}
register_pretraining = registrar(PRETRAINING, "pre-training objective")
"""Decorator that makes an objective a value of ``--objective``."""
