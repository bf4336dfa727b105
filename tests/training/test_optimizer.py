"""--optimizer s2s_ft_adamw: torch's AdamW, with rates and decay by group, that fairseq saves, resumes and schedules."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import pytest
import torch
from builders import random_model
from commands import mistake, run, train_command, weights
from fairseq import optim
from fairseq.optim.lr_scheduler.polynomial_decay_schedule import PolynomialDecayLRSchedule
from omegaconf import OmegaConf
from torch import Tensor, nn

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.layers.transformer import Transformer
from s2sft_fairseq.training import optimizer as optimizers
from s2sft_fairseq.training.optimizer import AdamWOptions, S2SFTAdamW, group_of, mark_parameters

LAYERS = 3


def transformer(seed: int = 0) -> Transformer:
    """Random weights, with relative positions, marked for the optimizer."""
    model = random_model(
        "masked", seed=seed, dtype=torch.float32, encoder_layers=LAYERS, relative_buckets=8
    ).transformer
    mark_parameters(model)
    return model


def build(model: nn.Module, **options: Any) -> S2SFTAdamW:
    """The optimizer of all that is to be trained."""
    cfg = AdamWOptions(lr=[0.01], **options)
    return S2SFTAdamW(cfg, [p for p in model.parameters() if p.requires_grad])


def give_gradients(model: nn.Module, seed: int) -> None:
    """Random gradients."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def groups(model: nn.Module, optimizer: S2SFTAdamW) -> Dict[str, Tuple[float, float]]:
    """The fraction of the rate and the weight decay of every parameter by name."""
    found = {id(p): (g["lr_scale"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    return {name: found[id(parameter)] for name, parameter in model.named_parameters()}


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """Equal parameters, bit for bit."""
    for (name, mine), theirs in zip(one.named_parameters(), other.parameters()):
        assert mine.equal(theirs), name


@pytest.mark.parametrize("fused", [True, False])
def test_equals_torchs_adamw_step_by_step(monkeypatch: pytest.MonkeyPatch, fused: bool) -> None:
    """Bit for bit, in the kernel and without."""
    if not fused:
        monkeypatch.setattr(optimizers, "has_fused_kernel", lambda device: False)
    ours, theirs = transformer(), transformer()
    options = dict(betas=(0.8, 0.95), eps=1e-6, weight_decay=0.0)
    expected = torch.optim.AdamW(theirs.parameters(), lr=0.01, fused=fused, **options)
    found = build(ours, adam_betas="(0.8, 0.95)", adam_eps=1e-6, weight_decay=0.0)
    for step in range(4):
        for model in (ours, theirs):
            give_gradients(model, step)
        found.step()
        expected.step()
        assert_same(ours, theirs)


def test_weight_decay_alone() -> None:
    """Without gradients the weights shrink by rate × decay, and biases and norms stay."""
    model = transformer()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    build(model, weight_decay=0.5).step()
    for name, parameter in model.named_parameters():
        factor = 1 - 0.01 * 0.5 if parameter.dim() > 1 and not name.startswith("relative") else 1
        torch.testing.assert_close(parameter, before[name] * factor)


def test_members_of_groups() -> None:
    model = transformer()
    found = groups(model, build(model, weight_decay=0.1, layer_decay=0.5))
    assert found["lm_head.dense.weight"] == (1.0, 0.1)
    assert found["lm_head.bias"] == found["lm_head.norm.weight"] == (1.0, 0.0)
    assert found["relative.weight"] == (1.0, 0.0)
    assert found["layers.2.ffn_in.weight"] == (1.0, 0.1)
    assert found["layers.2.ffn_in.bias"] == (1.0, 0.0)
    assert found["layers.1.attention.query.weight"] == (0.5, 0.1)
    assert found["layers.0.attention_norm.weight"] == (0.25, 0.0)
    assert found["embeddings.token.weight"] == found["embeddings.position.weight"] == (0.125, 0.1)
    assert found["embeddings.norm.bias"] == (0.125, 0.0)


def test_the_head_may_learn_faster() -> None:
    """Its own tensors, and no others: the token table it shares is the embeddings'."""
    model = transformer()
    plain, faster = (groups(model, build(model, layer_decay=0.5, head_lr_scale=scale)) for scale in (1.0, 5.0))
    for name, (scale, decay) in faster.items():
        assert (scale, decay) == ((5.0, plain[name][1]) if name.startswith("lm_head.") else plain[name])
    optimizer = build(model, head_lr_scale=5.0)
    optimizer.set_lr(0.2)
    assert optimizer.get_lr() == pytest.approx(0.2)
    assert {round(group["lr"], 9) for group in optimizer.param_groups} == {0.2, 1.0}


def test_without_it_groups_are_those_of_earlier_checkpoints() -> None:
    """A head at the common rate has no groups of its own, which a state without them would not fit."""
    model = transformer()
    assert [len(group["params"]) for group in build(model).param_groups] == [
        len([p for p in model.parameters() if (p.param_group.above, p.param_group.decays) == key])
        for key in sorted({(p.param_group.above, p.param_group.decays) for p in model.parameters()})
    ]


def test_ten_layers_are_told_from_one() -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    assert group_of("layers.10.ffn_in.weight", weight, 12).above == 1
    assert group_of("layers.1.ffn_in.weight", weight, 12).above == 10


def test_the_scheduler_keeps_the_fractions() -> None:
    """Linear warm-up and decay of fairseq: every group follows in proportion."""
    model = transformer()
    optimizer = build(model, layer_decay=0.5)
    cfg = OmegaConf.create(
        dict(lr=[0.01], warmup_updates=4, total_num_update=8, end_learning_rate=0.0, power=1.0, force_anneal=None)
    )
    scheduler = PolynomialDecayLRSchedule(cfg, optimizer)
    for update, top in ((1, 0.0025), (4, 0.01), (6, 0.005), (8, 0.0)):
        assert scheduler.step_update(update) == pytest.approx(top)
        assert optimizer.get_lr() == pytest.approx(top)
        assert {round(group["lr"], 9) for group in optimizer.param_groups} == {
            round(top * 0.5**above, 9) for above in range(LAYERS + 1)
        }


def train(model: nn.Module, optimizer: S2SFTAdamW, steps: List[int]) -> None:
    """Steps with the gradients of those numbers."""
    for step in steps:
        give_gradients(model, step)
        optimizer.step()


def test_state_through_a_checkpoint(tmp_path: Path) -> None:
    """Saved, loaded and continued as if nothing had been, with the rate and decay of the new command."""
    whole, halves = transformer(), transformer()
    train(whole, build(whole, layer_decay=0.9), [0, 1, 2, 3])
    first = build(halves, layer_decay=0.9)
    train(halves, first, [0, 1])
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = build(halves, layer_decay=0.9)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    train(halves, second, [2, 3])
    assert_same(whole, halves)
    third = build(halves, layer_decay=0.8, weight_decay=0.3)
    third.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert groups(halves, third)["layers.0.ffn_in.weight"] == (pytest.approx(0.64), 0.3)


def test_other_parameters_in_the_checkpoint() -> None:
    model = transformer()
    state = build(model).state_dict()
    model.layers[0].requires_grad_(False)
    with pytest.raises(UserError, match=r"trained other parameters .* or --reset-optimizer"):
        build(model).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"layer_decay": 0.0}, "--layer-decay is 0.0; expected more than 0 and at most 1"),
        ({"layer_decay": 1.5}, "--layer-decay is 1.5"),
        ({"head_lr_scale": 0.0}, "--head-lr-scale is 0.0; expected more than 0"),
        ({"weight_decay": -0.1}, "--weight-decay is -0.1; expected 0 or more"),
        ({"adam_eps": -1.0}, "--adam-eps is -1.0"),
        ({"adam_betas": "(0.9, 1.0)"}, "two numbers in [0, 1)"),
        ({"adam_betas": "0.9"}, "--adam-betas 0.9; expected two numbers"),
    ],
)
def test_mistakes(options: Dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        build(transformer(), **options)
    assert says in str(error.value)


def half_precision_config(**common: Any) -> Any:
    """What fairseq's wrappers read."""
    defaults = dict(
        bf16=True, fp16_scale_window=1, fp16_init_scale=4, fp16_scale_tolerance=0.0, threshold_loss_scale=None
    )
    return OmegaConf.create(
        {
            "common": {**defaults, "min_loss_scale": 1e-4, "model_parallel_size": 1, **common},
            "optimization": {"update_freq": [1]},
            "distributed_training": {"distributed_world_size": 1},
            "optimizer": {**vars(AdamWOptions(lr=[0.01], layer_decay=0.5)), "_name": optimizers.NAME},
        }
    )


def test_under_fairseqs_half_precision() -> None:
    """The float32 copies of bfloat16 parameters keep their groups, and the update is that of float32."""
    exact, model = transformer(), transformer()
    model.bfloat16()
    for mine, theirs in zip(model.parameters(), exact.parameters()):
        theirs.data.copy_(mine)
    wrapped = optim.FP16Optimizer.build_optimizer(half_precision_config(), list(model.parameters()))
    scales = {group["lr_scale"] for group in wrapped.param_groups}
    assert scales == {0.5**above for above in range(LAYERS + 1)}
    wrapped.zero_grad()
    give_gradients(exact, 0)
    for mine, theirs in zip(model.parameters(), exact.parameters()):
        mine.grad = theirs.grad.bfloat16()
        theirs.grad = mine.grad.float()
    wrapped._needs_sync = True
    wrapped.step()
    reference = build(exact, layer_decay=0.5)
    reference.step()
    for mine, theirs in zip(model.parameters(), exact.parameters()):
        assert mine.equal(theirs.bfloat16())


def test_half_precision_without_copies_is_refused() -> None:
    model = transformer().bfloat16()
    with pytest.raises(UserError, match=r"leave --memory-efficient-fp16 .*out, or use --optimizer adam"):
        optim.MemoryEfficientFP16Optimizer.build_optimizer(half_precision_config(), list(model.parameters()))


def test_joined_parameters() -> None:
    """--fp16 joins all into one: fine without groups, else one line."""
    joined = SimpleNamespace(parameters=lambda: [nn.Parameter(torch.ones(5))])
    assert build(joined, weight_decay=0.0).supports_flat_params
    with pytest.raises(UserError, match="add --fp16-no-flatten-grads"):
        build(joined, weight_decay=0.1)


def test_marks_survive_what_the_trainer_does() -> None:
    """Loading a checkpoint and changing the type leave the parameters what they are."""
    model = transformer()
    expected = {name: parameter.param_group for name, parameter in model.named_parameters()}
    model.load_state_dict(transformer(seed=1).state_dict())
    model.half().float()
    assert {name: parameter.param_group for name, parameter in model.named_parameters()} == expected


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"update_freq": 2, "clip_norm": 0.1}], ids=["plain", "clipped"])
def test_resume_is_exact(bert: Path, data: Path, tmp_path: Path, more: Dict[str, Any]) -> None:
    """Two updates and two are four, by the literal commands."""
    schedule = dict(lr_scheduler="polynomial_decay", warmup_updates=2, total_num_update=8, batch_size=4)
    options = dict(pretrained=bert, optimizer=optimizers.NAME, layer_decay=0.8, lr="3e-3", **schedule, **more)
    run(train_command(data, tmp_path / "whole", **options, max_update=4))
    for updates in (2, 4):
        run(train_command(data, tmp_path / "halves", **options, max_update=updates))
    whole, halves = (weights(tmp_path / name / "checkpoint_last.pt") for name in ("whole", "halves"))
    moved = weights_of(bert, data, tmp_path)
    for name, tensor in whole.items():
        assert tensor.equal(halves[name]), name
    assert not whole["transformer.embeddings.token.weight"].equal(moved["transformer.embeddings.token.weight"])


def weights_of(bert: Path, data: Path, tmp_path: Path) -> Dict[str, Tensor]:
    """The weights before training."""
    run(train_command(data, tmp_path / "start", pretrained=bert, lr=0, max_update=1))
    return weights(tmp_path / "start" / "checkpoint_last.pt")


@pytest.mark.slow
def test_a_mistake_on_the_command_line(bert: Path, data: Path, tmp_path: Path) -> None:
    command = train_command(data, tmp_path, pretrained=bert, optimizer=optimizers.NAME, layer_decay=2)
    assert "--layer-decay is 2.0; expected more than 0 and at most 1" in mistake(command)
