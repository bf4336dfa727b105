"""Multi-granularity target fragments (003, section 3.1): fragments of a text become the target, the rest the source.

The pair is laid out by the fine-tuning method (in the paper, ``infilling``), with that method's noise and flows.
"""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from ...common.errors import UserError
from ...text.dictionary import PretrainedDictionary
from ..finetuning import FinetuningObjective, Flow
from ..slots import Slots
from ..text_spans import Spans
from .objective import Example, ExampleOptions, PretrainingObjective, TextPair, register_pretraining


@dataclass
class FragmentOptions(ExampleOptions):
    fragment_share: float = field(
        default=0.25, metadata={"help": "ernie_gen: share γ of a text that is cut out and becomes the target"}
    )
    fragment_lengths: str = field(
        default="1-4:0.4,4-32:0.6",
        metadata={
            "help": "ernie_gen: uniform distributions of fragment lengths, each with its probability; "
            "all fragments of a text follow the same one"
        },
    )


class Lengths(NamedTuple):
    """A uniform distribution of fragment lengths, both bounds included, and the probability that a text follows it."""

    shortest: int
    longest: int
    probability: float


LENGTHS = re.compile(r"(\d{1,9})-(\d{1,9}):(\d*\.?\d+)")


def parse_lengths(text: str) -> List[Lengths]:
    """Parses ``--fragment-lengths``, and divides the probabilities by their sum.

    Raises:
        UserError: another form, an empty distribution, or probabilities that do not add up to 1.

    >>> parse_lengths("1-4:0.5,4-32:0.5")
    [Lengths(shortest=1, longest=4, probability=0.5), Lengths(shortest=4, longest=32, probability=0.5)]
    """
    matches = [LENGTHS.fullmatch(part) for part in text.split(",")]
    parsed = [Lengths(int(match[1]), int(match[2]), float(match[3])) for match in matches if match]
    valid = len(parsed) == len(matches) and all(0 < shortest <= longest for shortest, longest, _ in parsed)
    total = sum(lengths.probability for lengths in parsed)
    if not valid or abs(total - 1) > 1e-3:
        raise UserError(
            f"--fragment-lengths {text}; expected SHORTEST-LONGEST:PROBABILITY, several separated by commas, with "
            "probabilities that add up to 1, such as 1-4:0.4,4-32:0.6"
        )
    return [lengths._replace(probability=lengths.probability / total) for lengths in parsed]


def draw_lengths(budget: int, lengths: Lengths, rng: np.random.Generator) -> np.ndarray:
    """Draws fragment lengths, int64 [k], that add up to the budget; the last one is cut to what is left of it.

    >>> draw_lengths(7, Lengths(3, 3, probability=1.0), np.random.default_rng(0))
    array([3, 3, 1])
    """
    drawn = rng.integers(lengths.shortest, lengths.longest + 1, size=budget // lengths.shortest + 1)
    ends = np.minimum(drawn.cumsum(), budget)
    return np.diff(ends[: int(np.searchsorted(ends, budget)) + 1], prepend=0)


def place(lengths: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Places fragments of these lengths among ``size`` tokens: which tokens belong to one, bool [size].

    Fragments do not overlap; all arrangements, in any order of the fragments, are equally likely.
    """
    lengths = rng.permutation(lengths)
    rest, count = size - int(lengths.sum()), len(lengths)
    before = np.sort(rng.choice(rest + count, size=count, replace=False)) - np.arange(count)  # of the rest
    starts = before + lengths.cumsum() - lengths
    chosen = np.zeros(size, dtype=bool)
    for start, length in zip(starts, lengths):
        chosen[start : start + length] = True
    return chosen


@register_pretraining("ernie_gen")
class ErnieGen(PretrainingObjective):
    """Fragments with a share γ of the tokens, rounded up, in the order of the text.

    Raises:
        UserError: a share that is not strictly between 0 and 1, or invalid ``--fragment-lengths``.
    """

    options_class = FragmentOptions
    model_options: ClassVar[Mapping[str, Any]] = {"finetune_method": "infilling"}

    def __init__(self, method: FinetuningObjective, dictionary: PretrainedDictionary, options: Any) -> None:
        super().__init__(method, dictionary, options)
        self.share, self.lengths = options.fragment_share, parse_lengths(options.fragment_lengths)
        if not 0 < self.share < 1:
            raise UserError(f"--fragment-share is {self.share}; expected a share between 0 and 1, such as 0.25")

    def budget(self, text: np.ndarray) -> np.ndarray:
        """Number of tokens cut out of texts of these lengths, int64 [n]."""
        return np.ceil(self.share * text - 1e-9).astype(np.int64)

    def pair(self, text: Tensor, rng: np.random.Generator) -> Tuple[Tensor, Tensor]:
        """Draws the source and the target of a text [T], each with its special tokens."""
        lengths = self.lengths[rng.choice(len(self.lengths), p=[each.probability for each in self.lengths])]
        fragments = draw_lengths(int(self.budget(np.array(len(text)))), lengths, rng)
        chosen = torch.from_numpy(place(fragments, len(text), rng))
        start, end = text.new_tensor([self.dictionary.bos()]), text.new_tensor([self.dictionary.eos()])
        source = torch.cat([start, text[~chosen], end[: int(self.layout.source_end)]])
        return source, torch.cat([text[chosen], end])

    @property
    def special_tokens(self) -> int:
        return 3 + self.method.extra_positions

    def train(self, text: TextPair, rng: np.random.Generator) -> Example:
        return Example(self.method.train(*self.pair(text.first, rng), rng))

    def evaluate(self, text: TextPair, rng: np.random.Generator) -> Example:
        return Example(self.method.evaluate(*self.pair(text.first, rng)))

    def flows(self, packed: Slots) -> Dict[str, Flow]:
        return self.method.flows(packed)

    def weights(self, packed: Slots) -> Optional[Tensor]:
        return self.method.weights(packed)

    def slot_counts(self, spans: Spans, *, training: bool) -> Tuple[np.ndarray, np.ndarray]:
        fragments = self.budget(spans.words)
        source, target = spans.words - fragments + 1 + int(self.layout.source_end), fragments + 1
        count = self.method.train_slots if training else self.method.evaluate_slots
        return source, count(source, target) - source
