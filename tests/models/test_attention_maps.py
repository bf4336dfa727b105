"""The attention weights of a pass are those of ``transformers``; their shares are what a plain count gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import PAD, PREDICTION_LAYOUTS, VOCABULARY, ids, objective, padded, random_model, random_pairs
from methods import METHODS
from oracles import Oracle, published

from s2sft_fairseq.models.attention_maps import (
    CLEAN,
    KINDS,
    MASKS,
    NOISED,
    SOURCE,
    Shares,
    attention_maps,
    noised,
    shares,
)
from s2sft_fairseq.models.layers.transformer import Transformer
from s2sft_fairseq.models.options import ModelOptions, complete, transformer_shape
from s2sft_fairseq.objectives.slots import IGNORE, PADDING, Slots, lay_out
from s2sft_fairseq.objectives.visibility import visible
from s2sft_fairseq.pretrained.checkpoint import read
from s2sft_fairseq.pretrained.initialization import initialize_from_pretrained

WORDS = VOCABULARY.ordinary_ids()


def tiny_bert(folder: Path) -> tuple[Transformer, Oracle]:
    """Our Transformer with the weights of a model of ``transformers``, and that model."""
    theirs = published("BertForMaskedLM", VOCABULARY.symbols, pad_token_id=PAD)
    theirs.save_pretrained(folder)
    opened = read(folder)
    cfg = complete(ModelOptions(max_source_positions=30, max_target_positions=18), opened.options())
    with torch.device("meta"):
        transformer = Transformer(transformer_shape(cfg, len(VOCABULARY)))
    initialize_from_pretrained(transformer, opened)
    return transformer.eval(), Oracle(theirs)


def some_pairs(method: str) -> tuple[Slots, int]:
    """Padded pairs of a method, and the slots of their source block."""
    layout = PREDICTION_LAYOUTS[method]
    source, target = padded(random_pairs(layout, count=5, seed=1, longest=6))
    return lay_out(source, target, layout).packed(), source.size(1)


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_those_of_the_published_model(tmp_path: Path, method: str) -> None:
    """Of every layer and head, over a padded batch; what is not visible has a weight of 0."""
    transformer, oracle = tiny_bert(tmp_path)
    slots, source_length = some_pairs(method)
    found = attention_maps(transformer, slots, source_length)
    allowed, real = visible(slots, slots), slots.group.ne(PADDING)
    arguments = oracle.arguments(slots.token, slots.position, slots.segment, allowed)
    with torch.no_grad():
        expected = oracle.model.base_model(**arguments, output_attentions=True).attentions
    assert len(found) == len(expected) == 3 and not real.all()
    for ours, theirs in zip(found, expected):
        torch.testing.assert_close(ours.transpose(1, 2)[real], theirs.transpose(1, 2)[real], atol=1e-5, rtol=0)
        assert not ours.transpose(1, 2)[real].masked_select(~allowed[real].unsqueeze(1)).any()


@pytest.mark.parametrize("method", METHODS)
def test_recording_changes_no_hidden_state(method: str) -> None:
    model = random_model(method)
    slots, source_length = some_pairs(method)
    before = model.hidden(slots, source_length)
    assert attention_maps(model.transformer, slots, source_length)[0].shape[1:] == (2, *visible(slots, slots).shape[1:])
    assert model.hidden(slots, source_length).equal(before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_noise_replaces_known_target_tokens_only(method: str, share: float) -> None:
    """Sources, masks, labels and the token that opens the target stay; a token replaced by itself is clean."""
    made_by = objective(method)
    source = ids("[CLS] w1 w2 [SEP]" if made_by.layout.source_end else "[CLS] w1 w2")
    target = ids(" ".join(f"w{n}" for n in range(3, 33)) + " [SEP]")
    blocks = made_by.evaluate(source, target)
    made = noised(blocks, target=target, share=share, words=WORDS, rng=np.random.default_rng(0))
    assert made.blocks.source.token.equal(blocks.source.token) and made.blocks.query.token.equal(blocks.query.token)
    assert made.blocks.packed().label.equal(blocks.packed().label)
    known, replaced = blocks.target.token[0], made.blocks.target.token[0]
    start = len(known) - len(target)
    assert replaced[:start].equal(known[:start])
    s, t = blocks.source.token.size(1), blocks.target.token.size(1)
    assert made.kind[:s].eq(SOURCE).all() and made.kind[s + t :].eq(MASKS).all()
    assert made.kind[s : s + t].eq(NOISED).equal(replaced.ne(known))
    changed = int(replaced.ne(known).sum())
    assert {0.0: changed == 0, 0.5: 5 < changed < 25, 1.0: changed > 25}[share]


@pytest.mark.parametrize("method", METHODS)
def test_shares_are_a_plain_count(method: str) -> None:
    """Slot by slot: the attention of each predicting slot, summed by the kind of what it attends to."""
    made_by, model = objective(method), random_model(method)
    source = ids("[CLS] w1 w2 [SEP]" if made_by.layout.source_end else "[CLS] w1 w2")
    target = ids("w3 w4 w5 w6 w7 [SEP]")
    example = noised(made_by.evaluate(source, target), target=target, share=0.5, words=WORDS,
                     rng=np.random.default_rng(1))  # fmt: skip
    slots, source_length = example.blocks.packed(), example.blocks.source.token.size(1)
    weights = attention_maps(model.transformer, slots, source_length)[-1]
    found = shares(weights, example)
    total, keys, looks = [0.0] * len(KINDS), [0] * len(KINDS), 0
    for row in range(slots.token.size(1)):
        if slots.label[0, row] == IGNORE:
            continue
        looks += 1
        for column in range(slots.token.size(1)):
            kind = int(example.kind[column])
            total[kind] += float(weights[0, :, row, column].mean())
            keys[kind] += int(visible(slots, slots)[0, row, column])
    assert looks == found.slots == 6
    assert list(found.share().values()) == pytest.approx([each / looks for each in total])
    assert list(found.per_key().values()) == pytest.approx([each / max(1, n) for each, n in zip(total, keys)])
    assert sum(found.share().values()) == pytest.approx(1)
    assert (found.share()["masks"] > 0) == (made_by.layout.query is not None)
    assert found.share()["noised target"] > 0 and found.share()[KINDS[CLEAN]] > 0


def test_shares_add_up() -> None:
    one = Shares(torch.tensor([1.0, 0.0, 2.0, 0.0], dtype=torch.float64), torch.tensor([2, 0, 4, 0]), 3)
    both = Shares.none().plus(one).plus(one)
    assert both.slots == 6 and both.share() == one.share() and both.per_key() == one.per_key()
    assert Shares.none().share() == dict.fromkeys(KINDS, 0.0)
