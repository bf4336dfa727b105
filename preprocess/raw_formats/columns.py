"""Pairs that are pairs already: Gigaword, and any other data set in one of these forms.

SPLIT.tsv           a source, a tab and its target a line; or columns named in the first line, `tgt` among them, as
                    ERNIE-GEN's authors publish their data (`knowledge` and a dialogue, its turns parted by __eou__)
SPLIT.jsonl         {"src": ..., "tgt": ...} a line, in SPLIT.json too (as s2s-ft's authors publish theirs)
two files           line n of one belongs to line n of the other: SPLIT.src and .tgt; SPLIT.article.txt and .title.txt
                    (Rush et al., 2015), its test split Giga/input.txt and task1_ref0.txt; and some more
"""

import functools
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from .files import SPLIT_NAMES, files, find, missing, numbered_lines, only
from .records import Example, Records, expect

TABLES = ("{}.tsv", "{}.*.tsv")
JSON_LINES = ("{}.jsonl", "{}.json")
TWO_FILES = (
    ("{}.src", "{}.tgt"),
    ("{}.src.txt", "{}.tgt.txt"),
    ("{}.article.filter.txt", "{}.title.filter.txt"),
    ("{}.article.txt", "{}.title.txt"),
    ("{}.source", "{}.target"),
    ("{}.document", "{}.summary"),
    ("{}.src.*", "{}.tgt.*"),
)
RUSH_TEST = (("[Gg]iga/input.txt", "task1_ref0.txt"), ("input.txt", "task1_ref0.txt"))
SMALL_TABLES = ("{}.10k.tsv", "{}*10k*.tsv")
SMALL_FILES = (("{}.src.10k", "{}.tgt.10k"),)
SOURCES = ("src", "document", "article", "source")
TARGETS = ("tgt", "summary", "highlights", "target")
TURN_END = " __eou__ "


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the pairs of a split, in whichever of the forms it is."""
    found = located(raw, split)
    if found is None:
        missing(raw, (*TABLES, *JSON_LINES[:1], *(" with ".join(names) for names in TWO_FILES[:4])), split)
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


def is_there(raw: Path, split: str) -> bool:
    """Whether there is a split in one of these forms."""
    return located(raw, split) is not None


def is_json_lines(path: Path) -> bool:
    """Whether the first line of a file is an object with a source and a target, and not a whole data set."""
    line = next((line for _, line in numbered_lines(path)), "")
    try:
        record = json.loads(line)
    except ValueError:
        return path.suffix == ".jsonl"
    return path.suffix == ".jsonl" or (isinstance(record, dict) and "src" in record)


def pairs(paths: tuple[Path, ...], records: Records) -> Iterator[Example]:
    """Yields the pairs of a table or of two files."""
    if len(paths) == 2:
        yield from lines_of_two((paths[0], paths[1]), records)
        return
    lines = numbered_lines(paths[0])
    parse = json_line
    if paths[0].suffix == ".tsv":
        first = next(lines, ("", ""))
        names = first[1].split("\t")
        parse = functools.partial(named_row, names=names) if "tgt" in names else table_row
        lines = lines if "tgt" in names else itertools.chain([first], lines)
    for place, line in lines:
        yield from records.take(place, parse, line)


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


def named_row(line: str, *, names: list[str]) -> Example:
    """Columns by their names: `tgt`, `knowledge`, and one or more sources, whose only one may be a dialogue."""
    cells = line.split("\t")
    expect(len(cells) == len(names), f"{len(cells)} columns; expected {len(names)}: {', '.join(names)}")
    row = dict(zip(names, map(whole_words, cells)))
    target, knowledge = row.pop("tgt"), row.pop("knowledge", None)
    sources = list(row.values())
    expect(sources, "no column with a source")
    if knowledge is None and TURN_END not in sources[0]:
        return Example(sources[0], target, turns=tuple(sources[1:]), keep="answer", query=sources[-1])
    turns = tuple(sources[0].split(TURN_END))
    return Example(knowledge or "", target, turns=turns, keep="overlap", query=turns[-1])


def json_line(line: str) -> Example:
    """A source and a target, each a text or a list of tokens."""
    record = json.loads(line)
    source, target = (next((record[name] for name in names if name in record), None) for names in (SOURCES, TARGETS))
    expect(source is not None and target is not None, "no src or no tgt; expected both")
    return Example(joined(source), joined(target))


def joined(text: Any) -> str:
    """A text that may be a list of tokens."""
    return whole_words(" ".join(text)) if isinstance(text, list) else text


def whole_words(text: str) -> str:
    """Words of what may be WordPieces, as the authors publish them."""
    return text.replace(" ##", "")
