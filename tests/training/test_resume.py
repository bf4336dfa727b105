"""A run that is killed and started again ends exactly where an uninterrupted one does."""

import filecmp
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Dict, List

import pytest
from commands import ROOT, assert_equal_weights, environment, run, train_command

pytestmark = pytest.mark.slow

OPTIONS = dict(
    dropout="0.2",
    attention_dropout="0.1",
    source_mask_prob="0.3",
    batch_size=4,
)
PSEUDO_MASKED = dict(finetune_method="pseudo_masked", **OPTIONS)
INFILLING = dict(finetune_method="infilling", noise_prob="0.5", **OPTIONS)


def written(checkpoint: Path) -> bool:
    """Whether a checkpoint is there, and its copy checkpoint_last.pt too (fairseq does not copy atomically)."""
    last = checkpoint.with_name("checkpoint_last.pt")
    return checkpoint.exists() and last.exists() and filecmp.cmp(checkpoint, last, shallow=False)


def kill_when_written(command: List[object], checkpoint: Path) -> None:
    """Starts a command, and kills it as soon as it has written a checkpoint."""
    words = [str(word) for word in command]
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not written(checkpoint):
            assert process.poll() is None and time.monotonic() < deadline, "it ended before it could be killed"
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("workers", "method"), [(0, PSEUDO_MASKED), (1, INFILLING)], ids=["pseudo", "infilling"])
def test_killed_in_mid_epoch(bert: Path, data: Path, tmp_path: Path, workers: int, method: Dict[str, object]) -> None:
    options = dict(pretrained=bert, num_workers=workers, max_update=35, save_interval_updates=4, **method)
    run(train_command(data, tmp_path / "whole", **options))
    broken = train_command(data, tmp_path / "broken", **options)
    kill_when_written(broken, tmp_path / "broken" / "checkpoint_2_16.pt")
    assert not (tmp_path / "broken" / "checkpoint_4_35.pt").exists()
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
