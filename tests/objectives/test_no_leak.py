"""Nothing leaks: a slot's hidden state depends on those slots alone that it may see, bit for bit."""

from typing import Tuple

import numpy as np
import pytest
import torch
from builders import (
    METHODS,
    PAD,
    PREDICTION_LAYOUTS,
    SEP,
    ids,
    objective,
    padded,
    random_model,
    random_pairs,
    shifted,
)
from leaks import hidden_states, perturbations, reached
from torch import Tensor

from s2sft_fairseq.objectives.slots import IGNORE, PADDING, Slots, collate
from s2sft_fairseq.objectives.visibility import visible

SEEDS = range(3)
NOISE = {"source_mask_prob": 0.3, "target_mask_prob": 0.4}


def batch(method: str, *, training: bool, seed: int) -> Tuple[Slots, int]:
    """A ragged batch and the length of its source block."""
    laid_out_by = objective(method, **NOISE)
    pairs = random_pairs(laid_out_by.layout, count=3, seed=seed, longest=4)
    rng = np.random.default_rng(seed)
    blocks = collate([laid_out_by.train(*p, rng) if training else laid_out_by.evaluate(*p) for p in pairs], pad=PAD)
    return blocks.packed(), blocks.source.token.size(1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("training", [True, False], ids=["train", "evaluate"])
@pytest.mark.parametrize("seed", SEEDS)
def test_perturbing_a_slot_changes_those_that_see_it(method: str, training: bool, seed: int) -> None:
    """All of them, and no other, through all layers."""
    model = random_model(method, seed=seed)
    slots, source_length = batch(method, training=training, seed=seed)
    may_change = reached(slots, model.cfg.encoder_layers)
    must_change = visible(slots, slots) & slots.group.ne(PADDING).unsqueeze(2)
    before = hidden_states(model, (slots, source_length))
    for column, perturbed in perturbations(slots):
        after = hidden_states(model, (perturbed, source_length))
        changed = after.ne(before).any(dim=2)
        assert not (changed & ~may_change[:, :, column]).any(), f"column {column} leaks"
        assert changed[must_change[:, :, column]].all(), f"column {column} is not seen"


@pytest.mark.parametrize("name", PREDICTION_LAYOUTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_scores_depend_on_what_was_said_before(name: str, seed: int) -> None:
    """Not derived from the rule: another target token changes the predictions after it, and none before."""
    model = random_model(name, seed=seed)
    source, target = padded(random_pairs(model.layout, count=4, seed=seed, longest=5))
    previous = shifted(target)
    with torch.no_grad():
        before, _ = model(source, None, previous)
        for column in range(1, previous.size(1)):
            other = previous.clone()
            other[:, column] = torch.where(other[:, column].eq(ids("w1")), ids("w2"), ids("w1"))
            other = torch.where(previous.eq(PAD), PAD, other)
            after, _ = model(source, None, other)
            has_column = previous[:, column].ne(PAD)
            assert after[:, :column].equal(before[:, :column])
            assert after[has_column, column].ne(before[has_column, column]).any(dim=1).all()
            assert after[~has_column].equal(before[~has_column])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", SEEDS)
def test_training_never_shows_an_answer_before_it_is_due(method: str, seed: int) -> None:
    """Whatever token is to be predicted, with the same draws of noise its own prediction stays what it was.

    (Kept tokens are left out: to show some answers is what they are for.)
    """
    model = random_model(method, seed=seed)
    laid_out_by = objective(method, mask_keep_prob=0.0, **NOISE)
    source = ids("[CLS] w5 w6 [SEP]" if laid_out_by.layout.source_end else "[CLS] w5 w6")
    target = ids("w3 w1 w4 w1 w5 w9 [SEP]")

    def predictions(answer: Tensor) -> Tuple[Tensor, Tensor]:
        """Positions of the labelled slots in the target, and their hidden states."""
        blocks = laid_out_by.train(source, answer, np.random.default_rng(seed))
        packed, length = blocks.packed(), blocks.source.token.size(1)
        labelled = packed.label[0].ne(IGNORE)
        states = hidden_states(model, (packed, length))[0, labelled]
        return packed.position[0, labelled] - length, states

    order, before = predictions(target)
    assert len(order)
    for changed in range(len(target) - 1):
        other = target.clone()
        other[changed] = ids("w7")
        _, after = predictions(other)
        due = order.le(changed)
        assert after[due].equal(before[due])


@pytest.mark.parametrize("method", METHODS)
def test_a_source_is_read_without_its_target(method: str) -> None:
    """Its hidden states are the same beside any target, and in the pass that decoding makes over it."""
    model = random_model(method)
    pairs = random_pairs(model.layout, count=4, seed=5)
    source, target = padded(pairs)
    laid_out_by = objective(method)
    states = []
    for answer in (target, torch.where(target.gt(0) & target.ne(PAD) & target.ne(SEP), ids("w1"), target)):
        examples = [laid_out_by.evaluate(p.source, a[a.ne(PAD)]) for p, a in zip(pairs, answer)]
        packed = collate(examples, pad=PAD).packed()
        states.append(hidden_states(model, (packed, source.size(1)))[:, : source.size(1)])
    assert states[0].equal(states[1])
