"""preprocess/pieces.py: one line in, one line out, the same pieces as the encoder."""

import sys
from pathlib import Path

import pytest
from commands import ROOT, attempt

from s2sft_fairseq.text.splitter import SplitterOptions
from s2sft_fairseq.text.wordpiece import WordPieceSplitter

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abc", *(f"##{letter}" for letter in "abc"), "."]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{token}\n" for token in VOCABULARY), encoding="utf-8")
    return path


def command(vocabulary: Path, *paths: Path) -> list:
    outputs = [path.with_suffix(".pieces") for path in paths]
    script = ROOT / "preprocess" / "pieces.py"
    return [sys.executable, script, "--s2s-ft-vocab", vocabulary, "--inputs", *paths, "--outputs", *outputs]


def test_lines_and_pieces(vocabulary: Path, tmp_path: Path) -> None:
    """More lines than the command splits at once, empty ones and odd line separators among them."""
    lines = ["abc. ca", "", "a\u2028b", "  c\x0cb ", "zzz", "A" * 10] * 1000
    path = tmp_path / "text.src"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert attempt(command(vocabulary, path)).status == 0
    written = path.with_suffix(".pieces").read_text(encoding="utf-8").split("\n")
    bpe = WordPieceSplitter(SplitterOptions(s2s_ft_vocab=str(vocabulary)))
    assert written == [bpe.encode(line) for line in lines] + [""]
    assert written[0] == "a ##b ##c . c ##a"


def test_different_line_counts(vocabulary: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "text.src", tmp_path / "text.tgt"
    source.write_text("a\nb\n", encoding="utf-8")
    target.write_text("a\n", encoding="utf-8")
    done = attempt(command(vocabulary, source, target))
    assert done.status != 0
    assert "text.src has 2" in done.err and "text.tgt has 1" in done.err
    assert "Traceback" not in done.err and not list(tmp_path.glob("*.pieces"))


def test_input_that_is_not_utf_8(vocabulary: Path, tmp_path: Path) -> None:
    path = tmp_path / "text.src"
    path.write_bytes(b"a\n\xff\n")
    done = attempt(command(vocabulary, path))
    assert done.status != 0
    assert "text.src: cannot be read as UTF-8" in done.err
    assert "Traceback" not in done.err and not list(tmp_path.glob("*.pieces"))
