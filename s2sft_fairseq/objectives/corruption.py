"""Noise on tokens: the options that all objectives share, and the sampling of masked, random and kept tokens."""

from dataclasses import dataclass, field
from typing import Optional

import numpy as np
import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from ..common.errors import check_probability
from ..text.dictionary import PretrainedDictionary

ORDINARY = "ordinary"
RANGES = ChoiceEnum([ORDINARY, "all"])


@dataclass
class CorruptionOptions(FairseqDataclass):
    target_mask_prob: Optional[float] = field(
        default=None,
        metadata={
            "help": "masked: share of the target tokens that are masked and predicted; other methods: "
            "probability that a known target token is corrupted, similar to word dropout "
            "(default: 0.5 for masked and pseudo_masked, 0 for causal and infilling)"
        },
    )
    source_mask_prob: float = field(
        default=0.0, metadata={"help": "probability that a source token is corrupted during training"}
    )
    mask_keep_prob: float = field(
        default=0.1, metadata={"help": "probability that a token chosen for masking is kept unchanged"}
    )
    mask_random_prob: float = field(
        default=0.1,
        metadata={"help": "probability that a token chosen for masking is replaced by a random one"},
    )
    random_tokens: RANGES = field(  # type: ignore[valid-type]
        default=ORDINARY,
        metadata={
            "help": "where random tokens are drawn from: ordinary: all but special tokens and placeholders "
            "([unusedN]); all: the whole vocabulary, as in the published code of papers 000 and 003"
        },
    )


class Corruption:
    """Draws replacements for tokens (reference code of 000: 10 % are kept, 10 % random, the rest masks).

    Args:
        dictionary: provides the mask token and the ordinary tokens.
        options: the probabilities.
        target_mask_prob: the default of ``options.target_mask_prob``.

    Attributes:
        rows: the tokens that random ones are drawn from, uniformly, int64 [n].

    Raises:
        UserError: a probability outside [0, 1], or keep and random probabilities that add up to more than 1.
    """

    def __init__(
        self, dictionary: PretrainedDictionary, options: CorruptionOptions, *, target_mask_prob: float
    ) -> None:
        given = options.target_mask_prob
        self.target_mask_prob = target_mask_prob if given is None else given
        self.source_mask_prob = options.source_mask_prob
        self.keep, self.random = options.mask_keep_prob, options.mask_random_prob
        self.end, self.mask = dictionary.eos(), dictionary.mask()
        ordinary = str(options.random_tokens) == ORDINARY
        self.rows = dictionary.ordinary_ids() if ordinary else np.arange(len(dictionary))
        for flag, value in (
            ("--target-mask-prob", self.target_mask_prob),
            ("--source-mask-prob", self.source_mask_prob),
            ("--mask-keep-prob", self.keep),
            ("--mask-random-prob", self.random),
            ("--mask-keep-prob plus --mask-random-prob", self.keep + self.random),
        ):
            check_probability(flag, value)

    def mask_replacements(self, tokens: Tensor, rng: np.random.Generator) -> Tensor:
        """A replacement for every token [T]: the token itself, a random token, or the mask."""
        draw = rng.random(len(tokens))
        other = rng.choice(self.rows, size=len(tokens))
        known = tokens.numpy()
        drawn = np.where(draw < self.keep, known, np.where(draw < self.keep + self.random, other, self.mask))
        return torch.from_numpy(drawn)

    def target(self, tokens: Tensor, mask_replacements: Tensor, rng: np.random.Generator) -> Tensor:
        """Target tokens [T], each replaced by its entry in ``mask_replacements`` with ``target_mask_prob``."""
        chosen = torch.from_numpy(rng.random(len(tokens)) < self.target_mask_prob)
        return torch.where(chosen, mask_replacements, tokens)

    def source(self, tokens: Tensor, rng: np.random.Generator) -> Tensor:
        """Source tokens [S], each corrupted with ``source_mask_prob``; the first and all end tokens are kept."""
        if not self.source_mask_prob:
            return tokens
        chosen = torch.from_numpy(rng.random(len(tokens)) < self.source_mask_prob)
        chosen[0] = False
        chosen &= tokens.ne(self.end)
        return torch.where(chosen, self.mask_replacements(tokens, rng), tokens)
