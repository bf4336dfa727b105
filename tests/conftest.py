"""What the system tests share: a tiny random encoder, texts, binarized data, and imported checkpoints."""

import os
import signal
from pathlib import Path
from typing import Dict

import pytest
from commands import IMPORT, make_bert, preprocess_command, random_lines, run, write_pairs
from hypothesis import settings

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before torch is imported: threads that spin starve beside others
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a suite started in the background ignores it, and so would commands
settings.register_profile("busy machine", deadline=None)  # how long an example takes says nothing there
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pretrained encoder: config.json, model.safetensors, vocab.txt."""
    return make_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random pairs: 40 to train, 12 to validate, 100 to test, some test sources empty or long."""
    folder = tmp_path_factory.mktemp("texts")
    for split, count in (("train", 40), ("valid", 12)):
        write_pairs(folder, split, random_lines(count, seed=count), random_lines(count, seed=count + 1))
    sources = random_lines(100, seed=3, shortest=0, longest=15)
    assert "" in sources
    write_pairs(folder, "test", sources, random_lines(100, seed=4))
    return folder


@pytest.fixture(scope="session")
def data(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The texts, binarized with the encoder's vocabulary."""
    folder = tmp_path_factory.mktemp("data") / "bin"
    run(preprocess_command(texts, folder, bert / "vocab.txt"))
    return folder


@pytest.fixture(scope="session")
def imported(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """A checkpoint for every fine-tuning method, as import_pretrained makes it of the encoder."""
    from methods import METHODS  # here: it imports torch and fairseq, for which not every test has to wait

    folder = tmp_path_factory.mktemp("imported")
    lengths = ["--max-source-positions", "12", "--max-target-positions", "10"]
    for method in METHODS:
        run([*IMPORT, "--from", bert, "--to", folder / method, "--finetune-method", method, *lengths])
    return {method: folder / method / "model.pt" for method in METHODS}
