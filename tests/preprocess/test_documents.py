"""Plain text by whole documents: shards and a validation part."""

import gzip
from pathlib import Path
from typing import List

import documents
import pytest
from commands import attempt, mistake, run, write_lines

COMMAND = ["python", "preprocess/documents.py"]


def read(path: Path) -> List[List[str]]:
    """The documents of a file, whose lines end with an empty one."""
    return [document.splitlines() for document in path.read_text(encoding="utf-8").split("\n\n") if document]


def test_every_document_is_in_one_part_alone(tmp_path: Path) -> None:
    """Files in the order of their names, compressed ones too; hidden ones are left out; a file ends a document."""
    made = [[f"{number} a", f"{number} b"] for number in range(12)]
    lines = [[*(line for document in made[first : first + 4] for line in (*document, "  ", ""))] for first in (0, 4, 8)]
    write_lines(tmp_path / "in" / "a.txt", lines[0][:-2])
    (tmp_path / "in" / "b").mkdir()
    (tmp_path / "in" / "b" / "c.gz").write_bytes(gzip.compress("\r\n".join(lines[1]).encode()))
    write_lines(tmp_path / "in" / "z.txt", lines[2])
    write_lines(tmp_path / "in" / ".hidden", ["hidden"])
    done = run([*COMMAND, "--text", tmp_path / "in", "--to", tmp_path / "out", "--shards", 2])
    assert "12 documents, 2 of them for validation" in done.out
    first, second, valid = (read(tmp_path / "out" / f"{name}.txt") for name in ("train0", "train1", "valid"))
    assert valid == [made[5], made[11]]
    assert first == [made[number] for number in (0, 2, 4, 7, 9)]
    assert second == [made[number] for number in (1, 3, 6, 8, 10)]


@pytest.mark.parametrize("count", [4, 99, 1000, 3_000_000])
def test_validation_is_spread_evenly(count: int) -> None:
    chosen = documents.validation_count(count)
    assert chosen == {4: 2, 99: 2, 1000: 10, 3_000_000: 2000}[count]
    first = next(number for number in range(count) if documents.is_for_validation(number, count=count))
    assert first == -(-count // chosen) - 1 and documents.is_for_validation(count - 1, count=count)
    if count <= 1000:
        assert sum(documents.is_for_validation(number, count=count) for number in range(count)) == chosen


def test_limit_takes_the_first_documents(tmp_path: Path) -> None:
    text = write_lines(tmp_path / "text", (line for number in range(9) for line in (f"w{number}", "")))
    run([*COMMAND, "--text", text, "--to", tmp_path, "--limit", 5])
    assert [*read(tmp_path / "train0.txt"), *read(tmp_path / "valid.txt")] == [["w0"], ["w1"], ["w3"], ["w2"], ["w4"]]


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    text = write_lines(tmp_path / "text", ["a", "", "b", "", "c", "", "d"])
    (tmp_path / "empty").mkdir()
    one = mistake([*COMMAND, "--text", write_lines(tmp_path / "one", ["a", "b"]), "--to", tmp_path])
    assert "documents found: 1; expected at least 4: end each document with an empty line" in one
    assert "expected at least 6 for --shards 2" in mistake([*COMMAND, "--text", text, "--to", tmp_path, "--shards", 2])
    assert "empty has no files" in mistake([*COMMAND, "--text", tmp_path / "empty", "--to", tmp_path])
    assert "cannot be read" in mistake([*COMMAND, "--text", tmp_path / "nowhere", "--to", tmp_path])
    none = attempt([*COMMAND, "--text", text, "--to", tmp_path, "--shards", 0])
    assert none.status == 2 and "--shards: 0; expected at least 1" in none.err
    assert not (tmp_path / "train0.txt").exists()
