"""Infilling generation (003): noise on the known target, the flows, and what each counts in the loss."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from builders import CLS, METHODS, PAD, SEP, VOCABULARY, framed, ids, objective, random_model, random_words, span_file
from chance import MANY, assert_share, assert_uniform, rng
from leaks import hidden_states, perturbations, reached
from torch import Tensor

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.common.registered_options import check_declared
from s2sft_fairseq.data.pair_dataset import packed_batch
from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.objectives.slots import IGNORE, Blocks, collate
from s2sft_fairseq.objectives.visibility import visible
from s2sft_fairseq.training.criterion import SlotCriterion

SOURCE = ids("[CLS] w0 w1 [SEP]")
SPANS = ("w1 w2 w3", "w4 w5", "w5 w6")
TARGET = ids("w1 w2 w3 w4 w5 w6 w1 w2 [SEP]")


def train(target: Tensor, *, seed: int = 0, **options: Any) -> Blocks:
    """A training example."""
    return objective("infilling", **options).train(SOURCE, target, rng(seed))


def both_flows(folder: Path, weight: float = 0.5, **options: Any) -> Dict[str, Any]:
    """Options of a span flow beside the word flow."""
    return {"word_flow_weight": weight, "span_vocab": span_file(folder, *SPANS), **options}


class TestNoise:
    """Section 3.2: known words are replaced, the words to predict are not."""

    @pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.7, 1.0])
    def test_rate(self, share: float) -> None:
        """Every known token has the same chance, the end included; a random one may be what it replaces."""
        answer = framed(ids("w7").expand(MANY), end=[SEP])
        known = train(answer, noise_prob=share).target.token[0]
        other = 1 - 1 / len(VOCABULARY.ordinary_ids())
        assert_share(int(known[1:-1].ne(answer[:-1]).sum()), of=MANY, expected=share * other)

    def test_the_end_is_noised_as_others_are(self) -> None:
        ends = [train(ids("w1 [SEP]"), noise_prob=0.3, seed=seed).target.token[0, -1] for seed in range(1000)]
        assert_share(sum(int(end != SEP) for end in ends), of=1000, expected=0.3)

    def test_words_are_equally_likely_and_ordinary(self) -> None:
        known = train(framed(ids("w7").expand(MANY), end=[SEP]), noise_prob=1.0).target.token[0, 1:-1]
        counts = Counter(VOCABULARY[row] for row in known.tolist())
        words = {token for token in VOCABULARY.symbols if token.startswith("w")}
        assert set(counts) == words
        assert_uniform(counts, len(words))

    def test_the_whole_vocabulary_when_asked(self) -> None:
        """As the published code draws it."""
        made = train(framed(ids("w7").expand(MANY), end=[SEP]), noise_prob=1.0, random_tokens="all")
        counts = Counter(made.target.token[0, 1:].tolist())
        assert set(counts) == set(range(len(VOCABULARY)))
        assert_uniform(counts, len(VOCABULARY))

    def test_positions_are_independent(self) -> None:
        """Chi-square of the four outcomes of two neighbours."""
        known = train(framed(ids("w7").expand(MANY), end=[SEP]), noise_prob=0.5, noise_token="[MASK]")
        noised = known.target.token[0, 1:-1].eq(VOCABULARY.mask()).view(-1, 2)
        assert_uniform(Counter((2 * noised[:, 0] + noised[:, 1]).tolist()), 4)

    def test_start_queries_and_labels_stay(self) -> None:
        answer = framed(random_words(rng(), 50), end=[SEP])
        noised = train(answer, noise_prob=1.0)
        assert noised.target.token[0, 0] == CLS
        assert noised.query.token.eq(VOCABULARY.index("[ATTN]")).all()
        assert noised.query.label[0].equal(answer)

    def test_a_token_of_noise(self) -> None:
        known = train(framed(ids("w7").expand(MANY), end=[SEP]), noise_prob=0.6, noise_token="[unused1]")
        assert_share(int(known.target.token.eq(VOCABULARY.index("[unused1]")).sum()), of=MANY + 1, expected=0.6)

    def test_a_token_that_the_vocabulary_lacks(self) -> None:
        with pytest.raises(UserError, match=r"--noise-token \[NOISE\] is not in the vocabulary; expected"):
            objective("infilling", noise_token="[NOISE]")

    @pytest.mark.parametrize("option", ["noise_prob", "word_flow_weight"])
    @pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
    def test_what_is_no_probability(self, option: str, value: float) -> None:
        with pytest.raises(UserError, match=f"--{option.replace('_', '-')} is {value}"):
            objective("infilling", **{option: value})


class TestFlows:
    """Section 3.3: word by word, span by span, in one pass."""

    def test_span_flow_slot_by_slot(self, tmp_path: Path) -> None:
        """A query at every position, at the step of its span's first token: w1w2w3 | w4w5 | w6 | w1 | w2 | [SEP]."""
        words, spans = train(TARGET, **both_flows(tmp_path)).query, slice(len(TARGET), None)
        alone = train(TARGET).query
        assert words.columns(0, len(TARGET)).token.equal(alone.token)
        for name in ("token", "position", "segment", "label"):
            assert getattr(words, name)[:, spans].equal(getattr(alone, name)), name
        steps = words.step[0, spans] - words.step[0, 0]
        assert steps.tolist() == [0, 0, 0, 3, 3, 5, 6, 7, 8]
        assert len(words.group.unique()) == 2 * len(TARGET)

    def test_noise_is_that_of_the_word_flow(self, tmp_path: Path) -> None:
        """Both read the same context, so the span flow changes none of the draws."""
        noise: Dict[str, Any] = {"noise_prob": 0.5, "source_mask_prob": 0.5}
        one, both = train(TARGET, **noise), train(TARGET, **both_flows(tmp_path), **noise)
        assert one.target.token.equal(both.target.token) and one.source.token.equal(both.source.token)

    def test_spans_are_asked_for(self) -> None:
        with pytest.raises(UserError, match=r"--word-flow-weight 0.5 needs spans .* add --span-vocab FILE"):
            objective("infilling", word_flow_weight=0.5)

    def test_a_missing_file_is_told_before_training(self) -> None:
        made_by = objective("infilling", word_flow_weight=0.5, span_vocab="nowhere.txt")
        with pytest.raises(UserError, match=r"nowhere.txt cannot be read"):
            made_by.prepare()

    def test_what_is_given_in_vain_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """No file is read for the word flow; nothing is put in without noise."""
        objective("infilling", span_vocab="nowhere.txt").prepare()
        assert "--span-vocab is ignored" in caplog.text and "--noise-token" not in caplog.text
        objective("infilling", noise_token="[MASK]").prepare()
        assert "--noise-token [MASK] is ignored" in caplog.text
        caplog.clear()
        objective("infilling", noise_token="[MASK]", noise_prob=0.1).prepare()
        assert not caplog.text

    @pytest.mark.parametrize(("weight", "flows"), [(1.0, 1), (0.5, 2), (0.0, 1)])
    def test_number_of_slots(self, tmp_path: Path, weight: float, flows: int) -> None:
        """What --max-tokens counts is what is laid out; a flow without weight takes no slot."""
        made_by = objective("infilling", **both_flows(tmp_path, weight))
        packed = made_by.train(SOURCE, TARGET, rng()).packed()
        assert packed.token.numel() == made_by.train_slots(np.array([len(SOURCE)]), np.array([len(TARGET)]))[0]
        assert packed.token.numel() == len(SOURCE) + 1 + (1 + flows) * len(TARGET)


class TestNoLeak:
    """In one pass of both flows, over the packed slots that training makes."""

    def test_perturbing_a_slot_changes_those_that_see_it(self, tmp_path: Path) -> None:
        """All of them, and no other, through all layers."""
        examples = [objective("infilling", **both_flows(tmp_path)).train(SOURCE, TARGET, rng())]
        slots, model = collate(examples, pad=PAD).packed(), random_model("infilling")
        may_change, must_change = reached(slots, model.cfg.encoder_layers), visible(slots, slots)
        before = hidden_states(model, (slots, len(SOURCE)))
        for column, perturbed in perturbations(slots):
            changed = hidden_states(model, (perturbed, len(SOURCE))).ne(before).any(dim=2)
            assert not (changed & ~may_change[:, :, column]).any(), f"column {column} leaks"
            assert changed[must_change[:, :, column]].all(), f"column {column} is not seen"

    def test_a_token_changes_the_predictions_behind_it_or_behind_its_span(self, tmp_path: Path) -> None:
        """Not derived from the rule: w1w2w3 | w4w5 | w6 | w1 | w2 | [SEP], each known token changed in turn."""
        slots = train(TARGET, **both_flows(tmp_path)).packed()
        model, known, length = random_model("infilling"), len(SOURCE) + 1, len(TARGET)
        first = torch.tensor([0, 0, 0, 3, 3, 5, 6, 7, 8])
        before = hidden_states(model, (slots, len(SOURCE)))[0, -2 * length :]
        for changed in range(length):
            token = slots.token.clone()
            token[0, known + changed] = ids("w9")
            after = hidden_states(model, (slots._replace(token=token), len(SOURCE)))[0, -2 * length :]
            by_words, by_spans = after.ne(before).any(1).view(2, length)
            assert by_words.tolist() == torch.arange(length).gt(changed).tolist()
            assert by_spans.tolist() == first.gt(changed).tolist()


def batch(*, seed: int = 0, **options: Any) -> Dict[str, Any]:
    """A ragged batch as the data set makes it."""
    made_by = objective("infilling", **options)
    targets = [TARGET, ids("w4 w5 [SEP]"), ids("[SEP]")]
    examples = [made_by.train(SOURCE[: 2 + row], target, rng(seed + row)) for row, target in enumerate(targets)]
    return {"packed": packed_batch(examples, made_by, training=True), "nsentences": len(targets)}


def evaluated(sample: Dict[str, Any], *, epsilon: float = 0.1) -> List[Any]:
    """Loss, sample size, logged nll and the gradients of all weights."""
    model = random_model("infilling", dtype=torch.float32).train(False)
    loss, size, logged = SlotCriterion(None, epsilon)(model, sample)
    loss.backward()
    return [loss.detach(), size, logged["nll_loss"], [weight.grad for weight in model.parameters()]]


class TestWeights:
    """Equation 7: λ · the loss of the word flow + (1 − λ) · that of the span flow."""

    def test_one_is_the_word_flow_bit_by_bit(self, tmp_path: Path) -> None:
        """Slots, loss and gradients are those of a run that knows no span flow, and nothing more is computed."""
        noise: Dict[str, Any] = {"noise_prob": 0.5, "source_mask_prob": 0.3}
        with_spans, without = batch(**both_flows(tmp_path, 1.0), **noise), batch(**noise)
        assert with_spans["packed"].weight is None
        for name, field in without["packed"].slots._asdict().items():
            assert field.equal(getattr(with_spans["packed"].slots, name)), name
        one, other = evaluated(with_spans), evaluated(without)
        assert one[:3] == other[:3]
        assert all(a.equal(b) for a, b in zip(one[3], other[3]))

    @pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.9])
    @pytest.mark.parametrize("epsilon", [0.0, 0.1])
    def test_the_sum_of_both_flows(self, tmp_path: Path, weight: float, epsilon: float) -> None:
        """Against one flow a pass: loss, nll and every gradient."""
        parts = [evaluated(batch(**both_flows(tmp_path, alone)), epsilon=epsilon) for alone in (1.0, 0.0)]
        both = evaluated(batch(**both_flows(tmp_path, weight)), epsilon=epsilon)
        for kind in (0, 2):
            expected = weight * parts[0][kind] + (1 - weight) * parts[1][kind]
            torch.testing.assert_close(both[kind], expected, rtol=1e-5, atol=1e-4)
        for gradient, by_words, by_spans in zip(both[3], parts[0][3], parts[1][3]):
            torch.testing.assert_close(gradient, weight * by_words + (1 - weight) * by_spans, rtol=1e-4, atol=1e-4)
        assert both[1] == pytest.approx(parts[0][1], rel=1e-6)

    def test_the_flows_differ(self, tmp_path: Path) -> None:
        """Else the sum would prove nothing."""
        by_words, by_spans = (evaluated(batch(**both_flows(tmp_path, weight)))[0] for weight in (1.0, 0.0))
        assert abs(by_words - by_spans) > 1e-3

    def test_losses_of_single_slots(self, tmp_path: Path) -> None:
        sample = batch(**both_flows(tmp_path, 0.25))
        model = random_model("infilling", dtype=torch.float32)
        each, size, _ = SlotCriterion(None, 0.1)(model, sample, reduce=False)
        total, same_size, _ = SlotCriterion(None, 0.1)(model, sample)
        torch.testing.assert_close(each.sum(), total, rtol=1e-5, atol=1e-4)
        assert size == same_size and each.numel() == 2 * size

    def test_evaluation_has_one_flow(self, tmp_path: Path) -> None:
        made_by = objective("infilling", **both_flows(tmp_path))
        evaluation = packed_batch([made_by.evaluate(SOURCE, TARGET)], made_by, training=False)
        assert evaluation.weight is None
        assert int(evaluation.slots.label.ne(IGNORE).sum()) == len(TARGET)


class TestDeclaredOptions:
    def test_foreign_options_are_refused(self) -> None:
        options = OBJECTIVES["infilling"].options_class(noise_prob=0.3)
        with pytest.raises(UserError, match="--noise-prob is an option of --finetune-method infilling, but found"):
            check_declared(options, "causal", OBJECTIVES, "--finetune-method")

    @pytest.mark.parametrize("method", METHODS)
    def test_own_and_shared_ones_are_not(self, method: str) -> None:
        options = OBJECTIVES["infilling"].options_class(noise_prob=0.3 if method == "infilling" else 0.0)
        options.source_mask_prob = 0.5
        check_declared(options, method, OBJECTIVES, "--finetune-method")


def test_padding_is_no_query(tmp_path: Path) -> None:
    """Ragged batches: what fills up is not labelled and not weighed."""
    packed = batch(**both_flows(tmp_path))["packed"]
    assert packed.slots.token.eq(PAD).any()
    assert len(packed.weight) == int(packed.slots.label.ne(IGNORE).sum())
