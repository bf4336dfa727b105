"""Reads the rows of CSV and TSV files, as spreadsheets, pandas, R and other programs write them."""

import csv
import itertools
import math
import re
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple, Union

from .errors import UserError
from .parsed_once import parsed_once
from .text_lines import read_lines

BYTE_ORDER_MARK = "\ufeff"
DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile('"?sep=(.)"?')
"""The line that names the delimiter to Excel, before the header."""

MISSING = frozenset(
    (
        *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
        *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
"""What stands for a missing value where all cells are text; those of ``pandas.read_csv``."""


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        number: its place in the file, from 1; in CSV and TSV the header is row 1.
        cells: values by the names of their columns.
        problem: why there are no cells; empty if there are.
    """

    number: int
    cells: Dict[str, Any]
    problem: str = ""


Reader = Callable[[Path], Iterator[Row]]
"""Yields the rows of a table."""


def comma_separated(path: Path) -> Iterator[Row]:
    """The rows of a CSV file; rows with quoted line breaks take several lines."""
    lines = read_lines(path)
    names, delimiter = read_header(lines, path)
    return records(lines, names, delimiter)


def read_header(lines: Iterator[str], path: Path) -> Tuple[List[str], str]:
    """The names of the columns of a CSV file, whose first lines it takes, and what separates them.

    Raises:
        UserError: the first line is no header.
    """
    header = next(lines, "").removeprefix(BYTE_ORDER_MARK)
    named = SEPARATOR_LINE.fullmatch(header)
    if named:
        header = next(lines, "")
    check_header(header, path)
    delimiter = named[1] if named else delimiter_of(header)
    return distinct(next(csv.reader([header], delimiter=delimiter), [])), delimiter


def check_header(header: str, path: Path) -> None:
    """Raises UserError if a header cannot be read as one line."""
    if "\r" in header:
        raise UserError(f"{path}: its lines end in carriage returns; expected line feeds: tr '\\r' '\\n' < FILE")
    if header.count('"') % 2:
        raise UserError(f"{path}: a quote in its first line is not closed there; expected names of columns")


def distinct(names: List[str]) -> List[str]:
    """Names of columns without spaces around them; repeated ones get a number, as in pandas.

    >>> distinct(["text", " title", "text"])
    ['text', 'title', 'text.1']
    """
    found: List[str] = []
    for name in map(str.strip, names):
        numbered = (f"{name}.{number}" for number in itertools.count(1))
        found.append(next(new for new in itertools.chain([name], numbered) if new not in found))
    return found


def delimiter_of(header: str) -> str:
    """Whichever of :data:`DELIMITERS` splits the header of a CSV file into most columns.

    >>> delimiter_of("id;document, whole;summary")
    ';'
    """
    return max(DELIMITERS, key=lambda sign: len(next(csv.reader([header], delimiter=sign), [])))


def records(lines: Iterator[str], names: List[str], delimiter: str) -> Iterator[Row]:
    """The rows below a header."""
    csv.field_size_limit(sys.maxsize)
    rows = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    for number in itertools.count(2):
        try:
            values = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, {}, f"not CSV ({error})")
        else:
            if values:
                yield delimited_row(number, names, values)


def tab_separated(path: Path) -> Iterator[Row]:
    """The rows of a TSV file, whose quotes are part of the text, or enclose cells that may hold line breaks."""
    return tab_reader(path)(path)


@parsed_once
def tab_reader(path: Path) -> Reader:
    """The way in which more of a TSV file can be read, since nothing in it says which is meant."""
    return tab_lines if problems(tab_lines, path) <= problems(tab_records, path) else tab_records


def problems(reader: Reader, path: Path) -> int:
    """The number of rows that cannot be read."""
    return sum(bool(row.problem) for row in reader(path))


def tab_records(path: Path) -> Iterator[Row]:
    """The rows of a TSV file that is a CSV file with tabs."""
    lines = read_lines(path)
    return records(lines, tab_header(lines, path), "\t")


def tab_lines(path: Path) -> Iterator[Row]:
    """The rows of a TSV file, one per line; quotes count as such only where they enclose a whole cell."""
    lines = read_lines(path)
    names = tab_header(lines, path)
    for number, line in enumerate(lines, 2):
        if line:
            yield delimited_row(number, names, tab_cells(line))


def tab_header(lines: Iterator[str], path: Path) -> List[str]:
    """The names of the columns of a TSV file, whose first line it takes."""
    header = next(lines, "").removeprefix(BYTE_ORDER_MARK)
    check_header(header, path)
    return distinct(tab_cells(header))


def tab_cells(line: str) -> List[str]:
    """The cells of a line: as CSV has them, or simply what is between the tabs."""
    csv.field_size_limit(sys.maxsize)
    try:
        return next(csv.reader([line], delimiter="\t", strict=True), [])
    except csv.Error:
        return line.split("\t")


def delimited_row(number: int, names: List[str], values: List[str]) -> Row:
    """A row of a CSV or TSV file."""
    if len(values) != len(names):
        return Row(number, {}, f"{len(values)} columns instead of {len(names)}")
    cells: Dict[str, Union[str, float]] = dict(zip(names, values))
    return Row(number, {name: math.nan if value in MISSING else value for name, value in cells.items()})
