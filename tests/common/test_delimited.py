"""CSV and TSV as spreadsheets, pandas and R write them: headers of every kind, quotes that enclose or do not."""

import csv
from pathlib import Path
from typing import List, Optional

import pytest

from s2sft_fairseq.common.delimited import MISSING, Row
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.common.tables import read_rows, text_in


def rows(path: Path, content: str) -> List[Row]:
    path.write_text(content, encoding="utf-8", newline="")
    return list(read_rows(path))


@pytest.mark.parametrize(
    "header",
    [
        "sep=;\r\ndocument;summary",
        '"sep=;"\ndocument;summary',
        "\ufeffdocument;summary",
        '"document";"summary"',
        "document; summary",
    ],
)
def test_headers(header: str, tmp_path: Path) -> None:
    found = rows(tmp_path / "rows.csv", f"{header}\r\na, b;c\r\n")
    assert [row.cells for row in found] == [{"document": "a, b", "summary": "c"}]


def test_names_that_repeat(tmp_path: Path) -> None:
    assert rows(tmp_path / "rows.csv", "a,b,b\n1,2,3\n")[0].cells == {"a": "1", "b": "2", "b.1": "3"}


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [("a,b\r1,2\r", "lines end in carriage returns"), ('"a\nb",c\n1,2\n', "is not closed there")],
)
def test_what_is_no_header(ending: str, content: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=expected):
        rows(tmp_path / f"rows.{ending}", content)


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_what_stands_for_nothing(ending: str, tmp_path: Path) -> None:
    delimiter = "," if ending == "csv" else "\t"
    content = "".join(f"{delimiter.join(pair)}\n" for pair in [("a", "b"), *((word, "x") for word in sorted(MISSING))])
    assert all(isinstance(row.cells["a"], float) for row in rows(tmp_path / f"rows.{ending}", content))
    assert {"NaN", "nan", "None", "null", "NULL", "N/A", "<NA>"} <= MISSING


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_tsv_with_line_breaks_in_quotes(quoting: "csv._QuotingType", tmp_path: Path) -> None:
    """As pandas writes them; read line by line, the second half of the first row would be a row with both texts."""
    texts = [["document", "summary"], ["a\nb", "c"], ['d "q" x', "e\tf"]]
    with (tmp_path / "rows.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t", quoting=quoting).writerows(texts)
    assert [list(row.cells.values()) for row in read_rows(tmp_path / "rows.tsv")] == texts[1:]


@pytest.mark.parametrize(
    ("second", "problem"), [('"Hello" he said\tx', None), ('"open\tx', None), ("one", "1 columns instead of 2")]
)
def test_tsv_with_quotes_in_the_text(second: str, problem: Optional[str], tmp_path: Path) -> None:
    found = rows(tmp_path / "rows.tsv", f'a\tb\nfirst\ty\n{second}\nlast\t"z\n')
    assert [row.problem for row in found] == ["", problem or "", ""]
    assert text_in(found[2].cells, "b") == '"z'
    if problem is None:
        assert text_in(found[1].cells, "a") == second.split("\t")[0]
