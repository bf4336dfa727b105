"""WebQA (Li et al., 2016) as Chinese question generation: an evidence and an answer are read, the question is written.

{"Q_1": {"question": ..., "evidences": {"Q_1#00": {"evidence": ..., "answer": [...]}}}} in me_train.json,
me_validation.ann.json (or .ir.json) and me_test.ann.json; or, as Baidu published it first, a question a line in
training.json.gz, validation.ann.json.gz and test.ann.json.gz: {"question_tokens": [...], "evidences":
[{"evidence_tokens": [...], "golden_answers": [[...]]}]}. An evidence that has no answer ("no_answer") asks nothing.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .files import numbered_lines, read_json, require
from .records import Example, Records, expect

FILES = ("me_{}.ann.json", "me_{}.json", "me_{}.ir.json", "{}.ann.json", "{}.json", "{}.ir.json")
NO_ANSWER = "no_answer"
BETWEEN_CHINESE = re.compile(r"(?<![!-~]) | (?![!-~])")  # spaces that are not between two words in ASCII


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the evidences that have an answer."""
    path = require(raw, FILES, split)
    first = next((line for _, line in numbered_lines(path)), "")
    yield from (from_tokens if is_question(parsed(first)) else from_texts)(path, records)


def from_texts(path: Path, records: Records) -> Iterator[Example]:
    """Yields the examples of a file that is one object."""
    content = read_json(path)
    if not isinstance(content, dict):
        records.report(str(path), "no object of questions")
        return
    for name, question in content.items():
        evidences = question.get("evidences") if isinstance(question, dict) else None
        if not isinstance(evidences, dict):
            records.report(f"{path}, {name}", "no object 'evidences'")
            continue
        for part, evidence in evidences.items():
            if answers(evidence) != [NO_ANSWER]:
                yield from records.take(f"{path}, {part}", asked, question, evidence)


def from_tokens(path: Path, records: Records) -> Iterator[Example]:
    """Yields the examples of a file of lines, whose texts are lists of words."""
    for place, line in numbered_lines(path):
        question = parsed(line)
        for below, evidence in records.items(place, question, "evidences"):
            if not is_unanswered(evidence):
                yield from records.take(below, asked_in_tokens, question, evidence)


def parsed(line: str) -> Any:
    """The JSON value of a line, None if it has none."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def is_question(record: Any) -> bool:
    """Whether a record is a question in tokens."""
    return isinstance(record, dict) and "question_tokens" in record


def answers(evidence: Any) -> Any:
    """The answers that an evidence gives."""
    found = evidence.get("answer") if isinstance(evidence, dict) else None
    return [found] if isinstance(found, str) else found


def asked(question: dict[str, Any], evidence: dict[str, Any]) -> Example:
    """The evidence with the first answer that it has in it, and the question as the target."""
    found, text = answers(evidence), evidence["evidence"]
    expect(isinstance(found, list) and found, "no list of answers")
    answer = next((one for one in found if one and one in text), found[0])
    expect(answer.strip(), "the first answer is empty")
    return Example(text, question["question"], turns=(answer,), keep="answer", query=answer)


def is_unanswered(evidence: Any) -> bool:
    """Whether an evidence in tokens says that it has no answer."""
    found = evidence.get("golden_answers") if isinstance(evidence, dict) else None
    return isinstance(found, list) and [untokenized(one) for one in found if isinstance(one, list)] == [NO_ANSWER]


def asked_in_tokens(question: dict[str, Any], evidence: dict[str, Any]) -> Example:
    """The same of lists of words."""
    found = [untokenized(answer) for answer in evidence["golden_answers"]]
    text = untokenized(evidence["evidence_tokens"])
    return asked({"question": untokenized(question["question_tokens"])}, {"evidence": text, "answer": found})


def untokenized(words: list[str]) -> str:
    """A text of its words."""
    return BETWEEN_CHINESE.sub("", " ".join(words))
