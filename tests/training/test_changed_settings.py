"""Training that starts from a checkpoint: one warning for each changed setting that shapes the model or its loss."""

import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
from commands import attempt, preprocess_command, run, train_command
from omegaconf import OmegaConf

from s2sft_fairseq.models.options import ModelOptions
from s2sft_fairseq.training.changed_settings import Settings, changes, starting_checkpoint
from s2sft_fairseq.training.pretraining_task import PretrainingOptions

slow = pytest.mark.slow

MODEL = {
    "finetune_method": "masked",
    "source_type_id": 0,
    "target_type_id": 1,
    "type_vocab_size": 2,
    "source_layout": "plain",
    "turn_rows": 0,
    "max_source_positions": 12,
    "max_target_positions": 10,
    "relative_buckets": 0,
    "vocabulary": "aaaa",
}
TASK = {"_name": "s2s_pretraining", "objective": "ernie_gen", "noise_prob": 0.5, "target_mask_prob": None}
CRITERION = {"_name": "s2s_ft_label_smoothed", "label_smoothing": 0.1}
HARMLESS = [
    ("model", "pretrained", "elsewhere"),
    ("model", "dropout", 0.3),
    ("model", "freeze_layers", 1),
    ("model", "checkpoint_activations", True),
    ("task", "data", "moved"),
    ("task", "save_dir", "elsewhere"),
    ("task", "eval_rouge", True),
    ("task", "seed", 7),
]


def settings(**changed: Dict[str, Any]) -> Settings:
    """Complete settings, some of them changed."""
    model = OmegaConf.structured(ModelOptions(**{**MODEL, **changed.get("model", {})}))
    task = PretrainingOptions(**{k: v for k, v in {**TASK, **changed.get("task", {})}.items() if k != "_name"})
    task = OmegaConf.structured(task)
    task._name = {**TASK, **changed.get("task", {})}["_name"]
    return Settings(model, task, OmegaConf.create({**CRITERION, **changed.get("criterion", {})}))


def found(before: Settings, now: Settings, *, with_loss: bool = True) -> Dict[str, List[str]]:
    """The changes, as text."""
    return {
        name: [str(value) for value in values] for name, values in changes(before, now, with_loss=with_loss).items()
    }


@pytest.mark.parametrize(
    ("section", "option", "value", "setting"),
    [
        ("model", "finetune_method", "causal", "--finetune-method"),
        ("model", "source_type_id", 1, "--source-type-id"),
        ("model", "target_type_id", 0, "--target-type-id"),
        ("model", "type_vocab_size", 3, "--type-vocab-size"),
        ("model", "source_layout", "dialogue", "--source-layout"),
        ("model", "turn_rows", 4, "--turn-rows"),
        ("model", "max_source_positions", 20, "--max-source-positions"),
        ("model", "max_target_positions", 20, "--max-target-positions"),
        ("model", "relative_buckets", 32, "--relative-buckets"),
        ("model", "vocabulary", "bbbb", "vocabulary"),
        ("task", "_name", "s2s_ft", "--task"),
        ("task", "noise_prob", 0.7, "--noise-prob"),
        ("task", "target_mask_prob", 0.7, "--target-mask-prob"),
        ("criterion", "_name", "mine", "--criterion"),
        ("criterion", "label_smoothing", 0.2, "--label-smoothing"),
    ],
)
def test_each_setting(section: str, option: str, value: Any, setting: str) -> None:
    """With its old and its new value, and no other; a loss counts only where training goes on."""
    before, now = settings(), settings(**{section: {option: value}})
    old = {"model": MODEL, "task": TASK, "criterion": CRITERION}[section][option]
    assert found(before, now) == {setting: [str(old), str(value)]}
    assert bool(found(before, now, with_loss=False)) == (section == "model")


@pytest.mark.parametrize(("section", "option", "value"), HARMLESS)
def test_harmless_settings(section: str, option: str, value: Any) -> None:
    assert found(settings(), settings(**{section: {option: value}})) == {}


def test_new_adapters_are_no_change_and_other_ones_are() -> None:
    adapted = settings(model={"lora_rank": 4})
    assert found(settings(), adapted) == {}
    assert found(adapted, settings(model={"lora_rank": 4, "lora_alpha": 8.0})) == {"--lora-alpha": ["None", "8.0"]}


def test_what_an_earlier_version_did_not_know_is_not_compared() -> None:
    earlier = settings()._replace(model=OmegaConf.create({"finetune_method": "causal"}))
    assert found(earlier, settings()) == {"--finetune-method": ["causal", "masked"]}


def test_where_training_starts(tmp_path: Path) -> None:
    """As fairseq chooses: the last checkpoint of the run, before that of another model."""
    other, last = tmp_path / "other.pt", tmp_path / "checkpoint_last.pt"

    def start(**options: Any) -> Any:
        defaults = {"restore_file": "checkpoint_last.pt", "save_dir": str(tmp_path), "finetune_from_model": None}
        return starting_checkpoint(OmegaConf.create({**defaults, **options}))

    other.touch()
    assert start() is None
    assert start(finetune_from_model=str(other)) == start(restore_file=str(other)) == other
    last.touch()
    assert start() == start(finetune_from_model=str(other)) == last
    assert start(restore_file=str(other)) == other


def warnings(done: Any) -> List[str]:
    """The warnings of changed settings."""
    return re.findall(r"WARNING .* was trained with (.*)", done.out + done.err)


@slow
def test_a_resumed_training(bert: Path, data: Path, texts: Path, tmp_path: Path) -> None:
    """Silent with the same settings and with harmless changes; a warning for each of the others."""
    options = dict(pretrained=bert, finetune_method="masked", label_smoothing=0.1)
    save = tmp_path / "save"
    assert warnings(run(train_command(data, save, max_update=1, **options))) == []
    assert warnings(run(train_command(data, save, max_update=2, **options))) == []
    harmless = {**options, "lr": "5e-4", "dropout": 0.2, "batch_size": 4, "seed": 3}
    assert warnings(run(train_command(data, save, max_update=3, **harmless))) == []
    changed = {**options, "finetune_method": "causal", "label_smoothing": 0.2, "target_type_id": 0}
    assert warnings(run(train_command(data, save, max_update=4, **changed))) == [
        "--finetune-method masked, and this run goes on with causal",
        "--target-type-id 1, and this run goes on with 0",
        "--label-smoothing 0.1, and this run goes on with 0.2",
    ]
    words = (bert / "vocab.txt").read_text().split()
    other = tmp_path / "vocab.txt"
    other.write_text("".join(f"{word}\n" for word in [*words[:-2], words[-1], words[-2]]))
    run(preprocess_command(texts, tmp_path / "bin", other))
    (vocabulary,) = warnings(
        attempt(train_command(tmp_path / "bin", save, max_update=5, **{**changed, "pretrained": bert.parent / "gone"}))
    )
    assert vocabulary.startswith("vocabulary ")
