"""Pairs of a table: which columns, which rows, and what is said of the others."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from commands import write_lines

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.data.pair_table import TWO_FILES, Columns, PairTable, choose_columns


def table(path: Path, rows: List[Dict[str, Any]]) -> Path:
    return write_lines(path, map(json.dumps, rows))


def test_rows_without_both_texts_are_left_out_and_listed(tmp_path: Path) -> None:
    rows: List[Dict[str, Any]] = [{"a": f"source {n}", "b": f"target {n}"} for n in range(1, 11)]
    rows[2]["b"] = None
    rows[4]["b"] = ""
    rows[5]["a"] = float("nan")
    del rows[8]["a"]
    pairs = PairTable([table(tmp_path / "rows.jsonl", rows)], Columns("a", "b"))
    assert [(pair.number, pair.source, pair.target) for pair in pairs] == [
        (n, f"source {n}", f"target {n}") for n in (1, 2, 4, 7, 8, 10)
    ]
    assert pairs.described() == "10 rows, 4 left out (b is empty: rows 3, 5; a is NaN: row 6; no column a: row 9)"
    assert len(list(pairs)) == 6 and pairs.total == 10


def test_no_pair_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 rows, 2 left out \(b is empty: rows 1, 2\); expected rows with"):
        list(PairTable([table(tmp_path / "rows.jsonl", [{"a": "x", "b": ""}] * 2)], Columns("a", "b")))


def test_text_files_with_a_byte_order_mark(tmp_path: Path) -> None:
    paths = [write_lines(tmp_path / name, ["\ufeffone", "two"]) for name in ("a", "b")]
    assert [pair.source for pair in PairTable(paths, TWO_FILES)] == ["one", "two"]


def test_two_text_files(tmp_path: Path) -> None:
    paths = [write_lines(tmp_path / "a", ["one", "", "three"]), write_lines(tmp_path / "b", ["eins", "zwei", "drei"])]
    pairs = PairTable(paths, TWO_FILES)
    assert [tuple(pair) for pair in pairs] == [(1, "one", "eins"), (3, "three", "drei")]
    assert pairs.described() == "3 rows, 1 left out (source is empty: row 2)"
    write_lines(paths[1], ["eins"])
    with pytest.raises(UserError, match=r"a has 3 lines and .*b has 1 lines"):
        list(pairs)


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        (["id", "document", "summary"], (None, None), ("document", "summary")),
        (["highlights", "article", "id"], (None, None), ("article", "highlights")),
        (["context", "question"], (None, None), ("context", "question")),
        (["question", "answer"], (None, None), ("question", "answer")),
        (["de", "en"], (None, None), ("de", "en")),
        (["de", "en"], (None, "de"), ("en", "de")),
        (["x", "y", "summary"], ("y", None), ("y", "summary")),
        (["id", "title", "context", "question", "answers"], (None, None), ("context", "question")),
    ],
)
def test_columns(names: List[str], asked: Any, expected: Any, tmp_path: Path) -> None:
    path = table(tmp_path / "rows.jsonl", [{name: "text" for name in names}])
    assert choose_columns(path, source=asked[0], target=asked[1]) == expected


def test_the_columns_of_another_split_go_first(tmp_path: Path) -> None:
    """The order of the names may differ from file to file, and so may the known names among them."""
    path = table(tmp_path / "rows.jsonl", [{"en": "x", "de": "y", "document": "z", "summary": "z"}])
    usual = Columns("de", "en")
    assert choose_columns(path, source=None, target=None, usual=usual) == usual
    assert choose_columns(path, source="de", target=None, usual=usual) == usual
    assert choose_columns(path, source="document", target=None, usual=usual) == ("document", "summary")
    assert choose_columns(path, source=None, target=None, usual=Columns("de", "fr")) == ("document", "summary")


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = table(tmp_path / "rows.jsonl", [{"x": "1", "y": "2", "z": "3"}])
    with pytest.raises(UserError, match="no column 'doc'; it has x, y, z: name one of them with --source-column"):
        choose_columns(path, source="doc", target=None)
    with pytest.raises(UserError, match="has the columns x, y, z; name two of them"):
        choose_columns(path, source=None, target=None)


def test_a_column_that_the_first_row_lacks(tmp_path: Path) -> None:
    path = table(tmp_path / "rows.jsonl", [{"x": "1"}, {"x": "1", "y": "2"}])
    assert choose_columns(path, source="x", target="y") == ("x", "y")
