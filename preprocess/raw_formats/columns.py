"""Pairs that are pairs already: Gigaword in every language, and any other data set in one of these forms.

SPLIT.tsv           a source, a tab and its target a line (as ERNIE-GEN's authors publish their data)
SPLIT.jsonl         {"src": ..., "tgt": ...} a line (as s2s-ft's authors publish theirs)
two files           line n of one belongs to line n of the other: SPLIT.src and .tgt; SPLIT.article.txt and .title.txt
                    (Rush et al., 2015), its test split input.txt and task1_ref0.txt; SPLIT.document and .summary
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .files import find, missing, numbered_lines
from .records import Example, Records, expect

TABLES = ("{}.tsv", "{}.*.tsv")
JSON_LINES = ("{}.jsonl",)
TWO_FILES = (
    ("{}.src", "{}.tgt"),
    ("{}.article*.txt", "{}.title*.txt"),
    ("{}.src.*", "{}.tgt.*"),
    ("{}.document", "{}.summary"),
)
RUSH_TEST = ("input.txt", "task1_ref0.txt")


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the pairs of a split, in whichever of the forms it is."""
    for patterns, parse in ((TABLES, table_row), (JSON_LINES, json_line)):
        for path in find(raw, patterns, split)[:1]:
            for place, line in numbered_lines(path):
                yield from records.take(place, parse, line)
            return
    for source, target in (*TWO_FILES, *[RUSH_TEST] * (split == "test")):
        for paths in zip(find(raw, (source,), split)[:1], find(raw, (target,), split)[:1]):
            yield from lines_of_two(paths, records)
            return
    missing(raw, (*TABLES, *JSON_LINES, *(" with ".join(names) for names in TWO_FILES)), split)


def is_there(raw: Path, split: str) -> bool:
    """Whether there is a split in one of these forms."""
    forms = ((*TABLES, *JSON_LINES), *((source,) for source, _ in TWO_FILES))
    return any(find(raw, patterns, split) for patterns in forms)


def lines_of_two(paths: tuple[Path, Path], records: Records) -> Iterator[Example]:
    """Yields line n of both files; lines that only one of them has are malformed."""
    for (place, _), pair in zip(numbered_lines(longest(paths)), itertools.zip_longest(*map(plain_lines, paths))):
        yield from records.take(place, two_lines, *pair)


def longest(paths: tuple[Path, Path]) -> Path:
    """The file with more lines."""
    return max(paths, key=lambda path: sum(1 for _ in plain_lines(path)))


def plain_lines(path: Path) -> Iterator[str]:
    """Yields the lines of a file."""
    return (line for _, line in numbered_lines(path))


def two_lines(source: object, target: object) -> Example:
    """A line of each file."""
    expect(source is not None and target is not None, "the other file has no such line")
    return Example(str(source), str(target))


def table_row(line: str) -> Example:
    """A source, a tab and a target."""
    cells = line.split("\t")
    expect(len(cells) == 2, f"{len(cells)} columns; expected 2, source and target")
    return Example(cells[0], cells[1])


def json_line(line: str) -> Example:
    """A source and a target, each a text or a list of tokens."""
    record = json.loads(line)
    return Example(joined(record["src"]), joined(record["tgt"]))


def joined(text: Any) -> str:
    """A text that may be a list of tokens."""
    return " ".join(text) if isinstance(text, list) else text
