"""What a pre-training objective has to say: how a text becomes slots; and the register of all objectives."""

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
    """Lays out texts, which are words without special tokens.

    Args:
        method: the fine-tuning method that the model is pre-trained for.
        dictionary: the special tokens.
        options: those of the task.

    Attributes:
        options_class: what the task can be told for this objective.
    """

    options_class: ClassVar[Type[FairseqDataclass]] = FairseqDataclass

    def __init__(self, method: FinetuningObjective, dictionary: PretrainedDictionary, options: Any) -> None:
        self.method, self.dictionary = method, dictionary

    @property
    def layout(self) -> PredictionLayout:
        """How the model predicts after pre-training."""
        return self.method.layout

    def prepare(self) -> None:
        """Reads the files that training takes; called before the first example is made."""
        self.method.prepare()

    @abstractmethod
    def train(self, text: Tensor, rng: np.random.Generator) -> Blocks:
        """The slots of one training example, a text [T]; all that is random comes from ``rng``."""

    @abstractmethod
    def evaluate(self, text: Tensor, rng: np.random.Generator) -> Blocks:
        """The slots of one example without noise."""

    def weights(self, packed: Slots) -> Optional[Tensor]:
        """What each labelled slot of a training batch [B, L] counts in the loss, [N]; None: all the same."""
        return None

    @abstractmethod
    def train_slots(self, text: np.ndarray) -> np.ndarray:
        """How many slots training examples of texts of these lengths take."""

    @abstractmethod
    def evaluate_slots(self, text: np.ndarray) -> np.ndarray:
        """How many slots noise-free examples of texts of these lengths take."""


PRETRAINING: Dict[str, Type[PretrainingObjective]] = {}
register_pretraining = registrar(PRETRAINING, "pre-training objective")
"""Makes an objective a value of ``--objective``."""
