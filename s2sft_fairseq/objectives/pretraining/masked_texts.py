"""What the objectives that mask tokens in place share: the framed text, its masks, and what replaces them."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor

from ...common.errors import UserError
from ...text.dictionary import PretrainedDictionary
from ..finetuning import FinetuningObjective
from ..slots import IGNORE
from .objective import Example, ExampleOptions, PretrainingObjective, TextPair, refuse_noise


@dataclass
class MaskOptions(ExampleOptions):
    mask_share: float = field(
        default=0.15, metadata={"help": "unilm, pmlm: share of the tokens that are masked and predicted"}
    )


class FramedPair(NamedTuple):
    """A text or a pair with its special tokens.

    Attributes:
        token: [n].
        first_length: number of tokens up to the end token of the first text.
        ordinary: whether each token is a word, bool [n].
    """

    token: Tensor
    first_length: int
    ordinary: np.ndarray


class MaskingObjective(PretrainingObjective):
    """Masks words and predicts them: training replaces them as BERT does (80 / 10 / 10), evaluation by masks alone.

    Raises:
        UserError: a share that is not above 0 and at most 1, noise of fine-tuning, or a vocabulary without a mask.
    """

    options_class = MaskOptions
    short_texts = 0.1
    name = ""

    def __init__(self, method: FinetuningObjective, dictionary: PretrainedDictionary, options: Any) -> None:
        super().__init__(method, dictionary, options)
        refuse_noise(options, objective=self.name)
        self.share = options.mask_share
        if not 0 < self.share <= 1:
            raise UserError(f"--mask-share is {self.share}; expected a share above 0 and at most 1, such as 0.15")

    @abstractmethod
    def example(self, text: TextPair, rng: np.random.Generator, *, noise: Optional[np.random.Generator]) -> Example:
        """The slots of an example; ``rng`` draws what is masked, and ``noise`` what replaces it (None: the mask)."""

    def train(self, text: TextPair, rng: np.random.Generator) -> Example:
        return self.example(text, rng, noise=rng)

    def evaluate(self, text: TextPair, rng: np.random.Generator) -> Example:
        return self.example(text, rng, noise=None)

    def framed(self, first: Tensor, second: Optional[Tensor] = None) -> FramedPair:
        """``[CLS] first [SEP]``, and, of a pair, ``second [SEP]`` (004, section 2.1)."""
        start, end = first.new_tensor([self.dictionary.bos()]), first.new_tensor([self.dictionary.eos()])
        parts = [start, first, end] if second is None else [start, first, end, second, end]
        token = torch.cat(parts)
        ordinary = np.ones(len(token), dtype=bool)
        ordinary[[0, len(first) + 1, -1]] = False
        return FramedPair(token, len(first) + 2, ordinary)

    def replaced(self, token: Tensor, rng: Optional[np.random.Generator]) -> Tensor:
        """What stands in for tokens [n] where they are masked; without ``rng``, in an evaluation, the mask."""
        if rng is None:
            return torch.full_like(token, self.dictionary.mask())
        return self.method.corruption.mask_replacements(token, rng)


def labels(token: Tensor, masked: Tensor) -> Tensor:
    """The masked tokens [n], IGNORE elsewhere."""
    return token.masked_fill(~masked, IGNORE)


def whole(text: TextPair) -> Tensor:
    """Both texts of an example as one, [A + B]."""
    return torch.cat([text.first, text.second])
