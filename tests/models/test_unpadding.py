"""Real slots in a row and back under one another, against plain indexing; gradients against numerical ones."""

from typing import Tuple

import pytest
import torch
from builders import objective, random_pairs
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


def real_places(slots: Slots, start: int) -> Tuple[Tensor, Tensor]:
    """Sentences and columns [N], those before ``start`` first, by loops."""
    real = slots.group.ne(PADDING).tolist()
    places = [(b, column) for b, row in enumerate(real) for column, there in enumerate(row) if there]
    early = [place for place in places if place[1] < start]
    late = [place for place in places if place[1] >= start]
    sentence, column = torch.tensor(early + late).unbind(1)
    return sentence, column


@given(seed=st.integers(0, 99), share=st.floats(0, 1), heads=st.integers(1, 3))
def test_row_and_places(seed: int, share: float, heads: int) -> None:
    slots = ragged(seed)
    length = slots.token.size(1)
    start = int(share * (length - 1))
    batch = Unpadded(slots, start)
    sentence, column = real_places(slots, start)
    assert batch.before == int(column.lt(start).sum())
    for field, row in zip(slots, batch.slots):
        assert row.equal(field[sentence, column])
    for late, before, first in ((False, 0, 0), (True, batch.before, start)):
        x = torch.randn(len(column) - before, heads, 5)
        expected = torch.zeros(len(slots.token), heads, length - first, 5)
        for row, (b, place) in enumerate(zip(sentence[before:].tolist(), column[before:].tolist())):
            expected[b, :, place - first] = x[row]
        places = batch.places(heads, from_start=late)
        assert places.spread(x).equal(expected)
        assert places.collect(expected).equal(x)
    flat = torch.randn(len(column) - batch.before, 7)
    assert batch.padded(flat)[batch.real[:, start:]].equal(flat)


@pytest.mark.parametrize("late", [False, True])
def test_gradients(late: bool) -> None:
    """What padding gets goes nowhere, all else back to where it came from."""
    slots = ragged(3)
    batch = Unpadded(slots, start=slots.token.size(1) // 2)
    places = batch.places(2, from_start=late)
    count = len(batch.slots.token) - late * batch.before
    x = torch.randn(count, 2, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randn(*places.shape, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(places.spread, (x,))
    assert torch.autograd.gradcheck(places.collect, (y,))


def test_no_slot_is_late() -> None:
    slots = ragged(5)
    places = Unpadded(slots, start=slots.token.size(1)).places(2, from_start=True)
    assert places.spread(torch.zeros(0, 2, 3)).shape == (4, 2, 0, 3)
    assert places.collect(torch.zeros(4, 2, 0, 3)).shape == (0, 2, 3)
