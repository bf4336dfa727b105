"""Tokens of one's own, from text to hypotheses: each command takes --vocab-add, and none is silent without it."""

import sys
from pathlib import Path
from typing import List

import pytest
from commands import (
    WORDS,
    best,
    generate_command,
    mistake,
    preprocess_command,
    random_lines,
    run,
    train_command,
    weights,
    write_lines,
    write_pairs,
)

pytestmark = pytest.mark.slow

ADDED = ["[X_SEP]", "quux"]


def split(texts: Path, pieces: Path, *flags: object) -> None:
    """Splits both sides of every text by preprocess/pieces.py."""
    inputs = sorted(texts.iterdir())
    outputs = [pieces / path.name for path in inputs]
    run([sys.executable, "preprocess/pieces.py", *flags, "--inputs", *inputs, "--outputs", *outputs])


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    """The file of added tokens."""
    return write_lines(tmp_path / "extra.txt", ADDED)


def with_added(lines: List[str]) -> List[str]:
    """Every line with both tokens, one of them without spaces around it."""
    return [f"{line} quux {WORDS[0]}[X_SEP]{WORDS[1]}" for line in lines]


def test_from_text_to_hypotheses(bert: Path, extra: Path, tmp_path: Path) -> None:
    texts, pieces, data, save = (tmp_path / name for name in ("texts", "pieces", "bin", "save"))
    for seed, name in enumerate(("train", "valid", "test")):
        lines = with_added(random_lines(8, seed=seed, longest=4))
        write_pairs(texts, name, lines, lines)
    add = ["--vocab-add", extra]
    split(texts, pieces, "--s2s-ft-vocab", bert, *add)
    assert "quux w0 [X_SEP] w1" in (pieces / "train.src").read_text(encoding="utf-8")
    grown = tmp_path / "grown.txt"
    run([sys.executable, "preprocess/vocabulary.py", "--pretrained", bert, *add, "--to", grown])
    run(preprocess_command(pieces, data, grown))
    assert "--vocab-add" in mistake(train_command(data, save, pretrained=bert))
    run(train_command(data, save, pretrained=bert, vocab_add=extra))
    table = weights(save / "checkpoint_last.pt")["transformer.embeddings.token.weight"]
    assert len(table) == 46 + len(ADDED)
    out = run(generate_command(data, save / "checkpoint_last.pt", bpe="s2s_ft", s2s_ft_vocab=bert, vocab_add=extra)).out
    assert len(best(out)) == 8
