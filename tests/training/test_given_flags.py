"""Flags in a command line are read as fairseq-train reads them, before anything starts."""

from typing import Any, Dict, List

import pytest

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.training.given_flags import given_flags


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["--cpu", "--seed=3"], {"cpu": True, "seed": 3}),
        (["--max-sentences", "4"], {"batch-size": 4}),
        (["--update-freq", "2,4", "--lr", "1e-4,1e-5"], {"update-freq": [2, 4], "lr": [1e-4, 1e-5]}),
        (["--optimizer", "adam", "--adam-eps", "1e-6"], {"optimizer": "adam", "adam-eps": 1e-6}),
        (["--lr-scheduler", "polynomial_decay", "--power", "2"], {"power": 2.0}),
        (["--bf16"], {"bf16": True}),
        (["--finetune-method", "infilling"], {"finetune-method": "infilling"}),
    ],
)
def test_values(words: List[str], expected: Dict[str, Any]) -> None:
    assert given_flags(words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--save-dir", "x"], "--save-dir is set by this command"),
        (["--user-dir=x"], "--user-dir is set by this command"),
        (["-s", "de"], "--source-lang is set by this command"),
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["--no-save"], "needs checkpoints; leave it out"),
        (["stray"], "unrecognized arguments: stray"),
        (["--max-epoch", "x"], "--max-epoch: invalid int value: 'x'"),
        (["--finetune-method", "casual"], "casual"),
        (["--eval-generation-args", "{beam: 1}"], "--eval-generation-args is not valid JSON"),
        (["--eval-generation-args", '{"beams": 1}'], "no flag 'beams'"),
    ],
)
def test_what_is_refused(words: List[str], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        given_flags(words)
