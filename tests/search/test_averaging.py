"""The average of checkpoints, as fairseq's scripts/average_checkpoints.py makes it, is a checkpoint of this model."""

import collections
from pathlib import Path
from typing import Dict

import pytest
import torch
from builders import METHODS, random_model
from commands import generate_command, hypotheses, run, train_command


def averaged(states: "list[Dict[str, torch.Tensor]]") -> Dict[str, torch.Tensor]:
    """The mean of every tensor; like fairseq's script it wants the same names everywhere."""
    assert len({tuple(state) for state in states}) == 1
    return collections.OrderedDict((name, torch.stack([s[name] for s in states]).mean(0)) for name in states[0])


@pytest.mark.parametrize("method", METHODS)
def test_every_tensor_has_a_mean(method: str) -> None:
    """No integers, no tensor under two names: the average loads, and every parameter is the mean."""
    one, two = (random_model(method, seed=seed) for seed in (1, 2))
    states = [dict(model.state_dict()) for model in (one, two)]
    assert all(tensor.is_floating_point() for tensor in states[0].values())
    assert len({tensor.data_ptr() for tensor in states[0].values()}) == len(states[0])
    mean = random_model(method, seed=3)
    mean.load_state_dict(averaged(states), strict=True)
    for name, parameter in mean.named_parameters():
        torch.testing.assert_close(parameter.detach(), (states[0][name] + states[1][name]) / 2)


@pytest.mark.slow
def test_an_averaged_checkpoint_generates(data: Path, tmp_path: Path) -> None:
    """Of two epochs; of one checkpoint alone it says what that one says."""
    options = dict(finetune_method="causal", max_epoch=2, max_update=10, encoder_layers=1, encoder_embed_dim=16)
    run(train_command(data, tmp_path, encoder_ffn_embed_dim=16, encoder_attention_heads=2, **options))
    states = [torch.load(tmp_path / f"checkpoint{n}.pt", weights_only=False) for n in (1, 2)]

    def output(*chosen: dict) -> Dict[int, list]:
        merged = {**chosen[0], "model": averaged([state["model"] for state in chosen])}
        torch.save(merged, tmp_path / "average.pt")
        return hypotheses(run(generate_command(data, tmp_path / "average.pt", beam=2, batch_size=50)).out)

    alone = hypotheses(run(generate_command(data, tmp_path / "checkpoint2.pt", beam=2, batch_size=50)).out)
    assert output(states[1]) == alone
    assert output(*states) != alone
