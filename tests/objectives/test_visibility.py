"""Who may attend to whom: the masks of the papers as pictures, and the one rule that draws them."""

from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np
import pytest
import torch
from builders import METHODS, PREDICTION_LAYOUTS, ids, objective, padded, random_pairs, span_file
from torch import Tensor

from s2sft_fairseq.objectives.slots import PAD_SLOT, PADDING, Blocks, Slots, lay_out
from s2sft_fairseq.objectives.visibility import visible


def slots_of(step: Sequence[int], group: Optional[Sequence[int]] = None) -> Slots:
    """Slots [1, L] of these steps and groups (context if not given)."""
    filling = Slots(*(field.expand(1, len(step)) for field in PAD_SLOT))
    group = [0] * len(step) if group is None else group
    return filling._replace(step=torch.tensor([step]), group=torch.tensor([group]))


def rows(picture: str) -> List[str]:
    """The lines of a picture, spaces out; 1 = may attend."""
    return [line.replace(" ", "") for line in picture.split("\n") if line.strip()]


def drawn(mask: Tensor) -> List[str]:
    """A mask [1, Lq, Lk] in the same spelling."""
    return ["".join(".1"[allowed] for allowed in row) for row in mask[0].int().tolist()]


def drawn_slots(slots: Slots) -> List[str]:
    return drawn(visible(slots, slots))


def example(method: str, *, training: bool) -> Blocks:
    """Two source and three target slots of a method."""
    method_objective = objective(method)
    source = ids("[CLS] [SEP]") if method_objective.layout.source_end else ids("[CLS] w1")
    target = ids("w2 w3 [SEP]")
    if training:
        return method_objective.train(source, target, np.random.default_rng(0))
    return method_objective.evaluate(source, target)


CAUSAL = """
    11 ...
    11 ...
    11 1..
    11 11.
    11 111
"""

PSEUDO = """
    11 ... ...
    11 ... ...
    11 1.. ...
    11 11. ...
    11 111 ...
    11 ... 1..
    11 1.. .1.
    11 11. ..1
"""


WORD_FLOW = """
    11 .... ...
    11 .... ...
    11 1... ...
    11 11.. ...
    11 111. ...
    11 1111 ...
    11 1... 1..
    11 11.. .1.
    11 111. ..1
"""
"""As ERNIE-GEN's code lays it out: the target's context opens with [CLS], which no query predicts."""


@pytest.mark.parametrize(
    "method, training, picture",
    [
        ("causal", True, CAUSAL),
        ("causal", False, CAUSAL),
        ("masked", True, CAUSAL),
        ("masked", False, PSEUDO),
        ("pseudo_masked", True, PSEUDO),
        ("pseudo_masked", False, PSEUDO),
        ("infilling", True, WORD_FLOW),
        ("infilling", False, WORD_FLOW),
    ],
)
def test_fine_tuning_methods(method: str, training: bool, picture: str) -> None:
    """Figure 2 of s2s-ft (000), Figure 3d of ERNIE-GEN (003); evaluation predicts the whole target by every method."""
    assert drawn_slots(example(method, training=training).packed()) == rows(picture)


def test_multi_flow_attention(tmp_path: Path) -> None:
    """Figure 3d of ERNIE-GEN (003), spans {t1, t2} and {t3}: contextual, word and span flow in one pass."""
    made_by = objective("infilling", word_flow_weight=0.5, span_vocab=span_file(tmp_path, "w2 w3"))
    packed = made_by.train(ids("[CLS] [SEP]"), ids("w2 w3 [SEP]"), np.random.default_rng(0)).packed()
    without_start = [0, 1, *range(3, 12)]
    figure = Slots(*(field[:, without_start] for field in packed))
    assert drawn_slots(figure) == rows(
        """
        11 ... ... ...
        11 ... ... ...
        11 1.. ... ...
        11 11. ... ...
        11 111 ... ...
        11 ... 1.. ...
        11 1.. .1. ...
        11 11. ..1 ...
        11 ... ... 1..
        11 ... ... .1.
        11 11. ... ..1
        """
    )
    start_is_seen = visible(packed, packed)[0, :, 2]
    assert start_is_seen.tolist() == [False] * 2 + [True] * 10


def test_partially_autoregressive_blocks() -> None:
    """Figure 5 of UniLMv2 (001): x4 x5 are predicted first, then x2; columns x1 … x6, M2 M4 M5, P2 P4 P5."""
    slots = slots_of(
        [0, 2, 0, 1, 1, 0, 0, 0, 0, 2, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1],
    )
    assert drawn_slots(slots) == rows(
        """
        1.1..1 111 ...
        111111 111 ...
        1.1..1 111 ...
        1.1111 111 ...
        1.1111 111 ...
        1.1..1 111 ...
        1.1..1 111 ...
        1.1..1 111 ...
        1.1..1 111 ...
        1.1111 111 1..
        1.1..1 111 .11
        1.1..1 111 .11
        """
    )


@pytest.mark.parametrize(
    "step, picture",
    [
        ([0, 0, 0, 0], "1111 \n 1111 \n 1111 \n 1111"),
        ([1, 2, 3, 4], "1... \n 11.. \n 111. \n 1111"),
        ([3, 2, 1, 0], "1111 \n .111 \n ..11 \n ...1"),
        ([0, 0, 1, 2], "11.. \n 11.. \n 111. \n 1111"),
    ],
    ids=["bidirectional", "left-to-right", "right-to-left", "seq2seq"],
)
def test_pretraining_of_unilm(step: List[int], picture: str) -> None:
    """Figure 1 of UniLM (004)."""
    assert drawn_slots(slots_of(step)) == rows(picture)


@pytest.mark.parametrize("name", PREDICTION_LAYOUTS)
def test_padding_is_seen_by_nobody_and_no_row_is_empty(name: str) -> None:
    layout = PREDICTION_LAYOUTS[name]
    pairs = random_pairs(layout, count=5, seed=1)
    slots = lay_out(*padded(pairs), layout).packed()
    mask, filling = visible(slots, slots), slots.group.eq(PADDING)
    assert filling.any() and not filling.all()
    assert not mask.masked_select(filling.unsqueeze(1)).any()
    assert mask.any(dim=2).all()


@pytest.mark.parametrize("method", METHODS)
def test_position_plays_no_part(method: str) -> None:
    """Target positions that restart at 0 change nobody's sight (the published ``target_no_offset`` leaks)."""
    slots = example(method, training=False).packed()
    restarted = slots._replace(position=slots.position.masked_fill(slots.step.gt(0), 0))
    assert not restarted.position.equal(slots.position)
    assert visible(restarted, restarted).equal(visible(slots, slots))


@pytest.mark.parametrize("seed", range(5))
def test_signed_weights_of_s2s_ft(seed: int) -> None:
    """The published rule, on random span ids: source 0, a known target token +span, its pseudo mask -span."""
    spans = torch.randint(1, 5, (6,), generator=torch.Generator().manual_seed(seed)).sort().values
    weight = torch.cat([torch.zeros(3, dtype=torch.int64), spans, -spans])
    row, column = weight[:, None], weight[None, :]
    known = (row >= 0) & (column >= 0) & (column <= row)
    pseudo = (row < 0) & ((column >= 0) & (column < -row) | (column == row))
    slots = slots_of(weight.abs().tolist(), (-weight).clamp(min=0).tolist())
    assert drawn_slots(slots) == drawn((known | pseudo)[None])
