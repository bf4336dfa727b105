"""UniLM's four language models: slots by hand, sight by figure 1, and how often what is drawn."""

from collections import Counter
from typing import List

import numpy as np
import pytest
import torch
from builders import CLS, MASK, SEP, VOCABULARY
from chance import assert_share, rng
from corpora import small_texts
from pretraining_objectives import SIZES, example, pretraining, rows, small_data, text_pair

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.objectives.pretraining.unilm import (
    BIDIRECTIONAL,
    LANGUAGE_MODELS,
    LEFT_TO_RIGHT,
    RIGHT_TO_LEFT,
    SEQ2SEQ,
    parse_shares,
)
from s2sft_fairseq.objectives.slots import IGNORE
from s2sft_fairseq.objectives.visibility import visible

KINDS = range(4)


def in_order(kind: int, *, first: int = 2, second: int = 2, **options: object):
    """The slots of an example in the order of the text."""
    packed = example("unilm", text_pair(first, second, kind=kind), **options).blocks.packed()
    return type(packed)(*(field[:, packed.position[0].argsort()] for field in packed))


class TestByHand:
    """[CLS] a b [SEP] c d [SEP], or, as a single text, [CLS] a b c d [SEP]."""

    @pytest.mark.parametrize(
        ("kind", "segments", "steps"),
        [
            (BIDIRECTIONAL, [0, 0, 0, 0, 1, 1, 1], [0] * 7),
            (SEQ2SEQ, [4, 4, 4, 4, 5, 5, 5], [0, 0, 0, 0, 1, 2, 3]),
            (LEFT_TO_RIGHT, [2] * 6, [0, 1, 2, 3, 4, 5]),
            (RIGHT_TO_LEFT, [3] * 6, [5, 4, 3, 2, 1, 0]),
        ],
    )
    def test_slots(self, kind: int, segments: List[int], steps: List[int]) -> None:
        slots = in_order(kind, noise=False)
        assert rows(slots.segment) == segments and rows(slots.step) == steps
        assert rows(slots.position) == list(range(len(steps))) and set(rows(slots.group)) == {0}
        text = text_pair(2, 2)
        ends = [[SEP], []] if kind in (LEFT_TO_RIGHT, RIGHT_TO_LEFT) else [[SEP], [SEP]]
        middle = ends[1]
        expected = [CLS, *text.first.tolist(), *middle, *text.second.tolist(), SEP]
        shown = torch.where(slots.label.eq(IGNORE), slots.token, slots.label)
        assert rows(shown) == expected
        assert set(rows(slots.token[slots.label.ne(IGNORE)].unsqueeze(0))) == {MASK}

    @pytest.mark.parametrize(
        ("kind", "known"), [(BIDIRECTIONAL, 7), (SEQ2SEQ, 4), (LEFT_TO_RIGHT, 1), (RIGHT_TO_LEFT, 1)]
    )
    def test_the_source_block_is_known_from_the_start(self, kind: int, known: int) -> None:
        blocks = example("unilm", text_pair(2, 2, kind=kind)).blocks
        assert blocks.source.token.size(1) == known and not blocks.query.token.numel()
        assert blocks.source.step.eq(0).all() and blocks.target.step.gt(0).all()
        assert rows(blocks.source.token)[-1:] == ([CLS] if kind == LEFT_TO_RIGHT else [SEP])

    @pytest.mark.parametrize("kind", KINDS)
    def test_figure_1(self, kind: int) -> None:
        """Who sees whom: everything, to the left, to the right, or the first text and what is left in the second."""
        slots = in_order(kind, first=3, second=4)
        n = slots.token.size(1)
        place = torch.arange(n)
        expected = {
            BIDIRECTIONAL: torch.ones(n, n, dtype=torch.bool),
            LEFT_TO_RIGHT: place <= place[:, None],
            RIGHT_TO_LEFT: place >= place[:, None],
            SEQ2SEQ: (place < 5).expand(n, n) | ((place <= place[:, None]) & (place[:, None] >= 5)),
        }[kind]
        assert visible(slots, slots)[0].equal(expected)


class TestMasks:
    @pytest.mark.parametrize("kind", KINDS)
    def test_words_are_masked_and_no_special_token(self, kind: int) -> None:
        for seed in range(60):
            slots = in_order(kind, first=4, second=9, seed=seed)
            predicted = slots.label[slots.label.ne(IGNORE)]
            assert len(predicted) == round(0.15 * 13) and not {*predicted.tolist()} & {CLS, SEP}

    def test_replacements(self) -> None:
        """80 % masks, 10 % random, 10 % the token itself; a random token may be it, too."""
        counts: Counter = Counter()
        for seed in range(400):
            slots = in_order(BIDIRECTIONAL, first=20, second=20, seed=seed)
            labelled = slots.label.ne(IGNORE)
            for token, label in zip(slots.token[labelled].tolist(), slots.label[labelled].tolist()):
                counts["mask" if token == MASK else "same" if token == label else "other"] += 1
        total, ordinary = sum(counts.values()), len(VOCABULARY.ordinary_ids())
        assert_share(counts["mask"], of=total, expected=0.8)
        assert_share(counts["same"], of=total, expected=0.1 + 0.1 / ordinary)

    def test_a_single_word(self) -> None:
        for kind in KINDS:
            slots = in_order(kind, first=1, second=0)
            assert int(slots.label.ne(IGNORE).sum()) == 1


class TestShares:
    def test_of_language_models(self) -> None:
        kinds = Counter(pretraining("unilm").kinds(60_000, training=True, rng=rng()).tolist())
        for kind, expected in zip(KINDS, (1 / 3, 1 / 3, 1 / 6, 1 / 6)):
            assert_share(kinds[kind], of=60_000, expected=expected)

    def test_evaluated_texts_take_turns(self) -> None:
        kinds = pretraining("unilm").kinds(8, training=False, rng=rng()).tolist()
        assert kinds == [0, 1, 0, 1, 2, 3, 0, 1]
        some = pretraining("unilm", lm_shares="seq2seq:1,right_to_left:2")
        assert some.kinds(4, training=False, rng=rng()).tolist() == [1, 1, 3, 1]

    @pytest.mark.parametrize("text", ["", "seq2seq", "seq2seq:0", "causal:1", "seq2seq:1,seq2seq:2", "seq2seq:-1"])
    def test_that_are_none(self, text: str) -> None:
        with pytest.raises(UserError, match=r"--lm-shares .*expected NAME:WEIGHT"):
            parse_shares(text)


class TestNextSentence:
    def labels(self, **options: object) -> Counter:
        objective = pretraining("unilm", lm_shares="bidirectional:1", **options)
        layout = small_texts([3, 4, 5, 0] * 2000, 12).layout
        spans = objective.spans(layout, longest=12, training=True, rng=rng())
        return Counter(spans.unrelated.tolist())

    def test_every_second_text_is_of_another_document(self) -> None:
        counts = self.labels(short_texts=0.0)
        assert_share(counts[1], of=2000, expected=0.5)

    def test_a_block_of_one_line_never_goes_on(self) -> None:
        objective = pretraining("unilm", lm_shares="bidirectional:1", short_texts=0.0)
        spans = objective.spans(small_texts([7, 0] * 50, 12).layout, longest=12, training=True, rng=rng())
        assert spans.unrelated.all()

    def test_only_bidirectional_pairs_are_labelled(self) -> None:
        for index in range(len(data := small_data("unilm"))):
            kind, made = int(data.spans.kind[index]), data[index]["example"]
            assert (made.unrelated != IGNORE) == (kind == BIDIRECTIONAL)
            assert kind == BIDIRECTIONAL or not data.spans.unrelated[index]

    def test_left_out(self) -> None:
        assert self.labels(no_nsp=True)[1] == 0
        data = small_data("unilm", no_nsp=True)
        assert all(data[index]["example"].unrelated == IGNORE for index in range(len(data)))
        assert data.collater([data[0]])["packed"].unrelated is None

    def test_a_single_document_is_refused(self) -> None:
        with pytest.raises(UserError, match=r"^the text has only one document, .*; .*--no-nsp"):
            pretraining("unilm").check(1, where="the text")
        pretraining("unilm").check(2, where="the text")
        pretraining("unilm", no_nsp=True).check(1, where="the text")
        pretraining("unilm", lm_shares="seq2seq:1").check(1, where="the text")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_share": 0.0}, "--mask-share is 0.0"),
        ({"mask_share": float("nan")}, "--mask-share is nan"),
        ({"short_texts": 1.5}, "--short-texts is 1.5"),
        (
            {"target_mask_prob": 0.5},
            "--target-mask-prob is noise of fine-tuning, which --objective unilm does not have",
        ),
    ],
    ids=str,
)
def test_options_that_cannot_be(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pretraining("unilm", **options)


def test_the_losses_of_a_batch_are_told_by_their_segments() -> None:
    data = small_data("unilm")
    batch = data.collater([data[index] for index in range(len(data))])["packed"]
    expected = [
        int(data.spans.kind[index]) for index in range(len(data)) for _ in range(int(batch.labels_per_example()[index]))
    ]
    assert batch.loss_number.tolist() == expected and data.objective.losses == LANGUAGE_MODELS
    assert batch.needed()[:, 0].all() and batch.sample_size() == len(expected)
    assert SIZES and len(np.unique(expected)) > 1


def test_examples_are_those_of_the_epoch() -> None:
    """Another epoch draws other language models and pairs, and the first one again what it drew before."""
    data = small_data("unilm")
    drawn = []
    for epoch in (1, 2, 1):
        data.set_epoch(epoch)
        drawn.append([column.tolist() for column in data.spans])
    assert drawn[0] == drawn[2] != drawn[1]
