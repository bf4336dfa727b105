"""Pairs of text under a trained model: by how much each slot attends to each other, and what shares that makes."""

from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from fairseq.data import ListDataset
from torch import Tensor

from ..common.errors import UserError, check_probability
from ..models.attention_maps import KINDS, NoisedExample, Shares, attention_maps, noised, shares
from ..models.seq2seq_model import S2SFTModel
from .finetuning_task import S2SFTTask


class Look(NamedTuple):
    """How to look at a model's attention.

    Attributes:
        layer: which one, counted from 1; None: the last.
        noise: probability that a known target token is replaced by a random one.
        seed: of the noise.
    """

    layer: Optional[int]
    noise: float
    seed: int


def examples(task: S2SFTTask, pairs: Sequence[Sequence[Tensor]], look: Look) -> Iterator[NoisedExample]:
    """Lays pairs out as in validation, then replaces some known target tokens.

    Args:
        task: of the model.
        pairs: sources, and as many targets, each with its end token.
        look: the noise.

    Raises:
        UserError: a noise that is no probability.
    """
    check_probability("--noise", look.noise)
    source, target = (ListDataset(side, np.array([len(line) for line in side])) for side in pairs)
    dataset = task.pairs(source, target, training=False)
    rng = np.random.default_rng(look.seed)
    for index in range(len(dataset)):
        pair = dataset[index]
        words = task.objective.corruption.rows
        yield noised(pair["blocks"], target=pair["target"], share=look.noise, words=words, rng=rng)


def layer_index(model: S2SFTModel, number: Optional[int]) -> int:
    """The index of a layer that is counted from 1, None for the last; raises UserError if there is none."""
    layers = len(model.transformer.layers)
    if number is not None and not 1 <= number <= layers:
        raise UserError(f"--layer {number}: the model has {layers} layers; expected one of 1 to {layers}")
    return (number or layers) - 1


def attended(model: S2SFTModel, example: NoisedExample, layer: int) -> Tensor:
    """The attention weights of an example in one layer, [1, heads, L, L]."""
    blocks = example.blocks
    return attention_maps(model.transformer, blocks.packed(), blocks.source.token.size(1))[layer]


def shares_of_pairs(task: S2SFTTask, model: S2SFTModel, pairs: Sequence[List[Tensor]], look: Look) -> Shares:
    """The shares of all pairs together (003, Figure 5b); see :func:`examples`."""
    layer, total = layer_index(model, look.layer), Shares.none()
    for example in examples(task, pairs, look):
        total = total.plus(shares(attended(model, example, layer), example))
    return total


def table_of(found: Shares) -> Iterator[Tuple[str, str, str]]:
    """The shares as lines: the kind of key, its share in percent, and the attention to one key of it in percent."""
    yield "key", "% of attention", "% per key"
    share, per_key = found.share(), found.per_key()
    yield from ((kind, f"{100 * share[kind]:.1f}", f"{100 * per_key[kind]:.2f}") for kind in KINDS)
