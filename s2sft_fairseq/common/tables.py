"""Reads the rows of a table in JSON Lines, JSON, CSV, TSV or Parquet, and the text in a column of a row."""

import itertools
import json
import math
from pathlib import Path
from typing import Any, Dict, Iterator, List

from .delimited import BYTE_ORDER_MARK, Reader, Row, comma_separated, tab_separated
from .errors import UserError
from .text_lines import on_one_line, parse_json, read_lines

INVISIBLE = " \u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Spaces without width, joiners and marks, which alone are no text."""

COMPRESSED = (".gz", ".bz2", ".xz")
LOOKED_AT = 1000
"""Number of rows whose columns are taken for those of the table."""


class MissingTextError(ValueError):
    """Why a row has no text in a column."""


def read_rows(path: Path) -> Iterator[Row]:
    """Yields the rows of a table, whose format is that of its ending; one of :data:`COMPRESSED` may follow it.

    Raises:
        UserError: the file cannot be read, or is no table.
    """
    if not is_table(path):
        raise UserError(f"{path}: not the name of a table; expected one that ends in {', '.join(READERS)} (or .gz)")
    return READERS[ending_of(path)](path)


def is_table(path: Path) -> bool:
    """Whether a name is that of a table."""
    return ending_of(path) in READERS


def ending_of(path: Path) -> str:
    """The ending of a name that says the format, in small letters.

    >>> ending_of(Path("Train.CSV.gz"))
    '.csv'
    """
    inner = path.stem if path.suffix.lower() in COMPRESSED else path.name
    return Path(inner).suffix.lower()


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
        raise MissingTextError(f"{column} is of type {type(value).__name__}, not text")
    text = on_one_line(value)
    if not text.strip(INVISIBLE):
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
    except (ValueError, RecursionError):  # beside what is no JSON: numbers of thousands of digits, endless nesting
        return Row(number, {}, "not JSON")
    return object_row(number, found)


def object_row(number: int, found: Any) -> Row:
    """A row of what JSON holds."""
    return Row(number, found) if isinstance(found, dict) else Row(number, {}, "not a JSON object")


def json_list(path: Path) -> Iterator[Row]:
    """The rows of a JSON file: a list of objects, alone or as the only one in an object; of JSON lines; or one row."""
    if is_json_lines(path):
        yield from json_lines(path)
        return
    for number, value in enumerate(rows_in(parse_json(path), path), 1):
        yield object_row(number, value)


def rows_in(found: Any, path: Path) -> List[Any]:
    """The list of rows in what a JSON file holds; an object with texts is the only row."""
    if isinstance(found, dict):
        lists = [
            value for value in found.values() if isinstance(value, list) and any(isinstance(x, dict) for x in value)
        ]
        if len(lists) == 1:
            return lists[0]
        if any(isinstance(value, str) for value in found.values()):
            return [found]
    if not isinstance(found, list):
        raise UserError(f"{path} holds no list of rows; expected [{{...}}, ...] or an object in each line")
    return found


def is_json_lines(path: Path) -> bool:
    """Whether the first line that is not empty is a whole object, and another line follows it."""
    first = [line for line in itertools.islice(filter(str.strip, read_lines(path)), 2)]
    return len(first) == 2 and not json_row(1, first[0].removeprefix(BYTE_ORDER_MARK)).problem


def parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UserError(f"{path}: reading Parquet needs a package that is missing: pip install pyarrow") from None
    try:
        batches = ParquetFile(path).iter_batches()
        rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
        yield from (Row(number, cells) for number, cells in enumerate(rows, 1))
    except (ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {error}") from None


READERS: Dict[str, Reader] = {
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_list,
    ".csv": comma_separated,
    ".tsv": tab_separated,
    ".parquet": parquet,
}
"""The readers of tables by the endings of their names."""
