"""Pairs of source and target from the formats in which the papers' data sets are published.

A record that is not in its format is left out and reported with its file and place, or ends the program; see `Records`.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from text_files import one_line, read_lines

SEPARATOR = " [SEP] "
SENTENCE_END = " [X_SEP] "
HIGHLIGHT = "@highlight"
XSUM = re.compile(r"\[SN\]FIRST-SENTENCE\[SN\](.*?)\[SN\]RESTBODY\[SN\](.*)", re.DOTALL)
DSTC7_COLUMNS = 7  # hash, subreddit, conversation, score, turn, context, response
PERSONA = re.compile(r"(\d+) (your persona: |partner's persona: )?(.*)", re.DOTALL)


class Example(NamedTuple):
    """What a model reads and what it is to write, each in one line."""

    source: str
    target: str


class MalformedRecordError(ValueError):
    """What is wrong with a record."""


class Records:
    """Takes examples from records; malformed ones are left out and reported, or end the program if `strict`."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.malformed: list[str] = []

    def examples(self, records: Iterable[tuple[str, Any]], parse: Callable[[Any], Example]) -> Iterator[Example]:
        """Yields the example in each record, given with the name of its place."""
        for place, record in records:
            try:
                yield whole(parse(record))
            except (MalformedRecordError, KeyError, IndexError, TypeError, ValueError) as error:
                self.report(f"{place}: {error if isinstance(error, MalformedRecordError) else repr(error)}")

    def report(self, problem: str) -> None:
        """Notes a problem and says it on standard error."""
        if self.strict:
            sys.exit(f"{problem}; without --strict it would be left out")
        self.malformed.append(problem)
        print(f"left out: {problem}", file=sys.stderr)


def whole(example: Example) -> Example:
    """Returns an example in single lines, neither of which may be empty."""
    source, target = map(one_line, example)
    if not source or not target:
        raise MalformedRecordError(f"no {'target' if source else 'source'}; expected a text")
    return Example(source, target)


def numbered_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields each line with its place."""
    return ((f"{path}, line {number}", line) for number, line in enumerate(read_lines(path), 1))


def text_files(folder: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Yields the text of each file that fits the pattern, by name."""
    return ((str(path), "\n".join(read_lines(path))) for path in sorted(folder.glob(pattern)))


def story(text: str) -> Example:
    """One story of CNN/DailyMail: the article, and its highlights, each after a line `@highlight`."""
    article, *highlights = text.split(HIGHLIGHT)
    if not highlights:
        raise MalformedRecordError(f"no highlight; expected lines {HIGHLIGHT} below the article")
    return Example(article, SENTENCE_END.join(highlight.strip() for highlight in highlights if highlight.strip()))


def xsum(text: str) -> Example:
    """One file of XSum: the body of the article and its first sentence."""
    parts = XSUM.search(text)
    if parts is None:
        raise MalformedRecordError("expected the sections [SN]FIRST-SENTENCE[SN] and [SN]RESTBODY[SN]")
    return Example(parts[2], parts[1])


def gigaword(line: str) -> Example:
    """One line of Gigaword: a sentence, a tab and its headline."""
    columns = line.split("\t")
    if len(columns) != len(Example._fields):
        raise MalformedRecordError(f"{len(columns)} columns; expected 2, text and headline")
    return Example(*columns)


def dstc7(line: str) -> Example:
    """One line of DSTC7's conversations: the context, its turns parted by EOS, and the response."""
    columns = line.split("\t")
    if len(columns) != DSTC7_COLUMNS:
        raise MalformedRecordError(
            f"{len(columns)} columns; expected {DSTC7_COLUMNS}, the last two context and response"
        )
    turns = [turn.strip() for turn in columns[5].removeprefix("START").split(" EOS ")]
    return Example(SEPARATOR.join(filter(None, turns)), columns[6])


def squad_questions(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields each question of a SQuAD file beside its passage."""
    for article in read_json(path)["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield f"{path}, question {question.get('id')}", (paragraph["context"], question)


def question_generation(record: tuple[str, Any]) -> Example:
    """A passage with the answer to a question as source, the question as target."""
    passage, question = record
    if not question["answers"]:
        raise MalformedRecordError("no answer; expected an answerable question")
    return Example(passage + SEPARATOR + question["answers"][0]["text"], question["question"])


def coqa_turns(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields each turn of CoQA's conversations: the story, the turns before it, its question and its answer."""
    for conversation in read_json(path)["data"]:
        turns = list(zip(conversation["questions"], conversation["answers"]))
        for number in range(len(turns)):
            yield f"{path}, {conversation.get('id')} turn {number + 1}", (conversation["story"], turns[: number + 1])


def answer_generation(record: tuple[str, Any]) -> Example:
    """The history, the question and the story as source, the answer as target."""
    passage, turns = record
    *history, (question, answer) = turns
    said = [text["input_text"] for turn in history for text in turn]
    return Example(SEPARATOR.join([*said, question["input_text"], passage]), answer["input_text"])


def persona_turns(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields each exchange of Persona-Chat: the persona, what was said before, and the line of the exchange."""
    persona: list[str] = []
    said: list[str] = []
    for place, line in numbered_lines(path):
        match = PERSONA.fullmatch(line)
        if match and match[1] == "1":
            persona, said = [], []
        if match and match[2]:
            persona.append(match[3])
            continue
        yield place, ([*persona], [*said], match[3] if match else "")
        said += match[3].split("\t")[:2] if match else []


def persona_chat(record: tuple[list[str], list[str], str]) -> Example:
    """The persona and what was said as source, the response as target."""
    persona, said, exchange = record
    columns = exchange.split("\t")
    if len(columns) < len(Example._fields):
        raise MalformedRecordError("no response; expected NUMBER TEXT, a tab and the response")
    return Example(SEPARATOR.join([*persona, *said, columns[0]]), columns[1])


def read_json(path: Path) -> Any:
    """Returns what is in a JSON file; the program ends with one line if it is none."""
    try:
        return json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        sys.exit(f"{path} is not valid JSON: {error}")
