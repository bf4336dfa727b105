"""A run that is killed and started again ends exactly where an uninterrupted one does."""

import re
import signal
from pathlib import Path
from typing import Dict

import pytest
from commands import ROOT, assert_equal_weights, attempt, run, train_command, write_lines

pytestmark = pytest.mark.slow

OPTIONS = dict(
    dropout="0.2",
    attention_dropout="0.1",
    source_mask_prob="0.3",
    batch_size=4,
)
PSEUDO_MASKED = dict(finetune_method="pseudo_masked", **OPTIONS)
INFILLING = dict(finetune_method="infilling", noise_prob="0.5", **OPTIONS)


KILLED = """
import os, signal
from fairseq.trainer import Trainer
from fairseq_cli.train import cli_main

def train_step(trainer, samples, **options):
    if trainer.get_num_updates() == 18:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(trainer, samples, **options)

whole, Trainer.train_step = Trainer.train_step, train_step
if __name__ == "__main__":
    cli_main()
"""
"""fairseq-train, killed after 18 updates: a kill from outside would come earlier or later as the machine is busy."""


@pytest.mark.parametrize(("workers", "method"), [(0, PSEUDO_MASKED), (1, INFILLING)], ids=["pseudo", "infilling"])
def test_killed_in_mid_epoch(bert: Path, data: Path, tmp_path: Path, workers: int, method: Dict[str, object]) -> None:
    options = dict(pretrained=bert, num_workers=workers, max_update=35, save_interval_updates=4, **method)
    run(train_command(data, tmp_path / "whole", **options))
    broken = train_command(data, tmp_path / "broken", **options)
    killed = ["python", write_lines(tmp_path / "fairseq-train", KILLED.splitlines()), *broken[1:]]
    assert attempt(killed, env={"PYTHONPATH": str(ROOT)}).status == -signal.SIGKILL
    assert (tmp_path / "broken" / "checkpoint_2_16.pt").exists()
    assert "Loaded checkpoint" in run(broken).out
    assert_equal_weights(tmp_path / "whole", tmp_path / "broken")


def test_two_and_two_updates_are_four(bert: Path, data: Path, tmp_path: Path) -> None:
    run(train_command(data, tmp_path / "whole", pretrained=bert, **PSEUDO_MASKED, max_update=4))
    for updates in (2, 4):
        run(train_command(data, tmp_path / "halves", pretrained=bert, **PSEUDO_MASKED, max_update=updates))
    assert_equal_weights(tmp_path / "whole", tmp_path / "halves")


def test_any_number_of_workers_gives_the_same(bert: Path, data: Path, tmp_path: Path) -> None:
    for workers in (0, 2):
        options = dict(pretrained=bert, num_workers=workers, max_update=24, **INFILLING)
        run(train_command(data, tmp_path / str(workers), **options))
    assert_equal_weights(tmp_path / "0", tmp_path / "2")


def test_noise_changes_from_epoch_to_epoch(bert: Path, data: Path, tmp_path: Path) -> None:
    """Nothing is learnt and nothing else is random, so losses of two epochs differ by their noise alone."""
    frozen = dict(pretrained=bert, lr=0, dropout=0, attention_dropout=0, finetune_method="causal", batch_size=40)
    losses = {}
    for noise in ("0.5", "0"):
        options = dict(source_mask_prob=noise, num_workers=2, max_epoch=3, max_update=3)
        out = run(train_command(data, tmp_path / noise, **frozen, **options)).out
        losses[noise] = re.findall(r"\| train \|.*?\bloss ([\d.]+)", out)
        assert len(losses[noise]) == 3
    assert len(set(losses["0"])) == 1
    assert len(set(losses["0.5"])) == 3
