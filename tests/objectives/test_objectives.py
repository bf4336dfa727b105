"""Fine-tuning methods: what is labelled, and that noise has the shares and limits of the papers."""

from collections import Counter
from typing import Dict

import numpy as np
import pytest
import torch
from builders import CLS, MASK, METHODS, SEP, UNK, VOCABULARY, framed, ids, objective, random_words
from chance import MANY, assert_share, assert_uniform, rng
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.objectives.finetuning import OBJECTIVES, FinetuningObjective, register_objective
from s2sft_fairseq.objectives.slots import IGNORE, PADDING, Blocks, Slots

PREDICT_ALL = [method for method in METHODS if method != "masked"]


def source_of(method_objective: FinetuningObjective, words: Tensor) -> Tensor:
    """A framed source."""
    return framed(words, start=[CLS], end=[SEP] if method_objective.layout.source_end else [])


def train(method_objective: FinetuningObjective, target: Tensor, *, seed: int = 0) -> Blocks:
    """A training example with a short source."""
    return method_objective.train(source_of(method_objective, ids("w1 w2")), target, rng(seed))


def labels_by_position(slots: Slots) -> Dict[int, int]:
    """The label at each labelled position of one packed sentence."""
    labelled = slots.label.ne(IGNORE)
    positions = slots.position[labelled].tolist()
    assert len(set(positions)) == len(positions), "a position is predicted twice"
    return dict(zip(positions, slots.label[labelled].tolist()))


lengths = st.integers(min_value=0, max_value=12)
shares = st.floats(min_value=0, max_value=1)


class TestLabels:
    """What every method, also one to come, must hold to."""

    @pytest.mark.parametrize("method", METHODS)
    @settings(max_examples=40, deadline=None)
    @given(source=lengths, target=lengths, share=shares, seed=st.integers(0, 2**32 - 1))
    def test_complete_and_true(self, method: str, source: int, target: int, share: float, seed: int) -> None:
        """Evaluation predicts each token once, in order; training some of these, at the same positions."""
        made_by = objective(method, target_mask_prob=share, source_mask_prob=share)
        words, answer = random_words(rng(seed), source), framed(random_words(rng(seed), target), end=[SEP])
        evaluated = made_by.evaluate(source_of(made_by, words), answer).packed()
        all_labels = labels_by_position(evaluated)
        assert [label for _, label in sorted(all_labels.items())] == answer.tolist()
        trained = made_by.train(source_of(made_by, words), answer, rng(seed)).packed()
        labels = labels_by_position(trained)
        assert labels and labels.items() <= all_labels.items()
        assert not trained.group.eq(PADDING).any() and not evaluated.group.eq(PADDING).any()

    @pytest.mark.parametrize("method", PREDICT_ALL)
    def test_training_predicts_all(self, method: str) -> None:
        answer = framed(random_words(rng(), 9), end=[SEP])
        assert len(labels_by_position(train(objective(method), answer).packed())) == len(answer)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_query_never_holds_its_answer_unless_it_is_kept(self, method: str) -> None:
        """Without kept and random tokens, every query slot holds the method's query token."""
        made_by = objective(method, mask_keep_prob=0.0, mask_random_prob=0.0)
        packed = train(made_by, framed(random_words(rng(), 9), end=[SEP])).packed()
        assert packed.token[packed.group.gt(0)].eq(made_by.layout.query or MASK).all()


@pytest.mark.parametrize("method", METHODS)
def test_positions_of_the_longest_pair(method: str) -> None:
    """They fill the table that the method asks for, to its last row if the source has an end."""
    made_by = objective(method)
    source, answer = source_of(made_by, random_words(rng(), 9)), framed(random_words(rng(), 4), end=[SEP])
    rows = len(source) + len(answer) + OBJECTIVES[method].extra_positions
    for blocks in (made_by.train(source, answer, rng()), made_by.evaluate(source, answer)):
        assert blocks.packed().position.max() == rows - 1


def test_shares_when_none_is_given() -> None:
    """As --help says: half of the target, or none of it."""
    shares = {method: objective(method).corruption.target_mask_prob for method in METHODS}
    assert shares == {"causal": 0.0, "infilling": 0.0, "masked": 0.5, "pseudo_masked": 0.5}


class TestStandIns:
    """Of the tokens chosen: 10 % kept, 10 % random, the others masked (reference code of 000)."""

    @pytest.mark.parametrize(("keep", "random"), [(0.1, 0.1), (0.3, 0.5), (0.0, 1.0), (1.0, 0.0)])
    def test_shares(self, keep: float, random: float) -> None:
        corruption = objective("masked", mask_keep_prob=keep, mask_random_prob=random).corruption
        known = ids("w7").expand(MANY)
        drawn = corruption.mask_replacements(known, rng())
        again = 1 / len(VOCABULARY.ordinary_ids())
        assert_share(int(drawn.eq(MASK).sum()), of=MANY, expected=1 - keep - random)
        assert_share(int(drawn.eq(known).sum()), of=MANY, expected=keep + random * again)

    def test_random_ones_are_ordinary_and_equally_likely(self) -> None:
        """No special token and no [unusedN] is ever drawn."""
        corruption = objective("masked", mask_keep_prob=0.0, mask_random_prob=1.0).corruption
        counts = Counter(VOCABULARY[i] for i in corruption.mask_replacements(ids("w7").expand(MANY), rng()).tolist())
        words = {token for token in VOCABULARY.symbols if token.startswith("w")}
        assert set(counts) == words
        assert_uniform(counts, len(words))

    def test_the_whole_vocabulary_when_asked(self) -> None:
        """As the published code: randint(0, V − 1), special tokens among them."""
        corruption = objective("masked", mask_keep_prob=0.0, mask_random_prob=1.0, random_tokens="all").corruption
        counts = Counter(corruption.mask_replacements(ids("w7").expand(MANY), rng()).tolist())
        assert set(counts) == set(range(len(VOCABULARY)))
        assert_uniform(counts, len(VOCABULARY))

    @pytest.mark.parametrize(
        ("flag", "options"),
        [
            ("--target-mask-prob is 1.5", {"target_mask_prob": 1.5}),
            ("--target-mask-prob is -0.5", {"target_mask_prob": -0.5}),
            ("--source-mask-prob is 2", {"source_mask_prob": 2.0}),
            ("--mask-keep-prob is -1", {"mask_keep_prob": -1.0, "mask_random_prob": 1.0}),
            ("--mask-random-prob is -1", {"mask_keep_prob": 1.0, "mask_random_prob": -1.0}),
            ("plus --mask-random-prob is 1.2", {"mask_keep_prob": 0.6, "mask_random_prob": 0.6}),
            ("--target-mask-prob is nan", {"target_mask_prob": float("nan")}),
        ],
    )
    def test_what_is_no_probability_is_refused(self, flag: str, options: Dict[str, float]) -> None:
        with pytest.raises(UserError, match=flag):
            objective("masked", **options)


class TestMasked:
    """000, section 2.2."""

    @pytest.mark.parametrize("share", [0.0, 0.15, 0.5, 0.7, 1.0])
    @pytest.mark.parametrize("length", [1, 2, 7, 200])
    def test_number_of_masked_tokens(self, share: float, length: int) -> None:
        """max(1, int(p · m)), without a cap (the published default caps it at one)."""
        answer = framed(random_words(rng(), length - 1), end=[SEP])
        made_by = objective("masked", target_mask_prob=share)
        count = int(train(made_by, answer).target.label.ne(IGNORE).sum())
        assert count == max(1, int(share * length))

    def test_every_position_is_as_likely_the_end_included(self) -> None:
        made_by = objective("masked", target_mask_prob=0.4)
        answer = ids("w1 w2 w3 w4 [SEP]")
        chosen = sum(train(made_by, answer, seed=s).target.label[0].ne(IGNORE).int() for s in range(1000))
        for count in chosen.tolist():
            assert_share(count, of=1000, expected=0.4)

    def test_the_others_stay(self) -> None:
        answer = framed(random_words(rng(), 99), end=[SEP])
        known = train(objective("masked"), answer).target
        given_away = known.label.ne(IGNORE)
        assert known.token[~given_away].equal(answer[None][~given_away])
        assert known.label[given_away].equal(answer[None][given_away])


class TestPseudoMasked:
    """000, section 2.3; the noise is that of the published code."""

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
    def test_known_tokens_give_way_to_their_own_pseudo_mask(self, share: float) -> None:
        """One draw serves both streams."""
        answer = framed(random_words(rng(1), MANY), end=[SEP])
        blocks = train(objective("pseudo_masked", target_mask_prob=share), answer)
        known, query = blocks.target.token[0], blocks.query.token[0]
        replaced = known.ne(answer)
        assert known[replaced].equal(query[replaced])
        assert_share(int(replaced.sum()), of=int(query.ne(answer).sum()), expected=share)

    def test_pseudo_masks_are_noised_too(self) -> None:
        query = train(objective("pseudo_masked"), framed(random_words(rng(1), MANY), end=[SEP])).query
        assert_share(int(query.token.ne(MASK).sum()), of=query.token.numel(), expected=0.2)


class TestCausal:
    """000, section 2.1."""

    @pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
    def test_known_tokens_are_dropped_but_never_the_start(self, share: float) -> None:
        made_by = objective("causal", target_mask_prob=share, mask_keep_prob=0.0, mask_random_prob=0.0)
        answer = framed(random_words(rng(1), MANY), end=[SEP])
        known = train(made_by, answer).target.token[0]
        assert known[0] == SEP
        assert_share(int(known[1:].eq(MASK).sum()), of=MANY, expected=share)
        assert known[known.ne(MASK)][1:].equal(answer[:-1][known[1:].ne(MASK)])

    def test_no_noise_unless_asked_for(self) -> None:
        answer = framed(random_words(rng(1), 50), end=[SEP])
        made_by = objective("causal")
        evaluated = made_by.evaluate(source_of(made_by, ids("w1 w2")), answer)
        assert train(made_by, answer).packed().token.equal(evaluated.packed().token)


@pytest.mark.parametrize("method", METHODS)
class TestSourceNoise:
    @pytest.mark.parametrize("share", [0.25, 1.0])
    def test_share(self, method: str, share: float) -> None:
        made_by = objective(method, source_mask_prob=share, mask_keep_prob=0.0, mask_random_prob=0.0)
        source = source_of(made_by, ids("w7").expand(MANY))
        noised = made_by.train(source, ids("w1 [SEP]"), rng()).source.token[0]
        assert_share(int(noised.eq(MASK).sum()), of=MANY, expected=share)

    def test_special_tokens_are_spared(self, method: str) -> None:
        """[CLS] and [SEP] stay, and the last word of a source without [SEP] does not."""
        made_by = objective(method, source_mask_prob=1.0, mask_keep_prob=0.0, mask_random_prob=0.0)
        noised = made_by.train(source_of(made_by, ids("w1 w2 w3")), ids("w1 [SEP]"), rng()).source.token[0]
        assert noised.equal(source_of(made_by, ids("[MASK] [MASK] [MASK]")))

    def test_off_by_default(self, method: str) -> None:
        source = source_of(objective(method), random_words(rng(), 50))
        assert objective(method).train(source, ids("w1 [SEP]"), rng()).source.token[0].equal(source)

    def test_whatever_is_drawn_the_layout_is_that_of_the_text(self, method: str) -> None:
        """A padding token that noise brings in is no padding."""
        noise = dict(mask_keep_prob=0.0, mask_random_prob=1.0, random_tokens="all")
        made_by = objective(method, source_mask_prob=1.0, target_mask_prob=1.0, **noise)
        source, answer = source_of(made_by, random_words(rng(), 300)), framed(random_words(rng(1), 300), end=[SEP])
        packed = made_by.train(source, answer, rng()).packed()
        assert (packed.token.eq(VOCABULARY.pad()) & packed.group.ne(PADDING)).any()
        assert not packed.group.eq(PADDING).any()
        assert packed.token.numel() == made_by.train_slots(np.array([len(source)]), np.array([len(answer)]))[0]

    def test_an_empty_source_is_left_alone(self, method: str) -> None:
        made_by = objective(method, source_mask_prob=1.0)
        source = source_of(made_by, ids(""))
        assert made_by.train(source, ids("w1 [SEP]"), rng()).source.token[0].equal(source)


@pytest.mark.parametrize("method", METHODS)
def test_special_tokens_come_from_text_alone(method: str) -> None:
    """Whatever the noise, the only special token that it brings in is the mask."""
    made_by = objective(method, target_mask_prob=1.0, mask_keep_prob=0.0, mask_random_prob=0.9, source_mask_prob=1.0)
    answer = framed(random_words(rng(), 500), end=[SEP])
    blocks = made_by.train(source_of(made_by, random_words(rng(), 500)), answer, rng())
    inner = torch.cat([blocks.source.token[0, 1:-1], blocks.target.token[0, 1:], blocks.query.token[0]])
    assert not torch.isin(inner, torch.tensor([UNK, CLS, VOCABULARY.pad(), *ids("[unused0] [unused1]")])).any()
    assert inner.eq(MASK).any() and torch.isin(inner, ids("w0 w1 w2")).any()


def test_a_name_is_registered_once() -> None:
    with pytest.raises(AssertionError, match="two objectives are named causal"):
        register_objective("causal")(OBJECTIVES["masked"])
