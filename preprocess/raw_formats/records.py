"""What a record of a published data set becomes, and what happens to one that is not in its format."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from s2sft_fairseq.common.text_lines import on_one_line

SENTENCE_END = "[X_SEP]"
NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what files.read_lines makes of such bytes
ODD_RECORD = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""What taking a record apart raises that is not in its format."""


class Example(NamedTuple):
    """What a model reads and what it is to write.

    Attributes:
        text: the article, passage or document.
        target: the text to write; its sentences may be parted by :data:`SENTENCE_END`.
        turns: what else is read, as parts of its own, oldest first: an answer, or what was said before.
        text_last: whether the text stands behind the turns instead of before them.
        keep: the part of a long text that is kept (``--keep`` of ``python -m s2sft_fairseq.select_chunk``).
        query: decides which part that is.
        others: what else would be as good as the target when it is scored.
    """

    text: str
    target: str
    turns: tuple[str, ...] = ()
    text_last: bool = False
    keep: str = "head"
    query: str = ""
    others: tuple[str, ...] = ()


class MalformedRecordError(ValueError):
    """What is wrong with a record."""


class Records:
    """Takes examples out of records; malformed ones are left out, counted and reported, or end the program.

    Args:
        strict: end the program at the first malformed record.
        silent: report nothing, but keep the first report.
    """

    def __init__(self, *, strict: bool = False, silent: bool = False) -> None:
        self.strict, self.silent = strict, silent
        self.malformed = 0
        self.first = ""

    def take(self, place: str, parse: Callable[..., Example], *record: Any) -> Iterator[Example]:
        """Yields the example in the record at this place (a file and a line, or a file and an id)."""
        try:
            example = tidy(parse(*record))
        except ODD_RECORD as error:
            self.report(place, worded(error))
        else:
            yield example

    def items(self, place: str, record: Any, key: str) -> Iterator[tuple[str, Any]]:
        """Yields what the list ``record[key]`` holds, each with its place; without a list it is malformed."""
        found = record.get(key) if isinstance(record, dict) else None
        if not isinstance(found, list):
            self.report(place, f"no list {key!r}")
            return
        for number, item in enumerate(found):
            yield f"{place}, {key}[{number}]", item

    def report(self, place: str, problem: str) -> None:
        """Counts a malformed record, and says on standard error where it is."""
        if self.strict:
            sys.exit(f"{place}: {problem}; without --strict it would be left out")
        self.malformed += 1
        self.first = self.first or f"{place}: {problem}"
        if not self.silent:
            print(f"left out: {place}: {problem}", file=sys.stderr)


def worded(error: Exception) -> str:
    """What is wrong with a record that could not be taken apart."""
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error) if isinstance(error, MalformedRecordError) else f"not in the format ({error})"


def tidy(example: Example) -> Example:
    """An example in single lines.

    Raises:
        MalformedRecordError: there is nothing to read, or nothing to write, or it is not UTF-8.
    """
    expect(not any(map(NOT_UTF8.search, (example.text, example.target, *example.turns, *example.others))), "not UTF-8")
    turns = tuple(filter(None, map(on_one_line, example.turns)))
    text, target = on_one_line(example.text), on_one_line(example.target)
    if not (text or turns) or not target:
        raise MalformedRecordError(f"no {'target' if text or turns else 'source'}; expected a text")
    others = tuple(filter(None, map(on_one_line, example.others)))
    return example._replace(text=text, target=target, turns=turns, query=on_one_line(example.query), others=others)


def expect(condition: object, problem: str) -> None:
    """Raises MalformedRecordError unless a condition holds."""
    if not condition:
        raise MalformedRecordError(problem)


Reader = Callable[[Path, str, Records], Iterator[Example]]
"""Takes the folder of a data set, the split (train, valid, test) and what keeps account of malformed records."""
