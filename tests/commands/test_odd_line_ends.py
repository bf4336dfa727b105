"""Characters that some readers take for the end of a line: one line is one example in every command."""

from pathlib import Path
from typing import Dict, List

import pytest
from commands import PLUGIN, hypotheses, preprocess_command, run, write_lines
from fairseq import file_chunker_utils
from fairseq.data import indexed_dataset
from fairseq.data.data_utils import load_indexed_dataset

from s2sft_fairseq.common.fairseq_patches import open_with_line_feeds
from s2sft_fairseq.text.dictionary import PretrainedDictionary

pytestmark = pytest.mark.slow

ENDS = ["\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", " \r ", "\r\r"]
LINES = [f"w{number % 40}{ENDS[number % len(ENDS)]}w{number % 7}" for number in range(60)]
TARGETS = [f"w{number % 40}" for number in range(60)]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    write_lines(tmp_path / "train.src", LINES)
    write_lines(tmp_path / "train.tgt", TARGETS)
    return tmp_path


@pytest.mark.parametrize(("workers", "end", "implementation"), [(1, "", "mmap"), (4, "\r", "mmap"), (1, "", "raw")])
def test_binarized(odd: Path, bert: Path, workers: int, end: str, implementation: str) -> None:
    """Each source keeps both words, and its place."""
    write_lines(odd / "train.src", [line + end for line in LINES])
    command = preprocess_command(odd, odd / "bin", bert)
    run([*command, "--workers", workers, "--dataset-impl", implementation])
    dictionary = PretrainedDictionary.load(bert)
    with pytest.MonkeyPatch.context() as patch:
        for module in (file_chunker_utils, indexed_dataset):
            patch.setattr(module, "open", open_with_line_feeds, raising=False)
        sources = load_indexed_dataset(str(odd / "bin" / "train.src-tgt.src"), dictionary, implementation)
    found = [dictionary.string(source) for source in sources]
    assert found == [" ".join(line.split()) for line in LINES]


@pytest.mark.parametrize(
    ("from_file", "command"),
    [(True, ["fairseq-interactive"]), (False, ["python", "-m", "fairseq_cli.interactive"])],
)
def test_interactive(odd: Path, data: Path, imported: Dict[str, Path], from_file: bool, command: List[str]) -> None:
    words = [*command, data, *PLUGIN, "--path", imported["masked"], "--cpu", "--beam", 2, "--buffer-size", 7]
    words += ["--input", odd / "train.src"] if from_file else []
    done = run(words, stdin=b"" if from_file else (odd / "train.src").read_bytes())
    assert sorted(hypotheses(done.out)) == list(range(len(LINES)))


def test_commands_of_the_package(odd: Path, bert: Path, imported: Dict[str, Path]) -> None:
    source, out = odd / "train.src", odd / "out"
    vocabulary = ["--s2s-ft-vocab", bert]
    generate = ["python", "-m", "s2sft_fairseq.generate", "--checkpoint", imported["masked"], "--cpu", "--beam", 1]
    select = ["python", "-m", "s2sft_fairseq.select_chunk", *vocabulary, "--limit", 1, "--keep", "head"]
    for command in (
        ["python", "preprocess/pieces.py", *vocabulary, "--inputs", source, "--outputs", out],
        [*generate, "--max-len-b", 3, "--input", source, "--output", out],
        [*select, "--input", source, "--output", out],
    ):
        run(command)
        assert out.read_bytes().count(b"\n") == len(LINES), command


def test_scores(odd: Path) -> None:
    files = ["--hypothesis", odd / "train.src", "--reference", odd / "train.src", "--source", odd / "train.tgt"]
    for metric in ("rouge", "bleu", "chrf"):
        assert "60 examples" in run(["python", "-m", "s2sft_fairseq.evaluate", "--metric", metric, *files]).out


def test_pairs(odd: Path) -> None:
    for split in ("train", "valid", "test"):
        write_lines(odd / "raw" / f"{split}.src", LINES)
        write_lines(odd / "raw" / f"{split}.tgt", TARGETS)
    run(["python", "preprocess/raw_pairs.py", "--format", "columns", "--raw", odd / "raw", "--to", odd / "pairs"])
    pairs = odd / "pairs"
    assert (pairs / "train.src").read_text().splitlines() == [" ".join(line.split()) for line in LINES]
    assert (pairs / "train.tgt").read_text().splitlines() == TARGETS
