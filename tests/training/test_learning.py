"""Every fine-tuning method learns, from random weights, to reverse new strings."""

import random
from pathlib import Path
from typing import Dict, List

import pytest
from commands import (
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
from methods import METHODS

pytestmark = pytest.mark.slow

SYMBOLS = WORDS[:20]
UPDATES = {"causal": 900, "infilling": 900, "masked": 600, "pseudo_masked": 600}
"""About twice as many as it takes; where a known token predicts its successor, it takes longer."""


def strings(count: int, *, seed: int) -> List[str]:
    """Random strings of three to five different symbols, none twice."""
    rng = random.Random(seed)
    found: Dict[str, None] = {}
    while len(found) < count:
        found[" ".join(rng.sample(SYMBOLS, k=rng.randint(3, 5)))] = None
    return list(found)


def backwards(line: str) -> str:
    return " ".join(reversed(line.split()))


@pytest.fixture(scope="session")
def reversal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strings and the same backwards, binarized; the 200 test strings are not among the training strings."""
    lines = strings(20_400, seed=7)
    folder = tmp_path_factory.mktemp("strings")
    vocabulary = write_lines(folder / "vocab.txt", [*SPECIAL, *SYMBOLS])
    for split, sources in {"test": lines[:200], "valid": lines[200:400], "train": lines[400:]}.items():
        write_pairs(folder, split, sources, map(backwards, sources))
    run(preprocess_command(folder, folder / "bin", vocabulary))
    return folder


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.long
def test_learns_to_reverse(reversal: Path, tmp_path: Path, method: str) -> None:
    shape = dict(encoder_layers=2, encoder_embed_dim=64, encoder_ffn_embed_dim=256, encoder_attention_heads=4)
    regularization = dict(dropout=0, attention_dropout=0, label_smoothing=0, clip_norm=1)
    schedule = dict(lr="2e-3", adam_betas="(0.9, 0.98)", lr_scheduler="polynomial_decay", warmup_updates=100)
    length = dict(total_num_update=UPDATES[method], max_update=UPDATES[method], batch_size=32)
    saving = dict(no_epoch_checkpoints=True, disable_validation=True, num_workers=0, seed=1)
    options = {**shape, **regularization, **schedule, **length, **saving}
    run(train_command(reversal / "bin", tmp_path, finetune_method=method, **options))
    out = run(generate_command(reversal / "bin", tmp_path / "checkpoint_last.pt", beam=2)).out
    assert best(out) == (reversal / "test.tgt").read_text().splitlines()
