"""Infilling generation (003): beside the target ``[CLS] t_1 … t_m``, an [ATTN] at each position predicts its token.

The word flow predicts every token from what stands before it, the span flow from what stands before its span. Both
share the target as context, which is noised: the model learns to write on after mistakes (section 3.2).
"""

import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, List, Mapping, Optional

import numpy as np
import torch
from torch import Tensor

from ...common.errors import UserError, check_probability
from ...text.dictionary import PretrainedDictionary
from ..corruption import CorruptionOptions
from ..slots import IGNORE, Blocks, PredictionLayout, Slots, concatenate
from ..source_layouts import Segments
from ..span_vocabulary import SpanVocabulary
from .objective import FinetuningObjective, register_objective

logger = logging.getLogger(__name__)

QUERY = "[ATTN]"


@dataclass
class InfillingOptions(CorruptionOptions):
    noise_prob: float = field(
        default=0.0,
        metadata={
            "help": "infilling: probability ρ that a known target token, its end included, becomes a random "
            "one (--random-tokens) while it is learnt (paper 003: 0.05 pre-training, up to 0.7 fine-tuning)"
        },
    )
    noise_token: Optional[str] = field(
        default=None, metadata={"help": "infilling: what --noise-prob puts instead of random tokens, such as [NOISE]"}
    )
    word_flow_weight: float = field(
        default=1.0,
        metadata={
            "help": "infilling: weight λ of the loss of predicting word by word; 1 − λ is that of span by span, "
            "which needs --span-vocab (paper 003: 0.5 pre-training, 1 fine-tuning)"
        },
    )
    span_vocab: Optional[str] = field(
        default=None,
        metadata={"help": "infilling: file of spans, as preprocess/span_vocabulary.py writes it"},
    )


@register_objective("infilling")
class Infilling(FinetuningObjective):
    """Every [ATTN] is labelled; a flow without weight is left out.

    A query of the word flow has the number of its step for a group, one of the span flow a higher number.

    Raises:
        UserError: what is no probability, a noise token that the vocabulary lacks, or a span flow without spans.
    """

    options_class = InfillingOptions
    extra_positions = 1  # the token that opens the target
    extra_tokens = (QUERY,)
    copied_from: ClassVar[Mapping[str, str]] = {QUERY: "mask"}

    def __init__(self, dictionary: PretrainedDictionary, segments: Segments, options: InfillingOptions) -> None:
        super().__init__(dictionary, segments, options)
        check_probability("--noise-prob", options.noise_prob)
        check_probability("--word-flow-weight", options.word_flow_weight)
        self.dictionary, self.options = dictionary, options
        token = options.noise_token
        self.noise = self.corruption.rows if token is None else np.array([row_of(token, dictionary)])
        if options.word_flow_weight < 1 and options.span_vocab is None:
            raise UserError(
                f"--word-flow-weight {options.word_flow_weight} asks for a flow by spans; add --span-vocab FILE, "
                "as preprocess/span_vocabulary.py writes it"
            )

    @classmethod
    def prediction_layout(cls, dictionary: PretrainedDictionary, segments: Segments) -> PredictionLayout:
        layout = super().prediction_layout(dictionary, segments)
        return layout._replace(start=dictionary.bos(), query=dictionary.index(QUERY))

    @cached_property
    def spans(self) -> SpanVocabulary:
        """What the span flow predicts at once."""
        return SpanVocabulary(Path(str(self.options.span_vocab)), self.dictionary)

    @property
    def flows(self) -> List[float]:
        """Weights of the word flow and the span flow."""
        return [self.options.word_flow_weight, 1 - self.options.word_flow_weight]

    def prepare(self) -> None:
        if self.flows[1]:
            _ = self.spans
        elif self.options.span_vocab is not None:
            logger.warning("--span-vocab is not read: the span flow is left out, for --word-flow-weight is 1")
        if self.options.noise_token is not None and not self.options.noise_prob:
            logger.warning(f"--noise-token {self.options.noise_token} is never put in, for --noise-prob is 0")

    def train_blocks(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        given, known, words = self.evaluate(source, target)
        token = known.token.clone()
        token[0, 1:] = self.noised(target, rng)
        of_words, of_spans = self.flows
        queries = ([words] if of_words else []) + ([self.by_spans(words)] if of_spans else [])
        return Blocks(given, known._replace(token=token), concatenate(queries))

    def noised(self, target: Tensor, rng: np.random.Generator) -> Tensor:
        """Known target tokens [T], with the noise of all methods and with that of this one."""
        target = self.corruption.target(target, self.corruption.mask_replacements(target, rng), rng)
        chosen = torch.from_numpy(rng.random(len(target)) < self.options.noise_prob)
        return torch.where(chosen, torch.from_numpy(rng.choice(self.noise, size=len(target))), target)

    def by_spans(self, words: Slots) -> Slots:
        """The queries of the span flow [1, T]: as those of the words, but each at the step of its span's first one.

        Spans are those of the true words; in the noised ones, where section 3.3 looks for them, noise would break them.
        """
        first = torch.from_numpy(self.spans.first_tokens(words.label[0].numpy()))
        return words._replace(step=words.step[:, first], group=words.group + words.group.size(1))

    def weights(self, packed: Slots) -> Optional[Tensor]:
        if not all(self.flows):
            return None
        labelled = packed.label.ne(IGNORE)
        by_words = packed.group[labelled] == packed.step[labelled]
        of_words, of_spans = map(torch.tensor, self.flows)
        return torch.where(by_words, of_words, of_spans)

    def train_slots(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return source + 1 + target * (1 + np.count_nonzero(self.flows))


def row_of(token: str, dictionary: PretrainedDictionary) -> int:
    """The row of the token that noise puts in; raises UserError if the vocabulary lacks it."""
    if token not in dictionary:
        raise UserError(
            f"--noise-token {token} is not in the vocabulary; expected one of its tokens, such as "
            f"{dictionary.mask_word}, or binarize with a vocabulary that has it (--vocab-add)"
        )
    return dictionary.index(token)
