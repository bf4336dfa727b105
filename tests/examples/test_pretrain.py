"""The pre-training of the quickstart's encoder: examples/quickstart/encoder."""

import importlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

transformers = pytest.importorskip("transformers")
FOLDER = Path(__file__).parents[2] / "examples" / "quickstart" / "encoder"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{n}" for n in range(95))]
CLS, SEP, MASK = 2, 3, 4
CLOCKED = """
import itertools, os, signal, types
import pretrain

def update(training, batch):
    if training.updates == int(os.environ.get("KILL_AT", -1)):
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(training, batch)

whole, pretrain.Training.update = pretrain.Training.update, update
pretrain.time = types.SimpleNamespace(monotonic=itertools.count(0.0, 0.6).__next__)
pretrain.main()
"""
"""pretrain.py with a clock that advances by 0.6 s an update, so that it learns the same on every machine."""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("masked_batches")


@pytest.fixture
def vocab(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in PIECES))
    return path


def drawn_batches(module: ModuleType, vocab: Path) -> "tuple[list[Any], list[Any]]":
    rng = np.random.default_rng(0)
    texts = [
        module.Text(rng.integers(5, 100, rng.integers(3, 60)), rng.integers(5, 100, rng.integers(0, 9)))
        for _ in range(400)
    ]
    masker = module.Masker(transformers.BertTokenizer(vocab=str(vocab)), 200, 40)
    return texts, list(masker.batches(texts, rng))


def restored(batch: Any) -> "list[list[int]]":
    """The rows of a batch with the answers in their places, without padding."""
    pieces = batch.pieces.clone()
    pieces[batch.chosen] = batch.answers
    return [row[row != 0].tolist() for row in pieces]


def test_every_text_comes_once_within_the_limits(module: ModuleType, vocab: Path) -> None:
    texts, batches = drawn_batches(module, vocab)
    assert max(batch.pieces.numel() for batch in batches) <= 200
    rows = [row for batch in batches for row in restored(batch)]
    assert max(map(len, rows)) == 40 and len(rows) == len(texts)
    assert all(row[0] == CLS and row[-1] == SEP for row in rows)
    kept = Counter(tuple(sorted(piece for piece in row if piece > MASK)) for row in rows)
    whole = Counter(tuple(sorted([*text.source, *text.target])) for text in texts if sum(map(len, text)) <= 37)
    assert len(whole) > 100 and whole <= kept


def test_segment_1_is_the_target_and_its_end(module: ModuleType, vocab: Path) -> None:
    texts, batches = drawn_batches(module, vocab)
    targets = {tuple(text.target) for text in texts if len(text.target)}
    seconds = []
    for batch in batches:
        for row, segments in zip(restored(batch), batch.segments.tolist()):
            second = [piece for piece, segment in zip(row, segments) if segment]
            if second:
                assert second[-1] == SEP and row[-len(second) - 1] == SEP
                seconds.append(tuple(second[:-1]))
    assert set(seconds) <= targets and 0.6 < len(seconds) / len(targets) < 0.9


def test_what_is_predicted_is_mostly_hidden(module: ModuleType, vocab: Path) -> None:
    _, batches = drawn_batches(module, vocab)
    answers = np.concatenate([batch.answers.numpy() for batch in batches])
    shown = np.concatenate([batch.pieces[batch.chosen].numpy() for batch in batches])
    words = sum(len([piece for piece in row if piece > MASK]) for batch in batches for row in restored(batch))
    assert answers.min() > MASK
    assert len(answers) / words == pytest.approx(0.15, abs=0.015)
    assert (shown == MASK).mean() == pytest.approx(0.8, abs=0.04)
    assert (shown == answers).mean() == pytest.approx(0.1, abs=0.03)


def test_an_encoder_of_another_vocabulary_gives_its_weights_and_the_rows_that_both_have(
    module: ModuleType, vocab: Path, tmp_path: Path
) -> None:
    pretrain = importlib.import_module("pretrain")
    known = transformers.BertTokenizer(vocab=str(vocab))
    other = pretrain.build_model(known, 0.0)
    other.save_pretrained(tmp_path / "other")
    known.save_pretrained(tmp_path / "other")
    (tmp_path / "new.txt").write_text("".join(f"{piece}\n" for piece in [*PIECES[:5], "new", "w7", "w3"]))
    tokenizer = transformers.BertTokenizer(vocab=str(tmp_path / "new.txt"))
    model = pretrain.build_model(tokenizer, 0.0)
    fresh = model.bert.embeddings.word_embeddings.weight[5].clone()
    pretrain.take_over(model, tokenizer, tmp_path / "other")
    rows, theirs = (each.bert.embeddings.word_embeddings.weight for each in (model, other))
    assert rows[[0, 1, 2, 3, 4, 6, 7]].equal(theirs[[0, 1, 2, 3, 4, PIECES.index("w7"), PIECES.index("w3")]])
    assert rows[5].equal(fresh)
    layers = zip(model.bert.encoder.parameters(), other.bert.encoder.parameters())
    assert all(ours.equal(weight) for ours, weight in layers)


@pytest.mark.slow
@pytest.mark.long
def test_an_interrupted_run_goes_on_and_ends_with_a_published_model(vocab: Path, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        for side in ("src", "tgt"):
            (tmp_path / f"{split}.{side}").write_text("w1 w2 w3 w4\nw5 w6 w7 w8\n" * 20)
    command = [sys.executable, "-c", CLOCKED, "--pairs", str(tmp_path), "--vocab", str(vocab)]
    command += ["--to", str(tmp_path / "model"), "--minutes", "0.2", "--save-seconds", "3"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(FOLDER)}
    first = subprocess.run(command, env={**environment, "KILL_AT": "11"}, capture_output=True, text=True, check=False)
    assert first.returncode == -signal.SIGKILL, first.stderr
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"goes on from .*: [5-9] updates", done.stdout)
    losses = [float(line.split()[-1]) for line in done.stdout.splitlines() if line.startswith("held-out loss")]
    assert losses[-1] < np.log(95)  # that of knowing nothing
    assert not (tmp_path / "model" / "pretrain.pt").exists()
    assert (tmp_path / "model" / "vocab.txt").read_text() == vocab.read_text()
    model = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert model.config.model_type == "bert" and tokenizer("W1 w9").input_ids == [2, 6, 14, 3]
