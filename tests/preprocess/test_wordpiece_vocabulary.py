"""WordPiece vocabularies: preprocess/wordpiece_vocabulary.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import wordpiece_vocabulary
from commands import ROOT
from tokenizers.implementations import BertWordPieceTokenizer
from wordpiece_vocabulary import SPECIAL, train_vocabulary

from s2sft_fairseq.text.tokenizers.tokenizer import TokenizerOptions
from s2sft_fairseq.text.tokenizers.wordpiece import WordPieceTokenizer

SCRIPT = Path(wordpiece_vocabulary.__file__)
LINES = [
    "The Cat sat on the mat\u2028there.",
    "A café; the cats sat, sat and SAT!",
    "Über cats on mats 猫",
] * 5


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def test_file_has_one_piece_a_line(text: Path, tmp_path: Path) -> None:
    done = run("--to", str(tmp_path / "new" / "vocab.txt"), "--size", "90", "--alphabet", "60", str(text))
    assert done.returncode == 0, done.stderr
    pieces = (tmp_path / "new" / "vocab.txt").read_bytes().decode("utf-8").split("\n")[:-1]
    assert pieces[:5] == SPECIAL == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(pieces) == len(set(pieces)) <= 90
    assert all(piece == piece.strip() == piece.splitlines()[0] and piece for piece in pieces)
    assert {"cat", "sat", "##s"} <= set(pieces)


def test_file_is_read_as_it_was_meant(text: Path, tmp_path: Path) -> None:
    run("--to", str(tmp_path / "vocab.txt"), "--size", "90", "--alphabet", "60", str(text))
    tokenizer = BertWordPieceTokenizer(str(tmp_path / "vocab.txt"), lowercase=True)
    encoded = tokenizer.encode("The CATS, café 猫")
    assert tokenizer.decode(encoded.ids) == "the cats, cafe 猫"
    assert "[UNK]" not in encoded.tokens and encoded.ids[0] == 2 and encoded.ids[-1] == 3


def test_pieces_are_lower_case_unless_cased() -> None:
    lower, cased = (train_vocabulary(LINES, size=90, alphabet=60, cased=cased) for cased in (False, True))
    assert not [piece for piece in lower[5:] if piece != piece.lower() or "é" in piece]
    assert {"C", "T"} <= set(cased)


def test_size_and_alphabet_are_limits() -> None:
    pieces = train_vocabulary(LINES, size=40, alphabet=10)
    assert len(pieces) <= 40
    assert len({piece.lstrip("#") for piece in pieces[5:] if len(piece.lstrip("#")) == 1}) <= 10


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--size", "100"], "--size 100: too small"),
        (["missing.txt"], "missing.txt cannot be read"),
        ([], "no text in the files to count"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: "list[str]", told: str) -> None:
    (tmp_path / "empty").write_text("")
    done = run("--to", str(tmp_path / "vocab.txt"), str(tmp_path / "empty"), *arguments)
    assert done.returncode != 0 and not (tmp_path / "vocab.txt").exists()
    assert told in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_a_cased_vocabulary_is_read_as_cased(tmp_path: Path) -> None:
    """By our tokenizer, which lower-cases unless a file beside the vocabulary says otherwise."""
    (tmp_path / "text").write_text("Cats Cats CATS cats\n" * 3)
    done = run(
        "--to", str(tmp_path / "vocab.txt"), str(tmp_path / "text"), "--cased", "--alphabet", "50", "--size", "90"
    )
    assert done.returncode == 0, done.stderr
    read = WordPieceTokenizer(TokenizerOptions(s2s_ft_vocab=str(tmp_path)))
    assert read.encode("Cats").replace(" ##", "") == "Cats"
