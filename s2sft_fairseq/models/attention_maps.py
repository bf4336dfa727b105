"""By how much a model attends to what: attention weights of every layer, and their shares by kind of key (003, 5.2).

Training and decoding never store attention weights. Here a plain softmax, in a pass for evaluation only, keeps them.
"""

from typing import Dict, List, NamedTuple, Tuple

import numpy as np
import torch
from torch import Tensor

from ..objectives.slots import IGNORE, Blocks, Slots
from ..objectives.visibility import visible
from .layers.attention import Bias, FullPass, KeysValues
from .layers.transformer import Transformer
from .precision import check_precision

KINDS = ("source", "clean target", "noised target", "masks")
"""Kinds of keys, in the order of their numbers: a known target token is clean or replaced; masks are queries."""

SOURCE, CLEAN, NOISED, MASKS = range(4)


class RecordingPass(FullPass):
    """A pass that keeps the attention weights of each layer.

    Attributes:
        weights: [B, heads, L, L] for each layer that it has gone through; rows of padding mean nothing.
    """

    def __init__(self, slots: Slots, source_length: int, bias: Bias) -> None:
        super().__init__(slots, source_length, bias)
        self.bias = bias(slots, slots)
        self.weights: List[Tensor] = []

    def attend_all(self, query: Tensor, seen: KeysValues, dropout: float) -> Tensor:
        scores = query @ seen.key.transpose(2, 3) * query.size(-1) ** -0.5
        self.weights.append((scores + self.bias).softmax(-1))
        return self.weights[-1] @ seen.value


@torch.no_grad()
def attention_maps(transformer: Transformer, slots: Slots, source_length: int) -> Tuple[Tensor, ...]:
    """The attention weights of packed slots [B, L] in every layer, [B, heads, L, L] each.

    Args:
        transformer: in evaluation mode.
        slots: the source block first.
        source_length: slots of the source block.
    """
    check_precision(transformer)
    recording = RecordingPass(slots, source_length, transformer.bias)
    transformer(recording)
    return tuple(recording.weights)


class NoisedExample(NamedTuple):
    """One example whose known target tokens are partly replaced, and the kind of each of its slots, [L]."""

    blocks: Blocks
    kind: Tensor


def noised(
    blocks: Blocks, *, target: Tensor, share: float, words: np.ndarray, rng: np.random.Generator
) -> NoisedExample:
    """Replaces known target tokens by random ones, whatever the method's own noise.

    Args:
        blocks: a noise-free example.
        target: its target [T]; a token that opens the target's context instead, like a start token, is never replaced.
        share: probability that a token is replaced.
        words: the rows that replacements are drawn from.
        rng: source of all randomness.
    """
    known = blocks.target.token[0]
    opening = max(0, len(known) - len(target))
    is_target = torch.arange(len(known)) >= opening
    chosen = is_target & torch.from_numpy(rng.random(len(known)) < share)
    token = torch.where(chosen, torch.from_numpy(rng.choice(words, size=len(known))), known)
    replaced = token != known
    kind = torch.cat(
        [
            torch.full_like(blocks.source.token[0], SOURCE),
            torch.where(replaced, NOISED, CLEAN),
            torch.full_like(blocks.query.token[0], MASKS),
        ]
    )
    return NoisedExample(blocks._replace(target=blocks.target._replace(token=token.unsqueeze(0))), kind)


class Shares(NamedTuple):
    """Attention of predicting slots to each kind of key, summed over heads' means.

    Attributes:
        attention: total attention, float64 [kinds].
        keys: how many keys of each kind were visible, summed over the slots that looked, int64 [kinds].
        slots: number of slots that looked.
    """

    attention: Tensor
    keys: Tensor
    slots: int

    @classmethod
    def none(cls) -> "Shares":
        """Of no slots."""
        return cls(torch.zeros(len(KINDS), dtype=torch.float64), torch.zeros(len(KINDS), dtype=torch.int64), 0)

    def plus(self, other: "Shares") -> "Shares":
        """Of the slots of both."""
        return Shares(self.attention + other.attention, self.keys + other.keys, self.slots + other.slots)

    def share(self) -> Dict[str, float]:
        """The share of a slot's attention that goes to all keys of a kind together; they add up to 1."""
        return dict(zip(KINDS, (self.attention / max(1, self.slots)).tolist()))

    def per_key(self) -> Dict[str, float]:
        """The average attention to one visible key of a kind (003, Figure 5b); 0 for a kind that never occurred."""
        return dict(zip(KINDS, (self.attention / self.keys.clamp(min=1)).tolist()))


def shares(weights: Tensor, example: NoisedExample) -> Shares:
    """The shares of one example in a layer with attention weights [1, heads, L, L]."""
    slots = example.blocks.packed()
    looks = slots.label[0].ne(IGNORE)
    is_kind = torch.stack([example.kind.eq(number) for number in range(len(KINDS))]).double()  # [kinds, L]
    attention = weights[0].mean(0)[looks].double() @ is_kind.t()
    keys = visible(slots, slots)[0][looks].double() @ is_kind.t()
    return Shares(attention.sum(0), keys.sum(0).long(), int(looks.sum()))
