"""Real slots in a row and back under one another, against plain indexing; gradients against numerical ones."""

from typing import List, Tuple

import pytest
import torch
from builders import objective, random_model, random_pairs
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from s2sft_fairseq.models.layers.unpadding import Unpadded
from s2sft_fairseq.objectives.slots import PADDING, Slots, collate


def ragged(seed: int) -> Slots:
    """A batch [B, L] with padding between its blocks and at its end."""
    method = objective("pseudo_masked")
    pairs = random_pairs(method.layout, count=4, seed=seed)
    return collate([method.evaluate(pair.source, pair.target) for pair in pairs], pad=method.layout.pad).packed()


def some(slots: Slots, share: float, seed: int) -> Tensor:
    """A random part of a batch, padding not spared, bool [B, L]."""
    return torch.rand(slots.token.shape, generator=torch.Generator().manual_seed(seed)) < share


def real_places(slots: Slots, needed: Tensor) -> Tuple[List[Tuple[int, int]], List[Tuple[int, int]]]:
    """Sentences and columns of the slots that are not needed, and of those that are, by loops."""
    real = slots.group.ne(PADDING).tolist()
    places = [(b, column) for b, row in enumerate(real) for column, there in enumerate(row) if there]
    return [place for place in places if not needed[place]], [place for place in places if needed[place]]


@given(seed=st.integers(0, 99), share=st.floats(0, 1), heads=st.integers(1, 3))
def test_row_and_places(seed: int, share: float, heads: int) -> None:
    slots = ragged(seed)
    batch = Unpadded(slots, needed := some(slots, share, seed))
    early, late = real_places(slots, needed)
    assert batch.before == len(early)
    sentence, column = torch.tensor(early + late).unbind(1)
    for field, row in zip(slots, batch.slots):
        assert row.equal(field[sentence, column])
    ranks = [sum(other[0] == place[0] and other < place for other in late) for place in late]
    in_needed = [(place[0], rank) for place, rank in zip(late, ranks)]
    width = max(ranks, default=-1) + 1
    for places, where, length in (
        (batch.places(heads), early + late, slots.token.size(1)),
        (batch.needed_places(heads), in_needed, width),
    ):
        x = torch.randn(len(where), heads, 5)
        expected = torch.zeros(len(slots.token), heads, length, 5)
        for row, (b, place) in enumerate(where):
            expected[b, :, place] = x[row]
        assert places.spread(x).equal(expected)
        assert places.collect(expected).equal(x)
    flat = torch.randn(len(late), 7)
    assert batch.padded(flat)[needed & slots.group.ne(PADDING)].equal(flat)
    assert batch.padded(flat).ne(0).any(2).sum() == len(late)
    for field, grid in zip(slots, batch.needed_slots()):
        assert [int(grid[place]) for place in in_needed] == [int(field[place]) for place in late]


@pytest.mark.parametrize("late", [False, True])
def test_gradients(late: bool) -> None:
    """What padding gets goes nowhere, all else back to where it came from."""
    slots = ragged(3)
    batch = Unpadded(slots, some(slots, 0.5, seed=1))
    places = batch.needed_places(2) if late else batch.places(2)
    count = len(batch.slots.token) - late * batch.before
    x = torch.randn(count, 2, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randn(*places.shape, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(places.spread, (x,))
    assert torch.autograd.gradcheck(places.collect, (y,))


def test_no_slot_is_needed() -> None:
    slots = ragged(5)
    places = Unpadded(slots, torch.zeros_like(slots.token, dtype=torch.bool)).needed_places(2)
    assert places.spread(torch.zeros(0, 2, 3)).shape == (4, 2, 0, 3)
    assert places.collect(torch.zeros(4, 2, 0, 3)).shape == (0, 2, 3)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_needed_decides_only_what_is_returned(seed: int) -> None:
    """Hidden states of any part of a batch are those of a pass for all."""
    slots, model = ragged(seed), random_model("pseudo_masked", seed=seed)
    source_length = int(slots.step.eq(0).any(0).sum())
    needed = some(slots, 0.3, seed) & slots.group.ne(PADDING)
    with torch.no_grad():
        whole, part = model.hidden(slots, source_length), model.hidden(slots, source_length, needed)
    torch.testing.assert_close(part[needed], whole[needed], atol=1e-12, rtol=0)
    assert needed.any() and not part[~needed].any()
