"""--bf16 and --memory-efficient-bf16 on a CPU: training, resuming, validation and generation."""

import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
from commands import (
    PLUGIN,
    ROOT,
    generate_command,
    hypotheses,
    mistake,
    run,
    train_command,
    weights,
)

pytestmark = pytest.mark.slow


def logged(out: str, name: str) -> List[float]:
    """A figure of every validation."""
    return [float(value) for value in re.findall(rf"\| valid\S* \|.*?\b{name} ([\d.]+)", out)]


def is_rounded(save: Path) -> bool:
    """Whether bfloat16 can hold the weights of a run's last checkpoint, in which fairseq stores float32."""
    tensors = weights(save / "checkpoint_last.pt").values()
    return all(tensor.equal(tensor.bfloat16().float()) for tensor in tensors)


@pytest.mark.parametrize(
    ("flag", "optimizer"), [("bf16", "adam"), ("bf16", "s2s_ft_adamw"), ("memory_efficient_bf16", "adam")]
)
def test_trained_and_resumed(bert: Path, data: Path, tmp_path: Path, flag: str, optimizer: str) -> None:
    """It learns as float32 does, also from a checkpoint on, with validation by generation.

    fairseq's checkpoints hold the rounded weights, not the float32 ones that the optimizer updates.
    """
    options = dict(pretrained=bert, optimizer=optimizer, lr="1e-3", eval_rouge=True, finetune_method="masked")
    whole = run(train_command(data, tmp_path / "whole", max_update=4, **options, **{flag: True}))
    exact = run(train_command(data, tmp_path / "float32", max_update=4, **options))
    (loss,), (expected,) = (logged(done.out + done.err, "loss") for done in (whole, exact))
    assert loss == pytest.approx(expected, rel=0.03)
    assert logged(whole.out + whole.err, "rouge_1")
    for updates in (2, 4):
        halves = run(train_command(data, tmp_path / "halves", max_update=updates, **options, **{flag: True}))
    assert "Loaded checkpoint" in halves.out + halves.err
    assert logged(halves.out + halves.err, "loss") == pytest.approx([loss], rel=0.01)
    assert is_rounded(tmp_path / "whole") and is_rounded(tmp_path / "halves") and not is_rounded(tmp_path / "float32")


def test_with_adapters(bert: Path, data: Path, tmp_path: Path) -> None:
    """Adapters alone in a checkpoint: the pretrained weights beside them are those that were read, then rounded."""
    options = dict(pretrained=bert, bf16=True, lora_rank=2, save_adapter_only=True)
    for updates in (2, 4):
        run(train_command(data, tmp_path / "save", max_update=updates, **options))
    run(generate_command(data, tmp_path / "save" / "checkpoint_last.pt"))


def test_generated_and_validated(data: Path, imported: Dict[str, Path]) -> None:
    """In bfloat16, whatever the checkpoint's own precision."""
    scores: Dict[str, Any] = {}
    for name, option in (("float32", {}), ("bf16", dict(bf16=True)), ("rounded", dict(inference_precision="bfloat16"))):
        scores[name] = hypotheses(run(generate_command(data, imported["masked"], **option)).out)
    assert scores["bf16"] == scores["rounded"] != scores["float32"]
    line = mistake(generate_command(data, imported["masked"], bf16=True, inference_precision="int8"))
    assert "are two precisions" in line
    validate = ["fairseq-validate", data, *PLUGIN, "--path", imported["masked"], "--batch-size", 40, "--cpu"]
    losses = [logged(done.out + done.err, "loss") for done in (run(validate), run([*validate, "--bf16"]))]
    assert losses[0] and losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_hydra(bert: Path, data: Path, tmp_path: Path) -> None:
    """fairseq-hydra-train common.bf16=true"""
    (tmp_path / "run.yaml").write_text(
        f"""# @package _global_
common: {{user_dir: {ROOT / "s2sft_fairseq"}, cpu: true, bf16: true}}
task: {{_name: s2s_ft, data: {data}}}
model: {{_name: s2s_ft, pretrained: {bert}, max_source_positions: 12, max_target_positions: 10}}
criterion: {{_name: s2s_ft_label_smoothed}}
optimizer: {{_name: adam, adam_betas: "(0.9, 0.999)"}}
lr_scheduler: {{_name: fixed}}
dataset: {{batch_size: 8}}
optimization: {{lr: [0.001], max_update: 2}}
checkpoint: {{save_dir: {tmp_path / "save"}}}
"""
    )
    run(["fairseq-hydra-train", "--config-dir", tmp_path, "--config-name", "run"], cwd=tmp_path)
    assert is_rounded(tmp_path / "save")
