"""What a published encoder predicts: models of ``transformers`` with random weights, on slots of any visibility."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
import transformers
from random_weights import randomize
from torch import Tensor
from transformers import PreTrainedModel

POSITIONS = 48
SIZES = dict(
    hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=40, max_position_embeddings=POSITIONS
)
"""Uneven, so that no transposed or swapped tensor fits."""


class Oracle(NamedTuple):
    """The published model: what it makes of packed slots [B, L] under any visibility [B, L, L].

    Attributes:
        model: of ``transformers``.
        offset: rows of the position table before that of position 0.
        segments: whether segments select a row; otherwise all tokens have row 0.
        relative: bias of each bucket of relative positions [heads, 32] (001, section 4.1).
        turns: embeddings of the turns of a dialogue [16, H] (003).
    """

    model: PreTrainedModel
    offset: int = 0
    segments: bool = True
    relative: Optional[Tensor] = None
    turns: Optional[Tensor] = None

    @property
    def positions(self) -> int:
        """How many positions have a row of their own."""
        return self.model.config.max_position_embeddings - self.offset

    def arguments(
        self, token: Tensor, position: Tensor, segment: Tensor, allowed: Tensor, turn: Optional[Tensor] = None
    ) -> Dict[str, Tensor]:
        """The published model's arguments; the position table is tiled, a missing turn is 0."""
        bias = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[:, None]
        if self.relative is not None:
            bias = bias + relative_bias(position, self.relative)
        words = self.model.get_input_embeddings()(token)
        if self.turns is not None:
            words = words + self.turns[torch.zeros_like(token) if turn is None else turn]
        return {
            "inputs_embeds": words,
            "position_ids": position % self.positions + self.offset,
            "token_type_ids": segment if self.segments else torch.zeros_like(segment),
            "attention_mask": bias,
        }

    @torch.no_grad()
    def hidden(self, *slots: Tensor, **more: Tensor) -> Tensor:
        """Hidden states of the last layer [B, L, H]."""
        return self.model.base_model(**self.arguments(*slots, **more)).last_hidden_state

    @torch.no_grad()
    def logits(self, *slots: Tensor, **more: Tensor) -> Tensor:
        """Scores of the vocabulary [B, L, V]."""
        output = self.model(**self.arguments(*slots, **more))
        return getattr(output, "prediction_logits", getattr(output, "logits", None))


STARTS = (*range(8), 8, 12, 16, 23, 32, 46, 64, 91)
"""The first distance of each of the 16 buckets of one direction, of 32 in all that reach 128 tokens (T5; 001)."""


def relative_bias(position: Tensor, table: Tensor) -> Tensor:
    """Positions [B, L] and a table [heads, 32] → the bias [B, heads, L, L] of each query on each key."""
    distance = position[:, None, :] - position[:, :, None]
    bucket = torch.searchsorted(torch.tensor(STARTS), distance.abs(), right=True) - 1
    return table[:, bucket + 16 * (distance > 0)].transpose(0, 1)


class Special(NamedTuple):
    """A family's special tokens, by their part."""

    pad: str
    unknown: str
    start: str
    end: str
    mask: str


BERT = Special("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA = Special("<pad>", "<unk>", "<s>", "</s>", "<mask>")


class Checkpoint(NamedTuple):
    """A directory as published, and what is known of it.

    Attributes:
        directory: of config, vocabulary and weights.
        oracle: what it predicts.
        vocabulary: tokens in the order of the rows.
        special: which of them are special.
        segments: those that the family gives to the source and to the target.
        head: whether the weights have a masked-LM head.
    """

    directory: Path
    oracle: Oracle
    vocabulary: List[str]
    special: Special = BERT
    segments: Tuple[int, int] = (0, 1)
    head: bool = True

    def row(self, token: str) -> int:
        """The row of a token."""
        return self.vocabulary.index(token)

    def words(self) -> List[int]:
        """The rows of ordinary tokens."""
        return [row for row, token in enumerate(self.vocabulary) if not token.startswith(("[", "<"))]


class Slots(NamedTuple):
    """Random arguments of an oracle: tokens, positions, segments [B, L] and who may attend to whom [B, L, L]."""

    token: Tensor
    position: Tensor
    segment: Tensor
    allowed: Tensor


def random_slots(made: Checkpoint, *, count: int = 3, length: int = 12, seed: int = 1) -> Slots:
    """Slots of any tokens, far apart, that see half of the others, and themselves."""
    generator = torch.Generator().manual_seed(seed)

    def draw(limit: int) -> Tensor:
        return torch.randint(limit, (count, length), generator=generator)

    allowed = torch.rand(count, length, length, generator=generator) < 0.5
    segments = torch.tensor(made.segments)[draw(2)]
    positions = draw(made.oracle.positions)
    return Slots(draw(len(made.vocabulary)), positions, segments, allowed | torch.eye(length, dtype=torch.bool))


def published(kind: str, vocabulary: Sequence[str], *, seed: int = 0, **changes: Any) -> PreTrainedModel:
    """A random model of a class of ``transformers``; one with a head predicts words and the end alone."""
    model_class = getattr(transformers, kind)
    config = model_class.config_class(**{**SIZES, "vocab_size": len(vocabulary), **changes})
    config._attn_implementation = "eager"
    model = model_class(config).eval()
    randomize(model, seed=seed, spread=0.3)
    if model.get_output_embeddings() is not None:
        make_readable(model, vocabulary)
    return model


@torch.no_grad()
def make_readable(model: PreTrainedModel, vocabulary: Sequence[str]) -> None:
    """Special tokens are never predicted, but for the end token: now it is the best of all, now far from that."""
    special = torch.tensor([token.startswith(("[", "<")) for token in vocabulary])
    end = next(row for row, token in enumerate(vocabulary) if token in (BERT.end, ROBERTA.end))
    bias = model.get_output_embeddings().bias
    bias[special] -= 20
    model.get_output_embeddings().weight[end] *= 3
    words = torch.nonzero(~special).flatten().repeat(2)[:60].view(6, 10)
    output = model(input_ids=words)
    logits = getattr(output, "prediction_logits", getattr(output, "logits", None))
    bias[end] += (logits.amax(-1) - logits[..., end]).mean()


def left_to_right(start: int, length: int) -> Tensor:
    """Who may attend to whom [start + length, start + length]: all to the source, targets to the left as well."""
    allowed = torch.ones(start + length, start + length, dtype=torch.bool).tril()
    allowed[:, :start] = True
    return allowed


def with_pseudo_masks(allowed: Tensor, start: int) -> Tensor:
    """The same, with a pseudo mask for each target token, which sees what is left of that token, and itself."""
    end = len(allowed)
    both = torch.zeros(2 * end - start, 2 * end - start, dtype=torch.bool)
    both[:end, :end] = allowed
    for offset in range(end - start):
        both[end + offset, : start + offset] = True
        both[end + offset, end + offset] = True
    return both
