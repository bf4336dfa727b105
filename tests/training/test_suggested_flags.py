"""Flags chosen from the data: lengths hold the texts, updates hold the epochs, and what the user gives counts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2sft_fairseq.training.suggested_flags import COVERED, Encoder, PairLengths, suggest

BASE = Encoder(768, 512)
SHORT = '{"beam": 4, "max_len_b": 11, "no_repeat_ngram_size": 3}'


def lengths(source: int = 100, target: int = 20, pairs: int = 1000) -> PairLengths:
    return PairLengths(np.full(pairs, source), np.full(pairs, target))


def flags(of: PairLengths, encoder: Encoder = BASE, *, gpus: int = 0, **given: Any) -> "dict[str, Any]":
    words = {name.replace("_", "-"): value for name, value in given.items()}
    return suggest(of, encoder, words, metric="rouge", gpus=gpus).flags


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 900), min_size=1),
    st.lists(st.integers(1, 300), min_size=1),
    st.sampled_from([64, 512, 0]),
)
def test_lengths_hold_most_texts_or_fill_the_positions(
    sources: "list[int]", targets: "list[int]", positions: int
) -> None:
    found = flags(PairLengths(np.array(sources), np.array(targets)), Encoder(256, positions))
    source, target = found["max-source-positions"], found["max-target-positions"]
    if positions:
        assert source + target <= positions
    for texts, special, limit in ((sources, 2, source), (targets, 1, target)):
        held = np.mean(np.array(texts) + special <= limit) >= COVERED
        assert held or (positions and source + target >= positions - 8) or limit == positions // 2


def test_updates_are_epochs() -> None:
    found = flags(lengths(pairs=1000))
    assert found["batch-size"] * found["update-freq"] == 16
    assert found["max-update"] == found["total-num-update"] == 30 * 63
    assert flags(lengths(pairs=1000), max_epoch=2)["total-num-update"] == 2 * 63
    assert flags(lengths(pairs=64_000))["max-update"] == 10 * 1000
    assert flags(lengths(pairs=64_000), gpus=4)["max-update"] == 10 * 250
    assert flags(lengths(pairs=10_000_000))["max-update"] == 30_000


def test_no_limit_of_updates_leaves_that_of_epochs() -> None:
    found = flags(lengths(pairs=1000), max_update=0, max_epoch=2)
    assert found["total-num-update"] == 2 * 63 and "max-update" not in found


def test_a_frequency_for_each_epoch() -> None:
    assert flags(lengths(pairs=1000), update_freq=[1, 4], batch_size=4)["total-num-update"] == 30 * 63


def test_the_best_loss_is_the_lowest() -> None:
    assert "maximize-best-checkpoint-metric" in flags(lengths(), best_checkpoint_metric="rouge_2")
    assert "maximize-best-checkpoint-metric" not in flags(lengths(), best_checkpoint_metric="loss")


def test_batches_that_do_not_fit_are_accumulated() -> None:
    found = flags(lengths(source=460, target=31))
    assert (found["batch-size"], found["update-freq"]) == (8, 2)


def test_few_validations() -> None:
    found = flags(lengths(pairs=1000))
    assert found["validate-interval"] == found["save-interval"] == 3


@pytest.mark.parametrize(
    ("given", "gone", "kept"),
    [
        ({"max_update": 100}, "max-update", {"total-num-update": 100, "warmup-updates": 10}),
        ({"max_epoch": 3}, "max-update", {"total-num-update": 3 * 63}),
        ({"lr_scheduler": "fixed"}, "total-num-update", {"max-update": 30 * 63}),
        ({"lr_scheduler": "fixed"}, "warmup-updates", {}),
        ({"optimizer": "adam"}, "weight-decay", {}),
        ({"criterion": "cross_entropy"}, "label-smoothing", {}),
        ({"max_tokens": 4000}, "batch-size", {}),
        ({"fp16": True}, "cpu", {}),
        ({"lr": [1e-3]}, "lr", {"optimizer": "s2s_ft_adamw"}),
        (
            {"max_target_positions": 12},
            "max-target-positions",
            {"eval-generation-args": '{"beam": 4, "max_len_b": 11, "no_repeat_ngram_size": 3}'},
        ),
    ],
)
def test_given_flags_replace_suggestions(given: Any, gone: str, kept: "dict[str, Any]") -> None:
    found = flags(lengths(), **given)
    assert gone not in found
    assert {name: found.get(name) for name in kept} == kept


def test_learning_rates_fall_with_the_size() -> None:
    rates = [flags(lengths(), Encoder(size, 512))["lr"] for size in (128, 256, 384, 768, 1024)]
    assert rates == [5e-4, 5e-4, 3e-4, 7e-5, 3e-5]


def test_reasons_say_what_is_cut() -> None:
    reasons = suggest(lengths(source=600, pairs=50), BASE, {}, metric="bleu", gpus=0).reasons
    assert "median 600 pieces" in reasons[0] and "--max-source-positions 488 cuts 100.0%" in reasons[0]
    assert "cuts 0.0%" in reasons[1] and "50 pairs" in reasons[2]


def test_a_method_with_positions_of_its_own_gets_room() -> None:
    full = flags(lengths(source=600))["max-source-positions"]
    assert flags(lengths(source=600), finetune_method="infilling")["max-source-positions"] <= full
