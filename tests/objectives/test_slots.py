"""Layouts of the methods, slot by slot, and that batches and decoding steps are parts of the same layout."""

from typing import Dict, Tuple

import numpy as np
import pytest
import torch
from builders import PAD, PREDICTION_LAYOUTS, VOCABULARY, Pair, ids, objective, padded, random_pairs, shifted, text

from s2sft_fairseq.objectives.slots import (
    IGNORE,
    PADDING,
    Blocks,
    PredictionLayout,
    Slots,
    collate,
    lay_out,
    next_slots,
    prepend_start,
)

TARGET = "w2 w3 w4 [SEP]"
MASKED = "[MASK] [MASK] [MASK] [MASK]"
NOTHING = "- - - -"

FRAMED = "[CLS] w0 w1 [SEP]", "0 1 2 3", "0 0 0 0", NOTHING
"""A source with its end: tokens, positions, segments, labels."""

LAYOUTS = {
    ("causal", "train"): {
        "source": ("[CLS] w0 w1", "0 1 2", "0 0 0", "- - -"),
        "target": ("[SEP] w2 w3 w4", "3 4 5 6", "1 1 1 1", TARGET),
    },
    ("masked", "train"): {"source": FRAMED, "target": (MASKED, "4 5 6 7", "1 1 1 1", TARGET)},
    ("infilling", "train"): {
        "source": FRAMED,
        "target": ("[CLS] w2 w3 w4 [SEP]", "4 5 6 7 8", "1 1 1 1 1", "- - - - -"),
        "query": ("[ATTN] [ATTN] [ATTN] [ATTN]", "5 6 7 8", "1 1 1 1", TARGET),
    },
    ("pseudo_masked", "train"): {
        "source": FRAMED,
        "target": (TARGET, "4 5 6 7", "1 1 1 1", NOTHING),
        "query": (MASKED, "4 5 6 7", "1 1 1 1", TARGET),
    },
}
for name in ("causal", "infilling"):
    LAYOUTS[name, "evaluate"] = LAYOUTS[name, "train"]
LAYOUTS["masked", "evaluate"] = LAYOUTS["pseudo_masked", "evaluate"] = LAYOUTS["pseudo_masked", "train"]

SHARE = {"causal": 0.0, "infilling": 0.0, "masked": 1.0, "pseudo_masked": 0.0}
"""Of masked target tokens: enough to see every slot of the method, and no drawing by chance."""


def spelled(slots: Slots) -> Tuple[str, ...]:
    """Tokens, positions, segments and labels of one sentence [1, L] as words."""
    numbers = (" ".join(map(str, field[0].tolist())) for field in (slots.position, slots.segment))
    return (text(slots.token[0]), *numbers, text(slots.label[0]))


@pytest.mark.parametrize(("method", "use"), LAYOUTS)
def test_layout_of_a_pair(method: str, use: str) -> None:
    """Sections 2.1 to 2.3 of 000, Figure 3 of 003: where tokens, masks and labels stand."""
    laid_out_by = objective(method, target_mask_prob=SHARE[method], mask_keep_prob=0.0, mask_random_prob=0.0)
    source = ids("[CLS] w0 w1 [SEP]" if laid_out_by.layout.source_end else "[CLS] w0 w1")
    blocks = {
        "train": lambda: laid_out_by.train(source, ids(TARGET), np.random.default_rng(0)),
        "evaluate": lambda: laid_out_by.evaluate(source, ids(TARGET)),
    }[use]()
    expected: Dict[str, Tuple[str, ...]] = {"query": ("", "", "", ""), **LAYOUTS[method, use]}
    assert {name: spelled(slots) for name, slots in blocks._asdict().items()} == expected


@pytest.fixture(params=PREDICTION_LAYOUTS)
def layout(request: pytest.FixtureRequest) -> PredictionLayout:
    return PREDICTION_LAYOUTS[request.param]


@pytest.mark.parametrize("seed", range(5))
def test_a_padded_batch_is_its_sentences_under_one_another(layout: PredictionLayout, seed: int) -> None:
    pairs = random_pairs(layout, count=5, seed=seed)
    alone = [lay_out(pair.source[None], pair.target[None], layout) for pair in pairs]
    together, stacked = lay_out(*padded(pairs), layout), collate(alone, pad=PAD)
    for block, expected in zip(together, stacked):
        for name, field in block._asdict().items():
            assert field.equal(getattr(expected, name)), name


def test_collating_fills_up_with_padding(layout: PredictionLayout) -> None:
    pairs = [Pair(ids("[CLS] w1 w2 w3"), ids("w1 [SEP]")), Pair(ids("[CLS]"), ids("w1 w2 w3 [SEP]"))]
    blocks = collate([lay_out(p.source[None], p.target[None], layout) for p in pairs], pad=PAD)
    filling = blocks.source.columns(1, None)
    assert filling.token[1].eq(PAD).all() and filling.group[1].eq(PADDING).all()
    assert filling.label[1].eq(IGNORE).all()
    assert not blocks.source.group[0].eq(PADDING).any()
    assert blocks.packed().token.equal(torch.cat([block.token for block in blocks], dim=1))


def test_positions_are_continuous(layout: PredictionLayout) -> None:
    """Context runs on from source to target, however long the padding between them."""
    packed = lay_out(*padded(random_pairs(layout, count=6, seed=3)), layout).packed()
    for position, group in zip(packed.position, packed.group):
        known = position[group.eq(0)]
        assert known.equal(torch.arange(len(known)))


def step_of(blocks: Blocks, layout: PredictionLayout, step: int) -> Slots:
    """The slot of every sentence [B, 1] that predicts target token ``step``."""
    predicting = blocks.target if layout.query is None else blocks.query
    return predicting.columns(step, step + 1)


@pytest.mark.parametrize("cached", [True, False])
def test_decoding_steps_are_columns_of_the_layout(layout: PredictionLayout, cached: bool) -> None:
    """Whether a step adds to what is known or lays out all of it anew."""
    pairs = [pair for pair in random_pairs(layout, count=30, seed=4) if len(pair.target) >= 4][:4]
    source, target = padded([Pair(pair.source, pair.target[-4:]) for pair in pairs])
    source_length = source.ne(PAD).sum(1, keepdim=True)
    blocks, previous, known = lay_out(source, target, layout), shifted(target), 0
    for step in range(target.size(1)):
        added = next_slots(previous[:, : step + 1], layout, source_length=source_length, known=known)
        is_context = added.group[0].eq(0)
        context = Slots(*(field[:, is_context] for field in added))
        expected = blocks.target.columns(known, known + context.token.size(1))
        for name in ("token", "position", "segment", "step", "group"):
            assert getattr(context, name).equal(getattr(expected, name)), name
        last, expected = added.columns(-1, None), step_of(blocks, layout, step)
        for name in ("token", "position", "segment", "step"):
            assert getattr(last, name).equal(getattr(expected, name)), name
        assert last.group.gt(0).equal(expected.group.gt(0))
        known += int(cached) * context.token.size(1)


def test_whatever_has_been_decided_is_known(layout: PredictionLayout) -> None:
    """No token is padding in decoding, for all rows of a search are equally long."""
    every_token = torch.arange(-1, len(VOCABULARY)).clamp(min=0).unsqueeze(0)
    added = next_slots(every_token, layout, source_length=torch.tensor([[3]]), known=0)
    assert not added.group.eq(PADDING).any()
    decided = prepend_start(every_token[:, 1:], layout)
    assert added.token[:, : decided.size(1)].equal(decided)
