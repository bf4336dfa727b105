"""Reads the rows of a table in JSON Lines, JSON, CSV, TSV or Parquet, and the text in a column of a row."""

import csv
import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Union

from .errors import UserError
from .text_lines import on_one_line, parse_json, read_lines

GZIP = ".gz"
BYTE_ORDER_MARK = "\ufeff"
DELIMITERS = (",", ";", "\t", "|")
MISSING = ("NaN", "nan", "<NA>")
"""What pandas writes for a missing value; in CSV and TSV, where it is text, it counts as none."""


LOOKED_AT = 1000
"""Number of rows whose columns are taken for those of the table."""


class MissingTextError(ValueError):
    """Why a row has no text in a column."""


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


def read_rows(path: Path) -> Iterator[Row]:
    """Yields the rows of a table, whose format is that of its ending; ``.gz`` may follow it.

    Raises:
        UserError: the file cannot be read, or is no table.
    """
    ending = Path(path.name.removesuffix(GZIP)).suffix.lower()
    if ending not in READERS:
        raise UserError(f"{path}: not the name of a table; expected one that ends in {', '.join(READERS)} (or .gz)")
    return READERS[ending](path)


def columns_of(path: Path) -> List[str]:
    """The names of the columns that the first rows have; nested ones with a dot, as in ``summary.short``.

    Raises:
        UserError: the file cannot be read, or has no rows.
    """
    first = itertools.islice((row for row in read_rows(path) if row.cells), LOOKED_AT)
    names = list(dict.fromkeys(name for row in first for name in names_in(row.cells)))
    if not names:
        raise UserError(f"{path} has no rows; expected a table with a source and a target in each row")
    return names


def names_in(cells: Dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The names of columns, with those inside of nested objects."""
    for name, value in cells.items():
        if isinstance(value, dict):
            yield from names_in(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def text_in(cells: Dict[str, Any], column: str) -> str:
    """The text in a column, on one line; a list of texts, such as sentences, is joined with spaces.

    Raises:
        MissingTextError: the row has no such column, or no text in it.
    """
    value = value_in(cells, column)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    if value is None:
        raise MissingTextError(f"{column} is empty")
    if isinstance(value, float) and math.isnan(value):
        raise MissingTextError(f"{column} is NaN")
    if not isinstance(value, str):
        raise MissingTextError(f"{column} is a {type(value).__name__}, not a text")
    text = on_one_line(value)
    if not text:
        raise MissingTextError(f"{column} is empty")
    return text


def value_in(cells: Dict[str, Any], column: str) -> Any:
    """The value in a column, or in a nested object if the name has dots.

    Raises:
        MissingTextError: the row has no such column.
    """
    if column in cells:
        return cells[column]
    value: Any = cells
    for name in column.split("."):
        if not isinstance(value, dict) or name not in value:
            raise MissingTextError(f"no column {column}")
        value = value[name]
    return value


def json_lines(path: Path) -> Iterator[Row]:
    """The rows of a file with a JSON object in each line; empty lines do not count."""
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            yield json_row(number, line.removeprefix(BYTE_ORDER_MARK))


def json_row(number: int, line: str) -> Row:
    """A line of such a file."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return Row(number, {}, "not JSON")
    return object_row(number, found)


def object_row(number: int, found: Any) -> Row:
    """A row of what JSON holds."""
    return Row(number, found) if isinstance(found, dict) else Row(number, {}, "not a JSON object")


def json_list(path: Path) -> Iterator[Row]:
    """The rows of a JSON file: a list of objects, alone or as the only list in an object; or of JSON lines."""
    if is_json_lines(path):
        yield from json_lines(path)
        return
    found = parse_json(path)
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        found = lists[0] if len(lists) == 1 else found
    if not isinstance(found, list):
        raise UserError(f"{path} holds no list of rows; expected [{{...}}, ...] or an object in each line")
    for number, value in enumerate(found, 1):
        yield object_row(number, value)


def is_json_lines(path: Path) -> bool:
    """Whether the first line that is not empty is a whole object, and another line follows it."""
    first = [line for line in itertools.islice(filter(str.strip, read_lines(path)), 2)]
    return len(first) == 2 and not json_row(1, first[0].removeprefix(BYTE_ORDER_MARK)).problem


def comma_separated(path: Path) -> Iterator[Row]:
    """The rows of a CSV file; rows with quoted line breaks take several lines."""
    csv.field_size_limit(sys.maxsize)
    lines = read_lines(path)
    header = next(lines, "").removeprefix(BYTE_ORDER_MARK)
    delimiter = delimiter_of(header)
    names = next(csv.reader([header], delimiter=delimiter), [])
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


def delimiter_of(header: str) -> str:
    """Whichever of :data:`DELIMITERS` splits the header of a CSV file into most columns.

    >>> delimiter_of("id;document, whole;summary")
    ';'
    """
    return max(DELIMITERS, key=lambda sign: len(next(csv.reader([header], delimiter=sign), [])))


def tab_separated(path: Path) -> Iterator[Row]:
    """The rows of a TSV file, one per line; quotes count as such only where they enclose a whole cell."""
    lines = read_lines(path)
    names = next(lines, "").removeprefix(BYTE_ORDER_MARK).split("\t")
    for number, line in enumerate(lines, 2):
        if line:
            yield delimited_row(number, names, tab_cells(line))


def tab_cells(line: str) -> List[str]:
    """The cells of a line: as CSV has them, or simply what is between the tabs."""
    try:
        return next(csv.reader([line], delimiter="\t", strict=True))
    except csv.Error:
        return line.split("\t")


def delimited_row(number: int, names: List[str], values: List[str]) -> Row:
    """A row of a CSV or TSV file."""
    if len(values) != len(names):
        return Row(number, {}, f"{len(values)} columns instead of {len(names)}")
    cells: Dict[str, Union[str, float]] = dict(zip(names, values))
    return Row(number, {name: math.nan if value in MISSING else value for name, value in cells.items()})


def parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file."""
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UserError(f"{path}: reading Parquet needs a package that is missing: pip install pyarrow") from None
    try:
        batches = ParquetFile(path).iter_batches()
    except (ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {error}") from None
    rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
    return (Row(number, cells) for number, cells in enumerate(rows, 1))


READERS: Dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_list,
    ".csv": comma_separated,
    ".tsv": tab_separated,
    ".parquet": parquet,
}
"""The readers of tables by the endings of their names."""
