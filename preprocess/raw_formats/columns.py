"""Pairs that are pairs already: Gigaword, and any other data set in one of these forms.

SPLIT.tsv           a source, a tab and its target a line; or columns named in the first line, `tgt` among them, as
                    ERNIE-GEN's authors publish their data (`knowledge` and a dialogue, its turns parted by __eou__)
SPLIT.csv, .jsonl   a record a row, a line: `article` and `highlights`, `document` and `summary`, `src` and `tgt`; in
                    SPLIT.json too (as s2s-ft's authors publish theirs)
two files           line n of one belongs to line n of the other: SPLIT.src and .tgt; SPLIT.article.txt and .title.txt
                    (Rush et al., 2015), its test split Giga/input.txt and task1_ref0.txt; and some more

A source may have parts with [SEP] between them, such as a passage and an answer.
"""

import csv
import functools
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

from s2sft_fairseq.common.delimited import read_header

from .files import SPLIT_NAMES, files, find, kind, missing, numbered_lines, only, read_lines
from .records import SENTENCE_END, Example, Reader, Records, expect

TABLES = ("{}.tsv", "{}.*.tsv", "{}.csv")
JSON_LINES = ("{}.jsonl", "{}.json")
TWO_FILES = (
    ("{}.src", "{}.tgt"),
    ("{}.src.txt", "{}.tgt.txt"),
    ("{}.article.filter.txt", "{}.title.filter.txt"),
    ("{}.article.txt", "{}.title.txt"),
    ("{}.source", "{}.target"),
    ("{}.document", "{}.summary"),
    ("{}.pa.txt", "{}.q.txt"),
    ("{}.pa.tok.txt", "{}.q.tok.txt"),
    ("{}.src.*", "{}.tgt.*"),
)
WORD_PIECES = ".tok."  # in the names of files that are in WordPieces
RUSH_TEST = (
    ("Giga/input.txt", "task1_ref0.txt"),
    ("giga/input.txt", "task1_ref0.txt"),
    ("input.txt", "task1_ref0.txt"),
)
SMALL_TABLES = ("{}*10k*.tsv",)
SMALL_FILES = (("{}.src.10k", "{}.tgt.10k"),)
SOURCES = ("src", "document", "article", "source", "text")
TARGETS = ("tgt", "summary", "highlights", "target")
SENTENCES = "highlights"  # has a sentence of the target in each line
SEPARATOR = re.compile(r"\s\[SEP\]\s")
TURN_END = " __eou__ "
DIGITS = re.compile(r"(?<!\S)##(?!\w)")


def unless_pairs(published: Reader) -> Reader:
    """Reads pairs if a split is in one of these forms, and else what is published."""

    def read_either(raw: Path, split: str, records: Records) -> Iterator[Example]:
        return (published if located(raw, split) is None else read)(raw, split, records)

    return read_either


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the pairs of a split, in whichever of the forms it is."""
    found = located(raw, split)
    if found is None:
        missing(raw, tuple(" with ".join(names) for names in TWO_FILES[2:4]), split)
    else:
        yield from pairs(found, records)


def read_small(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the pairs of a split; those of a published selection of 10,000 to train on, if it is there."""
    tables = find(raw, SMALL_TABLES, split) if split == "train" else []
    two = first_two(raw, SMALL_FILES, split) if split == "train" else None
    if tables or two:
        yield from pairs((only(tables),) if tables else two or (), records)
    else:
        yield from read(raw, split, records)


def located(raw: Path, split: str) -> Optional[tuple[Path, ...]]:
    """The one file or the two that a split is in, or None."""
    tables = find(raw, TABLES, split) or [path for path in find(raw, JSON_LINES, split) if is_json_lines(path)]
    if tables:
        return (only(tables),)
    return first_two(raw, (*TWO_FILES, *(RUSH_TEST if split == "test" else ())), split)


def first_two(raw: Path, names: tuple[tuple[str, str], ...], split: str) -> Optional[tuple[Path, Path]]:
    """The first two files of these names that lie side by side, or None."""
    for source, target in names:
        for name in SPLIT_NAMES[split]:
            found = side_by_side(raw, source.replace("{}", name), target.replace("{}", name))
            if found:
                only([path for path, _ in found])
                return found[0]
    return None


def side_by_side(raw: Path, source: str, target: str) -> list[tuple[Path, Path]]:
    """Each file of a name with that of the other name in its folder; a star at the end stands for the same in both."""
    start, end = Path(source).name.split("*")[0], target.split("*")[0]
    found = ((path, path.with_name(end + path.name[len(start) :])) for path in files(raw, source))
    return [(path, other) for path, other in found if other.is_file()]


def is_json_lines(path: Path) -> bool:
    """Whether the first line of a file is an object with a source and a target, and not a whole data set."""
    line = next((line for _, line in numbered_lines(path)), "")
    try:
        return kind(path) == ".jsonl" or names_both(json.loads(line))
    except ValueError:
        return False


def names_both(names: Any) -> bool:
    """Whether there are a source and a target among names."""
    return isinstance(names, (list, dict)) and all(any(name in names for name in known) for known in (SOURCES, TARGETS))


def pairs(paths: tuple[Path, ...], records: Records) -> Iterator[Example]:
    """Yields the pairs of a table or of two files."""
    if len(paths) == 2:
        return lines_of_two((paths[0], paths[1]), records)
    return TABLE_READERS.get(kind(paths[0]), json_lines)(paths[0], records)


def json_lines(path: Path, records: Records) -> Iterator[Example]:
    """Yields the pairs of a file with a JSON object a line."""
    for place, line in numbered_lines(path):
        yield from records.take(place, lambda line: record_pair(json.loads(line)), line)


def csv_rows(path: Path, records: Records) -> Iterator[Example]:
    """Yields the pairs of a CSV file, whose rows may have several lines, below their names."""
    csv.field_size_limit(sys.maxsize)
    lines = read_lines(path)
    names, delimiter = read_header(lines, path)
    rows = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    while True:
        place = f"{path}, line {rows.line_num + 2}"  # the header is line 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            records.report(place, f"not in the format ({error})")
        else:
            yield from records.take(place, csv_row, row, names)


def csv_row(cells: list[str], names: list[str]) -> Example:
    """A row of such a file."""
    expect(len(cells) == len(names), f"{len(cells)} columns; expected {len(names)}: {', '.join(names)}")
    return record_pair(dict(zip(names, cells)))


def tab_rows(path: Path, records: Records) -> Iterator[Example]:
    """Yields the pairs of a file with tabs between its columns, which the first line may name."""
    lines = numbered_lines(path)
    first = next(lines, ("", ""))
    names = first[1].split("\t")
    named = "tgt" in names or names_both(names)
    parse: Callable[[str], Example] = functools.partial(named_row, names=names) if named else table_row
    for place, line in lines if named else itertools.chain([first], lines):
        yield from records.take(place, parse, line)


TABLE_READERS: dict[str, Callable[[Path, Records], Iterator[Example]]] = {".tsv": tab_rows, ".csv": csv_rows}


def lines_of_two(paths: tuple[Path, Path], records: Records) -> Iterator[Example]:
    """Yields line n of both files; lines that only one of them has are malformed."""
    parse = functools.partial(two_lines, pieces=WORD_PIECES in paths[0].name)
    for (place, _), pair in zip(numbered_lines(longest(paths)), itertools.zip_longest(*map(plain_lines, paths))):
        yield from records.take(place, parse, *pair)


def longest(paths: tuple[Path, Path]) -> Path:
    """The file with more lines."""
    return max(paths, key=lambda path: sum(1 for _ in plain_lines(path)))


def plain_lines(path: Path) -> Iterator[str]:
    """Yields the lines of a file."""
    return (line for _, line in numbered_lines(path))


def two_lines(source: object, target: object, *, pieces: bool) -> Example:
    """A line of each file."""
    expect(source is not None and target is not None, "the other file has no such line")
    join = whole_words if pieces else str
    return in_parts(join(str(source)), join(str(target)))


def table_row(line: str) -> Example:
    """A source, a tab and a target."""
    cells = line.split("\t")
    expect(len(cells) == 2, f"{len(cells)} columns; expected 2, source and target")
    return in_parts(cells[0], cells[1])


def named_row(line: str, *, names: list[str]) -> Example:
    """Columns by their names: the target, `knowledge`, and one or more sources, whose only one may be a dialogue."""
    cells = line.split("\t")
    expect(len(cells) == len(names), f"{len(cells)} columns; expected {len(names)}: {', '.join(names)}")
    row = dict(zip(names, map(whole_words, cells)))
    if "tgt" not in row:
        return record_pair(row)
    target, knowledge = row.pop("tgt"), row.pop("knowledge", None)
    sources = list(row.values())
    expect(sources, "no column with a source")
    if knowledge is None and TURN_END not in sources[0]:
        return in_parts(" [SEP] ".join(sources), target)
    turns = tuple(sources[0].split(TURN_END))
    return Example(knowledge or "", target, turns=turns, keep="overlap", query=turns[-1])


def record_pair(record: dict[str, Any]) -> Example:
    """A source and a target by their names, each a text or a list of tokens."""
    expect(names_both(record), f"no source or no target; expected one of {', '.join(SOURCES)}; of {', '.join(TARGETS)}")
    source, target = (next(name for name in names if name in record) for names in (SOURCES, TARGETS))
    text = joined(record[target])
    return in_parts(joined(record[source]), f" {SENTENCE_END} ".join(sentences(text)) if target == SENTENCES else text)


def sentences(text: str) -> list[str]:
    """The lines of a text that have something in them."""
    return [line for line in map(str.strip, text.split("\n")) if line]


def in_parts(source: str, target: str) -> Example:
    """A source that may have parts: the text is the first or the last, whichever is longer."""
    parts = SEPARATOR.split(source)
    last = len(parts[-1]) > len(parts[0])
    text = parts.pop(-1 if last else 0)
    if not parts:
        return Example(text, target)
    keep = "overlap" if parts[1:] else "answer"
    return Example(text, target, turns=tuple(parts), text_last=last, keep=keep, query=parts[-1])


def joined(text: Any) -> str:
    """A text that may be a list of tokens."""
    return whole_words(" ".join(text)) if isinstance(text, list) else text


def whole_words(text: str) -> str:
    """Words of what may be WordPieces, as the authors publish them; Gigaword's ## for digits stays."""
    return text if DIGITS.search(text) else text.replace(" ##", "")
