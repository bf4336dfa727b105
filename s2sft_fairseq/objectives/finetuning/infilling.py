"""Infilling generation (003): beside the target ``[CLS] t_1 … t_m``, an [ATTN] at each position predicts the token.

The word flow predicts every token from all that precedes it, the span flow from all that precedes its span. Both share
the target as context, to which noise is added, so that the model learns to continue after mistakes (section 3.2).
"""

import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Dict, List, Mapping, Optional

import numpy as np
import torch
from torch import Tensor

from ...common.errors import UserError, check_probability
from ...text.dictionary import PretrainedDictionary
from ..corruption import CorruptionOptions
from ..slots import IGNORE, Blocks, PredictionLayout, Slots, concatenate
from ..source_layouts import Segments
from ..span_vocabulary import SpanVocabulary
from .objective import FinetuningObjective, Flow, register_objective

logger = logging.getLogger(__name__)

QUERY = "[ATTN]"


@dataclass
class InfillingOptions(CorruptionOptions):
    noise_prob: float = field(
        default=0.0,
        metadata={
            "help": "infilling: probability ρ that a known target token, the end token included, is replaced by a "
            "random one (--random-tokens) during training (paper 003: 0.05 pre-training, up to 0.7 fine-tuning)"
        },
    )
    noise_token: Optional[str] = field(
        default=None, metadata={"help": "infilling: token for --noise-prob instead of random ones, such as [NOISE]"}
    )
    word_flow_weight: float = field(
        default=1.0,
        metadata={
            "help": "infilling: weight λ of the loss of the word flow; the span flow has 1 − λ and needs --span-vocab "
            "(paper 003: 0.5 pre-training, 1 fine-tuning)"
        },
    )
    span_vocab: Optional[str] = field(
        default=None,
        metadata={"help": "infilling: file of n-grams, as written by preprocess/span_vocabulary.py"},
    )


@register_objective("infilling")
class Infilling(FinetuningObjective):
    """Every [ATTN] is labelled; a flow of weight 0 is left out.

    The group of a word-flow query is its step; the groups of span-flow queries have higher numbers.

    Raises:
        UserError: a probability outside [0, 1], a noise token that is not in the vocabulary, or a span flow without
            ``--span-vocab``.
    """

    options_class = InfillingOptions
    extra_positions = 1  # the token that opens the target
    extra_tokens = (QUERY,)
    copied_from: ClassVar[Mapping[str, str]] = {QUERY: "mask"}

    def __init__(self, dictionary: PretrainedDictionary, segments: Segments, options: InfillingOptions) -> None:
        super().__init__(dictionary, segments, options)
        check_probability("--noise-prob", options.noise_prob)
        check_probability("--word-flow-weight", options.word_flow_weight)
        self.dictionary, self.span_vocab = dictionary, options.span_vocab
        self.noise_prob, self.word_flow_weight = options.noise_prob, options.word_flow_weight
        self.noise_token = token = options.noise_token
        self.noise = self.corruption.rows if token is None else np.array([row_of(token, dictionary)])
        if options.word_flow_weight < 1 and options.span_vocab is None:
            raise UserError(
                f"--word-flow-weight {options.word_flow_weight} needs spans for the span flow; add --span-vocab FILE, "
                "as written by preprocess/span_vocabulary.py"
            )

    @classmethod
    def prediction_layout(cls, dictionary: PretrainedDictionary, segments: Segments) -> PredictionLayout:
        layout = super().prediction_layout(dictionary, segments)
        return layout._replace(start=dictionary.bos(), query=dictionary.index(QUERY))

    @cached_property
    def spans(self) -> SpanVocabulary:
        """The n-grams that the span flow predicts at once."""
        return SpanVocabulary(Path(str(self.span_vocab)), self.dictionary)

    @property
    def flow_weights(self) -> List[float]:
        """Weights of the word flow and the span flow."""
        return [self.word_flow_weight, 1 - self.word_flow_weight]

    def prepare(self) -> None:
        if self.flow_weights[1]:
            _ = self.spans
        elif self.span_vocab is not None:
            logger.warning("--span-vocab is ignored: --word-flow-weight is 1, which leaves the span flow out")
        if self.noise_token is not None and not self.noise_prob:
            logger.warning(f"--noise-token {self.noise_token} is ignored: --noise-prob is 0")

    def train_blocks(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        given, known, words = self.evaluate(source, target)
        token = known.token.clone()
        token[0, 1:] = self.noised(target, rng)
        word_weight, span_weight = self.flow_weights
        queries = ([words] if word_weight else []) + ([self.by_spans(words)] if span_weight else [])
        return Blocks(given, known._replace(token=token), concatenate(queries))

    def noised(self, target: Tensor, rng: np.random.Generator) -> Tensor:
        """Known target tokens [T], with the noise that all methods share, then that of ``--noise-prob``."""
        target = self.corruption.target(target, self.corruption.mask_replacements(target, rng), rng)
        chosen = torch.from_numpy(rng.random(len(target)) < self.noise_prob)
        return torch.where(chosen, torch.from_numpy(rng.choice(self.noise, size=len(target))), target)

    def by_spans(self, words: Slots) -> Slots:
        """The queries of the span flow [1, T]: those of the word flow, but at the step of their span's first token.

        Spans are found in the true tokens; section 3.3 finds them in the noised ones, where noise would break them.
        """
        first = torch.from_numpy(self.spans.first_tokens(words.label[0].numpy()))
        return words._replace(step=words.step[:, first], group=words.group + words.group.size(1))

    def flows(self, packed: Slots) -> Dict[str, Flow]:
        if not all(self.flow_weights):
            return {}
        context, word = packed.group[0].eq(0), packed.group[0].eq(packed.step[0])
        span = ~(context | word)
        return {
            "M_C": Flow(context, context),
            "M_W": Flow(word & ~context, context | word),
            "M_S": Flow(span, context | span),
        }

    def weights(self, packed: Slots) -> Optional[Tensor]:
        if not all(self.flow_weights):
            return None
        labelled = packed.label.ne(IGNORE)
        in_word_flow = packed.group[labelled] == packed.step[labelled]
        word_weight, span_weight = map(torch.tensor, self.flow_weights)
        return torch.where(in_word_flow, word_weight, span_weight)

    def train_slots(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return source + 1 + target * (1 + np.count_nonzero(self.flow_weights))


def row_of(token: str, dictionary: PretrainedDictionary) -> int:
    """The row of the token used as noise; raises UserError if it is not in the vocabulary."""
    if token not in dictionary:
        raise UserError(
            f"--noise-token {token} is not in the vocabulary; expected one of its tokens, such as "
            f"{dictionary.mask_word}, or binarize with a vocabulary that has it (--vocab-add)"
        )
    return dictionary.index(token)
