"""Every fine-tuning method learns, from random weights, to reverse new strings; the default one to copy them too."""

import random
from pathlib import Path
from typing import Dict, List

import pytest
from commands import (
    METHODS,
    SPECIAL,
    WORDS,
    best,
    generate_command,
    preprocess_command,
    run,
    train_command,
    write_lines,
    write_pairs,
)

pytestmark = pytest.mark.slow

SYMBOLS = WORDS[:20]
UPDATES = {"causal": 2000, "infilling": 2000, "masked": 800, "pseudo_masked": 800}
"""About twice as many as it takes; where a known token predicts its successor, it takes longer."""


def strings(count: int, *, seed: int) -> List[str]:
    """Random strings of three to six symbols, none twice."""
    rng = random.Random(seed)
    found: Dict[str, None] = {}
    while len(found) < count:
        found[" ".join(rng.choices(SYMBOLS, k=rng.randint(3, 6)))] = None
    return list(found)


def backwards(line: str) -> str:
    return " ".join(reversed(line.split()))


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """Both tasks, binarized; the 200 test strings are not among the training strings."""
    lines = strings(20_400, seed=7)
    folder = tmp_path_factory.mktemp("strings")
    vocabulary = write_lines(folder / "vocab.txt", [*SPECIAL, *SYMBOLS])
    splits = {"test": lines[:200], "valid": lines[200:400], "train": lines[400:]}
    for task, transform in (("copy", str), ("reverse", backwards)):
        for split, sources in splits.items():
            write_pairs(folder / task, split, sources, map(transform, sources))
        run(preprocess_command(folder / task, folder / task / "bin", vocabulary))
    return {task: folder / task for task in ("copy", "reverse")}


@pytest.mark.parametrize(("method", "task"), [*((method, "reverse") for method in METHODS), ("pseudo_masked", "copy")])
def test_learns(tasks: Dict[str, Path], tmp_path: Path, method: str, task: str) -> None:
    shape = dict(encoder_layers=2, encoder_embed_dim=64, encoder_ffn_embed_dim=256, encoder_attention_heads=4)
    regularization = dict(dropout=0, attention_dropout=0, label_smoothing=0, clip_norm=1)
    schedule = dict(lr="2e-3", lr_scheduler="polynomial_decay", warmup_updates=100)
    length = dict(total_num_update=UPDATES[method], max_update=UPDATES[method], batch_size=64)
    saving = dict(no_epoch_checkpoints=True, disable_validation=True, num_workers=0, seed=1)
    options = {**shape, **regularization, **schedule, **length, **saving}
    data = tasks[task] / "bin"
    run(train_command(data, tmp_path, finetune_method=method, **options))
    out = run(generate_command(data, tmp_path / "checkpoint_last.pt", beam=2)).out
    assert best(out) == (tasks[task] / "test.tgt").read_text().splitlines()
