"""Tables of every format give the same rows, as they were written; what is odd in a row is its own problem."""

import bz2
import csv
import gzip
import json
import lzma
import math
from pathlib import Path
from typing import Any, Dict, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.common.tables import MissingTextError, columns_of, read_rows, text_in

ROWS = [
    {"id": "1", "document": 'A "quoted" one; with, signs', "summary": "Eins."},
    {"id": "2", "document": "Zwei\nLines", "summary": "“Zwei”"},
    {"id": "3", "document": "\u4e00\u2028\u4e8c", "summary": ""},
]


def as_csv(path: Path, rows: List[Dict[str, str]], delimiter: str) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_json_lines(path: Path, rows: List[Dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def cells(path: Path) -> List[Dict[str, Any]]:
    return [row.cells for row in read_rows(path)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_with_any_delimiter(delimiter: str, tmp_path: Path) -> None:
    path = as_csv(tmp_path / "rows.csv", ROWS, delimiter)
    assert cells(path) == ROWS
    assert [row.number for row in read_rows(path)] == [2, 3, 4]
    assert columns_of(path) == ["id", "document", "summary"]


def test_json_in_its_forms(tmp_path: Path) -> None:
    lines = as_json_lines(tmp_path / "rows.jsonl", ROWS)
    assert cells(lines) == ROWS
    assert cells(lines.rename(tmp_path / "rows.json")) == ROWS
    for content in (ROWS, {"version": 1, "data": ROWS}):
        (tmp_path / "rows.json").write_text(json.dumps(content, indent=2))
        assert cells(tmp_path / "rows.json") == ROWS


@pytest.mark.parametrize("row", [ROWS[0], {"document": ["One.", "Two."], "summary": "x"}])
def test_a_json_file_of_one_row(row: Dict[str, Any], tmp_path: Path) -> None:
    assert cells(as_json_lines(tmp_path / "rows.json", [row])) == [row]
    (tmp_path / "rows.json").write_text(json.dumps(row, indent=2))
    assert cells(tmp_path / "rows.json") == [row]


def test_one_json_object_in_one_line(tmp_path: Path) -> None:
    assert cells(as_json_lines(tmp_path / "rows.jsonl", ROWS[:1])) == ROWS[:1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.text("ab\"';,\t|é "), st.text("ab\"'\n\r,;é ")), min_size=1))
def test_random_csv(tmp_path: Path, drawn: "list[tuple[str, str]]") -> None:
    rows = [{"source text": first, "target text": second} for first, second in drawn]
    path = as_csv(tmp_path / "rows.csv", rows, ",")
    assert cells(path) == [{name: text.replace("\r\n", "\n") for name, text in row.items()} for row in rows]


def test_tsv_with_and_without_quotes(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text('a\tb\n"Hello" he said\tx\n"tab\there"\ty\n"\tz\none\n', encoding="utf-8")
    assert [(row.cells.get("a"), row.problem) for row in read_rows(path)] == [
        ('"Hello" he said', ""),
        ("tab\there", ""),
        ('"', ""),
        (None, "1 columns instead of 2"),
    ]


def test_what_is_wrong_with_a_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "x"}\nno JSON\n\n[1]\n', encoding="utf-8")
    assert [(row.number, row.problem) for row in read_rows(path)] == [
        (1, ""),
        (2, "not JSON"),
        (4, "not a JSON object"),
    ]


def test_open_quotes_do_not_swallow_rows_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('a,b\n1,2\n"open,3\n4,5\n', encoding="utf-8")
    assert [bool(row.problem) for row in read_rows(path)] == [False, True]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([*ROWS, {"id": None}]), path)
    assert cells(path)[:3] == ROWS and cells(path)[3]["document"] is None
    path.write_bytes(path.read_bytes()[:8] + b"\0" * 60 + path.read_bytes()[68:])
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(read_rows(path))
    path.write_text("no Parquet")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(read_rows(path))


def test_parquet_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match="pip install pyarrow"):
        list(read_rows(tmp_path / "rows.parquet"))


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
@pytest.mark.parametrize(("compress", "suffix"), [(gzip, "gz"), (gzip, "GZ"), (bz2, "bz2"), (lzma, "xz")])
def test_compressed(ending: str, compress: Any, suffix: str, tmp_path: Path) -> None:
    plain = tmp_path / f"rows.{ending}"
    as_json_lines(plain, ROWS) if ending == "jsonl" else as_csv(plain, ROWS, ",")
    (tmp_path / f"rows.{ending}.{suffix}").write_bytes(compress.compress(plain.read_bytes()))
    assert cells(tmp_path / f"rows.{ending}.{suffix}") == ROWS


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": " x\n y "}, "x y"),
        ({"a": ["One.", "Two."]}, "One. Two."),
        ({"a": ""}, "a is empty"),
        ({"a": None}, "a is empty"),
        ({"a": []}, "a is empty"),
        ({"a": "\u2028 \t"}, "a is empty"),
        ({"a": "\u200b \ufeff"}, "a is empty"),
        ({"a": math.nan}, "a is NaN"),
        ({"a": 7}, "a is of type int, not text"),
        ({"b": "x"}, "no column a"),
    ],
)
def test_text_in_a_row(row: Dict[str, Any], expected: str) -> None:
    try:
        found = text_in(row, "a")
    except MissingTextError as reason:
        found = str(reason)
    assert found == expected


DEEP = "[" * 100_000
LONG_NUMBER = '{"a": ' + "1" * 5000 + "}"


@pytest.mark.parametrize("odd", [DEEP, LONG_NUMBER], ids=["deep", "long"])
def test_json_that_python_does_not_read(odd: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(f'{odd}\n{{"a": "x"}}\n')
    assert [row.problem for row in read_rows(tmp_path / "rows.jsonl")] == ["not JSON", ""]
    (tmp_path / "rows.json").write_text(odd)
    with pytest.raises(UserError, match="is not valid JSON"):
        list(read_rows(tmp_path / "rows.json"))


def test_nested_columns(tmp_path: Path) -> None:
    row = {"summary": {"long": "x y", "short": "x"}, "a.b": "plain"}
    assert columns_of(as_json_lines(tmp_path / "rows.jsonl", [row])) == ["summary.long", "summary.short", "a.b"]
    assert text_in(row, "summary.short") == "x" and text_in(row, "a.b") == "plain"
    with pytest.raises(MissingTextError, match=r"no column summary\.none"):
        text_in(row, "summary.none")


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "rows.txt.gz", "rows.gz"])
def test_other_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not the name of a table; expected one that ends in \.jsonl"):
        read_rows(tmp_path / name)


def test_an_empty_table(tmp_path: Path) -> None:
    for name in ("rows.jsonl", "rows.csv", "rows.tsv"):
        (tmp_path / name).write_text("")
        with pytest.raises(UserError, match="has no rows"):
            columns_of(tmp_path / name)
