"""Two processes on the CPU, through torchrun."""

import re
from pathlib import Path
from typing import List

import pytest
from commands import best, generate_command, run, torchrun, train_command, weights

pytestmark = pytest.mark.slow


def losses(out: str) -> List[float]:
    """The validation losses, epoch by epoch."""
    return [float(loss) for loss in re.findall(r"\| valid \|.*?\bloss ([\d.]+)", out)]


@pytest.mark.long
def test_two_processes_train_save_and_resume(bert: Path, data: Path, tmp_path: Path) -> None:
    options = dict(pretrained=bert, finetune_method="masked", batch_size=4, lr="3e-3")
    first = run(torchrun(data, tmp_path / "save", max_epoch=2, max_update=100, **options))
    assert "training on 2 devices" in first.out + first.err
    resumed = run(torchrun(data, tmp_path / "save", max_epoch=4, max_update=100, **options))
    assert "Loaded checkpoint" in resumed.out + resumed.err
    before, after = losses(first.out + first.err), losses(resumed.out + resumed.err)
    assert len(before) == 2 and len(after) == 2
    assert after[-1] < before[0]
    run(torchrun(data, tmp_path / "whole", max_epoch=4, max_update=100, **options))
    whole, halves = (weights(tmp_path / name / "checkpoint_last.pt") for name in ("whole", "save"))
    assert all(tensor.equal(halves[name]) for name, tensor in whole.items())
    assert len(best(run(generate_command(data, tmp_path / "save" / "checkpoint_last.pt")).out)) == 100


def test_two_processes_equal_one_with_twice_the_batch(bert: Path, data: Path, tmp_path: Path) -> None:
    """Gradients are summed over both ranks: one process that accumulates the batches ends there too."""
    options = dict(
        pretrained=bert, batch_size=4, dropout=0, attention_dropout=0, max_update=5, optimizer="sgd", lr="0.1"
    )
    run(torchrun(data, tmp_path / "two", **options))
    run(train_command(data, tmp_path / "one", update_freq=2, **options))
    two, one = (weights(tmp_path / name / "checkpoint_last.pt") for name in ("two", "one"))
    for name, tensor in one.items():
        assert tensor.allclose(two[name], atol=1e-6), name
