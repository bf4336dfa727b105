"""The data of XNLG (Chi et al., 2020), which s2s-ft took for French and Chinese: line n of one file belongs to line n
of the others.

Headlines: SPLIT.x.LANGUAGE and SPLIT.y.LANGUAGE. Questions: SPLIT.e.LANGUAGE.lc (evidence), SPLIT.a.LANGUAGE.lc
(answer), SPLIT.q.LANGUAGE.lc (question).
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

from . import columns, webqa
from .files import find
from .records import Example, Records, expect


def read_headlines(raw: Path, split: str, records: Records, *, language: str) -> Iterator[Example]:
    """Yields the headlines of a language; those of any other form of pairs if there are none."""
    two = columns.first_two(raw, ((f"{{}}.x.{language}", f"{{}}.y.{language}"),), split)
    yield from columns.lines_of_two(two, records) if two else columns.read(raw, split, records)


def read_questions(raw: Path, split: str, records: Records, *, language: str) -> Iterator[Example]:
    """Yields the questions of a language; those of WebQA as Baidu published it if there are none."""
    files = [find(raw, (f"{{}}.{part}.{language}.lc", f"{{}}.{part}.{language}"), split)[:1] for part in "eaq"]
    if not all(files):
        yield from webqa.read(raw, split, records)
        return
    lines = (columns.plain_lines(path) for (path,) in files)
    for number, texts in enumerate(itertools.zip_longest(*lines), 1):
        yield from records.take(f"{files[0][0]}, line {number}", asked, *texts)


def asked(evidence: object, answer: object, question: object) -> Example:
    """The evidence with its answer, and the question as the target."""
    expect(None not in (evidence, answer, question), "not all of evidence, answer and question have such a line")
    return Example(str(evidence), str(question), turns=(str(answer),), keep="answer", query=str(answer))
