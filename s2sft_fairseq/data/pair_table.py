"""Pairs of texts from a table or from two text files: which rows have both texts, and why the others do not."""

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from ..common.delimited import BYTE_ORDER_MARK, Row
from ..common.errors import UserError
from ..common.tables import MissingTextError, columns_of, read_rows, text_in
from ..common.text_lines import check_line_counts, read_lines

KNOWN_SOURCES = ("document", "article", "text", "source", "src", "dialogue", "context", "passage", "question", "input")
KNOWN_TARGETS = ("summary", "highlights", "target", "tgt", "question", "answer", "output", "title", "headline")
"""Names of columns that hold the source or the target, where no others are given; the first that exists counts."""

SHOWN = 5
"""How many numbers of rows are listed for each reason to leave rows out."""


class Columns(NamedTuple):
    """The names of the columns of source and target."""

    source: str
    target: str


TWO_FILES = Columns("source", "target")
"""What the lines of two text files are called."""


class PairRow(NamedTuple):
    """A row with both texts; ``number`` is its place in the file, from 1."""

    number: int
    source: str
    target: str


class PairTable:
    """The pairs of a table, or of two text files with one text per line; iterating over it reads the file.

    Args:
        paths: the table, or the file of the sources and that of the targets.
        columns: of the table.

    Attributes:
        total: number of rows, after iterating.
        left_out: the numbers of the rows that were left out, by the reason, after iterating.
    """

    def __init__(self, paths: Sequence[Path], columns: Columns) -> None:
        self.paths, self.columns = paths, columns
        self.total = 0
        self.left_out: Dict[str, List[int]] = {}

    def __iter__(self) -> Iterator[PairRow]:
        """Yields the pairs of the rows that have both texts.

        Raises:
            UserError: a file cannot be read, or no row has both texts.
        """
        self.total, left_out = 0, defaultdict(list)
        for row in self.rows():
            self.total += 1
            try:
                yield self.pair(row)
            except MissingTextError as reason:
                left_out[str(reason)].append(row.number)
        self.left_out = dict(left_out)
        if self.total == sum(map(len, left_out.values())):
            raise UserError(f"{self.name}: {self.described()}; expected rows with a text for source and target")

    @property
    def name(self) -> str:
        """The names of the files."""
        return ", ".join(map(str, self.paths))

    def rows(self) -> Iterator[Row]:
        """All rows; two text files make a table with the columns of :data:`TWO_FILES`."""
        if len(self.paths) == 1:
            return read_rows(self.paths[0])
        check_line_counts(self.paths)
        lines = zip(itertools.count(1), *map(read_marked_lines, self.paths))
        return (Row(number, dict(zip(TWO_FILES, texts))) for number, *texts in lines)

    def pair(self, row: Row) -> PairRow:
        """The pair in a row.

        Raises:
            MissingTextError: it has none.
        """
        if row.problem:
            raise MissingTextError(row.problem)
        return PairRow(row.number, *(text_in(row.cells, column) for column in self.columns))

    def described(self) -> str:
        """What was read, and which rows were left out, after iterating."""
        count = sum(map(len, self.left_out.values()))
        if not count:
            return f"{self.total:,} rows"
        reasons = "; ".join(f"{reason}: {listed(rows)}" for reason, rows in self.left_out.items())
        return f"{self.total:,} rows, {count:,} left out ({reasons})"


def listed(rows: Sequence[int]) -> str:
    """Numbers of rows, the first of many.

    >>> listed([7]), listed(range(1, 8))
    ('row 7', 'rows 1, 2, 3, 4, 5 and 2 more')
    """
    shown = ", ".join(map(str, rows[:SHOWN]))
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"


def read_marked_lines(path: Path) -> Iterator[str]:
    """Yields the lines of a text file; a byte order mark before them is none of the text."""
    lines = read_lines(path)
    yield from itertools.chain((line.removeprefix(BYTE_ORDER_MARK) for line in itertools.islice(lines, 1)), lines)


def choose_columns(
    path: Path, *, source: Optional[str], target: Optional[str], usual: Optional[Columns] = None
) -> Columns:
    """The columns that were asked for, or else those with a known name, or the two of a table that has no others.

    Args:
        path: the table.
        source: the name that was asked for.
        target: the same for the target.
        usual: columns that go before known names, if the table has both.

    Raises:
        UserError: there is no such column, or none that is known.
    """
    names = columns_of(path)
    for flag, wanted in (("--source-column", source), ("--target-column", target)):
        if wanted is not None and wanted not in names:
            raise UserError(f"{path} has no column {wanted!r}; it has {', '.join(names)}: name one of them with {flag}")
    if usual is not None and {source, target} <= {*usual, None} and {*usual} <= {*names}:
        return usual
    others = names if len(names) == 2 else []
    source = source or first_of((*KNOWN_SOURCES, *others), names, other_than=target)
    target = target or first_of((*KNOWN_TARGETS, *others), names, other_than=source)
    if source is None or target is None:
        raise UserError(
            f"{path} has the columns {', '.join(names)}; name two of them with --source-column and --target-column"
        )
    return Columns(source, target)


def first_of(known: Sequence[str], names: Sequence[str], *, other_than: Optional[str]) -> Optional[str]:
    """The first of the known names that a table has, if any."""
    return next((name for name in known if name in names and name != other_than), None)
