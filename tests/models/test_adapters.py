"""LoRA and bottleneck adapters: what they compute, train, save and merge to."""

from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from builders import METHODS, padded, random_model, random_pairs, randomize, shifted
from commands import best, generate_command, hypotheses, make_bert, mistake, run, train_command, weights
from torch import Tensor
from torch.nn.functional import gelu

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.adapters import LINEARS, apply_adapters, is_adapter, merge
from s2sft_fairseq.models.checkpoints import FINGERPRINT
from s2sft_fairseq.models.layers.parameter_names import HEAD
from s2sft_fairseq.models.partial_checkpoints import TrainedPart, fingerprint
from s2sft_fairseq.models.precision import PRECISIONS
from s2sft_fairseq.models.seq2seq_model import S2SFTModel

ALL = ",".join(LINEARS)
KINDS: Dict[str, Dict[str, Any]] = {
    "lora": {"lora_rank": 3, "lora_alpha": 4.5, "lora_targets": ALL},
    "bottleneck": {"adapter_dim": 4},
    "both": {"lora_rank": 2, "lora_targets": "query,ffn_out", "adapter_dim": 4},
}
MERGE = ["python", "-m", "s2sft_fairseq.merge_adapters"]


def adapted(kind: str, *, method: str = "masked", seed: int = 1, trained: bool = True, **options: Any) -> S2SFTModel:
    """A random model with adapters, as new ones begin or drawn at random."""
    model = random_model(method, dtype=torch.float32, pretrained="somewhere", **{**KINDS[kind], **options})
    apply_adapters(model.transformer, model.cfg, frozen_layers=model.cfg.freeze_layers)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and trained:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model.eval()


def logits(model: S2SFTModel) -> Tensor:
    """Predictions of ragged targets."""
    source, target = padded(random_pairs(model.layout, count=5, seed=1))
    return model(source, None, shifted(target))[0]


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_new_adapters_change_nothing(kind: str) -> None:
    assert logits(adapted(kind, trained=False)).equal(logits(random_model("masked", dtype=torch.float32)))
    assert not logits(adapted(kind)).allclose(logits(adapted(kind, trained=False)), atol=1e-2)


@torch.no_grad()
def test_what_lora_computes() -> None:
    """W x + b + alpha/r · up · down · x."""
    base = adapted("lora").transformer.layers[0].ffn_in
    x = torch.randn(7, base.in_features)
    expected = x @ (base.weight + 4.5 / 3 * base.lora.up @ base.lora.down).t() + base.bias
    torch.testing.assert_close(base(x), expected)


@torch.no_grad()
def test_what_a_bottleneck_computes() -> None:
    base = adapted("bottleneck").transformer.layers[1].attention.output
    x = torch.randn(7, base.in_features)
    y = x @ base.weight.t() + base.bias
    adapter = base.bottleneck
    inner = gelu(y @ adapter.down.weight.t() + adapter.down.bias)
    torch.testing.assert_close(base(x), y + inner @ adapter.up.weight.t() + adapter.up.bias)


@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_merged_lora_predicts_the_same(method: str) -> None:
    """To 1e-5, with the modules of a model that never had any; twice is once."""
    model = adapted("lora", method=method)
    expected = logits(model)
    merge(model.transformer)
    merge(model.transformer)
    torch.testing.assert_close(logits(model), expected, atol=1e-5, rtol=1e-5)
    assert set(model.state_dict()) == set(random_model(method).state_dict())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@torch.no_grad()
def test_rounded_after_merging(kind: str, precision: str) -> None:
    """The adapters' share is still there, nearly."""
    model = adapted(kind)
    exact, base = logits(model), logits(adapted(kind, trained=False))
    merge(model.transformer)
    PRECISIONS[precision](model.transformer)
    rounded = logits(model).float()
    assert not rounded.equal(exact)
    assert (rounded - exact).abs().mean() < 0.25 * (base - exact).abs().mean()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("new_head", [False, True])
def test_only_adapters_are_trained(kind: str, new_head: bool) -> None:
    """And a head that the pretrained weights lacked; layers that are frozen on purpose get none."""
    model = adapted(kind, freeze_layers=1, adapter_trains_head=new_head).train()
    logits(model).sum().backward()
    trained = {name for name, parameter in model.transformer.named_parameters() if parameter.grad is not None}
    adapters = {name for name in trained if ".lora." in name or ".bottleneck." in name}
    assert adapters
    assert all(name.startswith("layers.1.") for name in adapters)
    assert trained - adapters == (set(HEAD) if new_head else set())


def partial(kind: str, *, seed: int = 0, **options: Any) -> S2SFTModel:
    """A model whose checkpoints hold adapters only, beside base weights of a seed."""
    model = adapted(kind, save_adapter_only=True, **options)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    adapters = {name: model.state_dict()[name].clone() for name in names}
    randomize(model, seed=seed)
    torch.nn.Module.load_state_dict(model, adapters, strict=False)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.transformer.state_dict().items()}
    base = {name: shape for name, shape in shapes.items() if f"transformer.{name}" not in names}
    model.part = TrainedPart(frozenset(names), fingerprint(model.transformer, base))
    return model


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_checkpoint_of_adapters_alone(kind: str) -> None:
    """It holds nothing else, and gives a model with the same pretrained weights the same predictions."""
    model, other = partial(kind), partial(kind)
    state = model.state_dict()
    assert set(state) == {*model.part.names, FINGERPRINT}
    assert sum(tensor.numel() for tensor in state.values()) < 0.3 * sum(p.numel() for p in model.parameters())
    for name, parameter in other.named_parameters():
        if name in other.part.names:
            parameter.zero_()
    assert not logits(other).equal(logits(model))
    other.load_state_dict(state)
    assert logits(other).equal(logits(model))


def test_checkpoints_that_do_not_fit() -> None:
    """One line each, whatever is wrong."""
    model = partial("lora")
    for other, says in (
        (partial("lora", seed=3), "belong to other pretrained weights"),
        (adapted("lora"), "holds adapters only; add --save-adapter-only"),
    ):
        with pytest.raises(UserError, match=says):
            other.load_state_dict(model.state_dict())
    with pytest.raises(UserError, match="holds all weights; leave --save-adapter-only out"):
        model.load_state_dict(adapted("lora").state_dict())
    state = model.state_dict()
    del state[next(name for name in state if name.endswith("lora.up"))]
    with pytest.raises(UserError, match=r"the model has \S+lora.up, the checkpoint does not"):
        model.load_state_dict(state)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_fresh_adapters_on_a_trained_checkpoint(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its weights are loaded, the adapters stay new, so the predictions are its own; one line says so."""
    trained, model = random_model("masked", dtype=torch.float32, seed=5), adapted(kind, trained=False)
    new = {name: tensor.clone() for name, tensor in model.state_dict().items() if is_adapter(name)}
    with caplog.at_level("INFO"):
        model.load_state_dict(trained.state_dict())
    assert logits(model).equal(logits(trained))
    assert all(model.state_dict()[name].equal(tensor) for name, tensor in new.items())
    (line,) = [record.getMessage() for record in caplog.records if "fresh" in record.getMessage()]
    assert f"{len(new)} adapter tensors" in line


def test_further_adapters_on_a_checkpoint_that_has_some() -> None:
    """Those that it has are loaded; those that do not fit are refused, as is a model without any."""
    lora = adapted("lora").state_dict()
    both = adapted("both", trained=False, lora_rank=3, lora_targets=ALL)
    both.load_state_dict(lora)
    assert all(both.state_dict()[name].equal(tensor) for name, tensor in lora.items())
    for model in (adapted("lora", lora_rank=5), adapted("bottleneck"), random_model("masked", dtype=torch.float32)):
        with pytest.raises(UserError, match=r"do not fit the model, such as .*merge_adapters"):
            model.load_state_dict(lora)


def test_the_fingerprint_counts_what_was_read() -> None:
    """Not the rows by which a table has grown, but each number that was."""
    model = random_model("masked", dtype=torch.float32).transformer
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    name = "embeddings.token.weight"
    shapes[name] = (shapes[name][0] - 2, shapes[name][1])
    before = fingerprint(model, shapes)
    model.embeddings.token.weight.data[-1] += 1
    assert fingerprint(model, shapes).equal(before)
    model.embeddings.token.weight.data[0, 0] += 1e-6
    assert not fingerprint(model, shapes).equal(before)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lora_rank": -1}, "--lora-rank is -1; expected a positive number, or 0 for none"),
        ({"adapter_dim": -2}, "--adapter-dim is -2"),
        ({"lora_alpha": 8.0}, "--lora-alpha 8.0: expected a positive number, together with --lora-rank"),
        ({"lora_rank": 2, "lora_alpha": -1.0}, "--lora-alpha -1.0"),
        ({"lora_rank": 2, "lora_targets": "query,head"}, "--lora-targets has 'head'; expected some of query,key"),
        ({"save_adapter_only": True}, "--save-adapter-only without adapters; add --lora-rank or --adapter-dim"),
        ({"lora_rank": 2, "pretrained": None}, "adapt pretrained weights; add --pretrained DIR"),
        ({"lora_rank": 2, "freeze_layers": 2}, "--freeze-layers leaves no layer for --lora-rank"),
    ],
)
def test_mistakes(options: Dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        random_model("masked", **{"pretrained": "somewhere", **options})
    assert says in str(error.value)


def train(data: Path, folder: Path, **options: Any) -> Path:
    """The checkpoint of a run with adapters."""
    run(train_command(data, folder, **{"optimizer": "s2s_ft_adamw", "lr": "3e-2", "max_update": 6, **options}))
    return folder / "checkpoint_last.pt"


def outputs(data: Path, checkpoint: Path, **options: Any) -> List[Any]:
    """Scores and texts."""
    out = run(generate_command(data, checkpoint, beam=2, **options)).out
    return [hypos[0] for _, hypos in sorted(hypotheses(out).items())]


@pytest.mark.slow
def test_lora_by_the_literal_commands(bert: Path, data: Path, tmp_path: Path) -> None:
    """Trained, resumed exactly, generated with, merged, exported; small."""
    options = dict(pretrained=bert, finetune_method="pseudo_masked", lora_rank=2)
    whole = train(data, tmp_path / "all", **options)
    small = train(data, tmp_path / "small", save_adapter_only=True, **options)
    train(data, tmp_path / "halves", save_adapter_only=True, max_update=3, **options)
    halves = train(data, tmp_path / "halves", save_adapter_only=True, **options)
    full, part, resumed = (weights(path) for path in (whole, small, halves))
    assert all(".lora." in name for name in set(part) - {FINGERPRINT})
    for name in set(part) - {FINGERPRINT}:
        assert part[name].equal(full[name]), name
        assert part[name].equal(resumed[name]), name
    assert small.stat().st_size < 0.5 * whole.stat().st_size
    expected = outputs(data, small)
    assert outputs(data, whole) == expected
    run([*MERGE, small, "--to", tmp_path / "merged.pt"])
    assert not any("lora" in name for name in weights(tmp_path / "merged.pt"))
    for one, other in zip(outputs(data, tmp_path / "merged.pt"), expected):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score, abs=1e-5)
    for name, checkpoint in (("one", small), ("other", tmp_path / "merged.pt")):
        run(["python", "-m", "s2sft_fairseq.export_pretrained", "--checkpoint", checkpoint, "--to", tmp_path / name])
    assert (tmp_path / "one" / "model.safetensors").read_bytes() == (
        tmp_path / "other" / "model.safetensors"
    ).read_bytes()


@pytest.mark.slow
@pytest.mark.long
def test_adapters_on_a_fine_tuned_checkpoint(bert: Path, data: Path, tmp_path: Path) -> None:
    """By each way that fairseq has to start from one, and from its export; merged LoRA is such a checkpoint, too."""
    base = train(data, tmp_path / "base", pretrained=bert, lr="3e-3")
    new = dict(pretrained=bert, lora_rank=2, max_update=1, lr=0)
    resets = {f"reset_{name}": True for name in ("optimizer", "lr_scheduler", "meters", "dataloader")}
    ways = {"finetune": dict(finetune_from_model=base), "restore": dict(restore_file=base, **resets)}
    expected = outputs(data, base)
    for name, way in ways.items():
        done = run(train_command(data, tmp_path / name, **{**new, **way}))
        assert (done.out + done.err).count("adapter tensors, which are fresh") == 1
        assert outputs(data, tmp_path / name / "checkpoint_last.pt") == expected
    line = mistake(train_command(data, tmp_path / "kept", restore_file=base, optimizer="s2s_ft_adamw", **new))
    assert "trained other parameters" in line and "--reset-optimizer" in line
    run(["python", "-m", "s2sft_fairseq.export_pretrained", "--checkpoint", base, "--to", tmp_path / "exported"])
    run(train_command(data, tmp_path / "again", **{**new, "pretrained": tmp_path / "exported"}))
    assert outputs(data, tmp_path / "again" / "checkpoint_last.pt") == expected
    adapted_once = train(data, tmp_path / "lora", pretrained=bert, lora_rank=2)
    line = mistake(train_command(data, tmp_path / "other", finetune_from_model=adapted_once, **{**new, "lora_rank": 3}))
    assert "merge_adapters" in line
    run([*MERGE, adapted_once, "--to", tmp_path / "merged.pt"])
    merged = tmp_path / "merged.pt"
    run(train_command(data, tmp_path / "other", finetune_from_model=merged, **{**new, "lora_rank": 3}))
    small = train(data, tmp_path / "small", pretrained=bert, lora_rank=2, save_adapter_only=True)
    line = mistake(train_command(data, tmp_path / "alone", finetune_from_model=small, **new))
    assert "holds adapters only" in line and "merge_adapters" in line


@pytest.mark.slow
@pytest.mark.long
def test_pretrained_weights_that_have_gone(data: Path, tmp_path: Path) -> None:
    """One line if they are missing or others; another directory can be named; the same for resuming."""
    home, moved = tmp_path / "bert", tmp_path / "moved"
    make_bert(home)
    options = dict(pretrained=home, adapter_dim=4, save_adapter_only=True)
    checkpoint = train(data, tmp_path / "save", **options)
    expected = best(run(generate_command(data, checkpoint)).out)
    home.rename(moved)
    assert f"not in {home}; name their directory: --model-overrides" in mistake(generate_command(data, checkpoint))
    overrides = f"{{'pretrained': '{moved}'}}"
    assert best(run(generate_command(data, checkpoint, model_overrides=overrides)).out) == expected
    assert "is not a directory" in mistake(train_command(data, tmp_path / "save", **options))
    make_bert(home, seed=7)
    assert "belong to other pretrained weights" in mistake(generate_command(data, checkpoint))
    resume = train_command(data, tmp_path / "save", optimizer="s2s_ft_adamw", **options)
    assert "belong to other pretrained weights" in mistake(resume)
    merging = [*MERGE, checkpoint, "--to", tmp_path / "merged.pt", "--pretrained", moved]
    assert "cannot be merged" in mistake(merging, fork=False)
    assert not (tmp_path / "merged.pt").exists()
