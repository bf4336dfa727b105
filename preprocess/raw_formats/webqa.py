"""WebQA (Li et al., 2016) as Chinese question generation: an evidence and an answer are read, the question is written.

{"Q_1": {"question": ..., "evidences": {"Q_1#00": {"evidence": ..., "answer": [...]}}}} in me_train.json,
me_validation.ann.json (or .ir.json) and me_test.ann.json. An evidence that has no answer ("no_answer") asks nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .files import read_json, require
from .records import Example, Records, expect

FILES = ("me_{}.ann.json", "me_{}.json", "me_{}.ir.json", "{}.ann.json", "{}.json")
NO_ANSWER = "no_answer"


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the evidences that have an answer."""
    path = require(raw, FILES, split)
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


def answers(evidence: Any) -> Any:
    """The answers that an evidence gives."""
    found = evidence.get("answer") if isinstance(evidence, dict) else None
    return [found] if isinstance(found, str) else found


def asked(question: dict[str, Any], evidence: dict[str, Any]) -> Example:
    """The evidence with its first answer, and the question as the target."""
    found = answers(evidence)
    expect(isinstance(found, list) and found, "no list of answers")
    answer = found[0]
    expect(answer.strip(), "the first answer is empty")
    return Example(evidence["evidence"], question["question"], turns=(answer,), keep="answer", query=answer)
