"""CoQA (Reddy et al., 2019) as generation: history, question and story are read, the answer is written.

coqa-train-v1.0.json and coqa-dev-v1.0.json; the test set is not public, and the papers report on the development set,
which is both `valid` and `test` here. Further answers of people become further references (tabs between them).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .files import read_json, require
from .records import Example, Records, expect

FILES = ("coqa-{}-v1.0.json", "coqa-{}*.json", "{}.json")


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields every turn of every conversation."""
    path = require(raw, FILES, "train" if split == "train" else "valid")
    for place, conversation in records.items(str(path), read_json(path), "data"):
        for number, (below, _) in enumerate(records.items(place, conversation, "questions")):
            yield from records.take(below, answered, conversation, number)


def answered(conversation: dict[str, Any], number: int) -> Example:
    """The turns up to a question and the story, and the answer as the target."""
    questions, answers = ([turn["input_text"] for turn in conversation[key]] for key in ("questions", "answers"))
    expect(number < len(answers), f"no answer to turn {number + 1} of {conversation.get('id')}")
    said = [text for turn in zip(questions[:number], answers) for text in turn]
    return Example(
        conversation["story"],
        answers[number],
        turns=(*said, questions[number]),
        text_last=True,
        keep="overlap",
        query=questions[number],
        others=tuple(more[number]["input_text"] for more in conversation.get("additional_answers", {}).values()),
    )
