"""SQuAD 1.1 as question generation: a passage and an answer are read, the question is written.

The official split (Du et al., 2017): train.json, dev.json and test.json, as they publish it, or else the articles of
train-v1.1.json that doclist-test.txt does not name, dev-v1.1.json to validate, and those that it names. The reversed
split (Zhao et al., 2018) validates with the test set of the official one, and tests with its validation set.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from .files import find, numbered_lines, read_json, require
from .records import Example, Reader, Records, expect

DU_FILES = ("{}.json",)
SQUAD_FILES = ("{}-v1.1.json", "{}-v*.json")
WITHOUT_ANSWERS = ("para-{}.txt", "src-{}.txt")
TEST_TITLES = ("doclist-{}.txt",)
Titles = dict[str, str]
"""Titles as they can be compared, and where they stand."""
REVERSED = {"train": "train", "valid": "test", "test": "valid"}


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the questions of the official split."""
    lists = find(raw, TEST_TITLES, "test")
    if lists and not find(raw, DU_FILES, split):
        path = require(raw, SQUAD_FILES, "valid" if split == "valid" else "train")
        titles = {comparable(title): place for place, title in numbered_lines(lists[0]) if title.strip()}
        yield from questions(path, split, titles, records)
    else:
        names = (*DU_FILES, *SQUAD_FILES, *(["train-v1.1.json with doclist-{}.txt"] if split == "test" else []))
        unanswered = find(raw, WITHOUT_ANSWERS, split)
        if unanswered and not find(raw, names, split):
            sys.exit(f"{unanswered[0]} has no answers to ask for; expected {split}.json, which its authors publish too")
        yield from questions(require(raw, names, split), split, None, records)


def reversed_split(official: Reader) -> Reader:
    """Reads the questions of the reversed split with what reads those of the official one."""

    def read_reversed(raw: Path, split: str, records: Records) -> Iterator[Example]:
        return official(raw, REVERSED[split], records)

    return read_reversed


def comparable(title: str) -> str:
    """The letters and digits of an article's title, which lists and data write differently."""
    return re.sub(r"[\W_]+", "", title).casefold()


def belongs(article: Any, split: str, test_titles: Optional[Titles]) -> bool:
    """Whether an article is of the split, if titles tell; what is no article is left to those who report it."""
    if test_titles is None or split == "valid" or not isinstance(article, dict):
        return True
    return (comparable(str(article.get("title"))) in test_titles) == (split == "test")


def questions(path: Path, split: str, test_titles: Optional[Titles], records: Records) -> Iterator[Example]:
    """Yields the questions of a file, or of those of its articles that belong to the split."""
    content = read_json(path)
    articles = {"data": content} if isinstance(content, list) else content
    unseen = dict(test_titles or {}) if split == "test" else {}
    for place, article in records.items(str(path), articles, "data"):
        if not belongs(article, split, test_titles):
            continue
        unseen.pop(comparable(str(article.get("title"))) if isinstance(article, dict) else "", None)
        for inside, paragraph in records.items(place, article, "paragraphs"):
            for below, question in records.items(inside, paragraph, "qas"):
                yield from records.take(below, asked, paragraph, question)
    for place in unseen.values():
        records.report(place, f"no article of this title in {path}")


def asked(paragraph: dict[str, Any], question: dict[str, Any]) -> Example:
    """The passage with the first answer, and the question as the target."""
    expect(question["answers"], f"no answer to question {question.get('id')}; expected an answerable one")
    answer = question["answers"][0]["text"]
    expect(answer.strip(), f"the answer to question {question.get('id')} is empty")
    return Example(paragraph["context"], question["question"], turns=(answer,), keep="answer", query=answer)
