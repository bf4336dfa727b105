"""CoQA (Reddy et al., 2019) as generation: history, question and story are read, the answer is written.

coqa-train-v1.0.json and coqa-dev-v1.0.json; the test set is not public, and the papers report on the development set,
which is both `valid` and `test` here. Further answers of people become further references (tabs between them).
"""

from collections.abc import Iterable, Iterator
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
    """The turns up to a question and the story, and the answer as the target; what was left open before is left out."""
    questions, answers, *others = map(
        by_turn, (conversation["questions"], conversation["answers"], *more(conversation))
    )
    for texts, side in ((questions, "question"), (answers, "answer")):
        expect(number in texts, f"no {side} of turn {number + 1} of {conversation.get('id')}")
    before = (place for place in range(number) if place in questions and place in answers)
    return Example(
        conversation["story"],
        answers[number],
        turns=(*(text for place in before for text in (questions[place], answers[place])), questions[number]),
        text_last=True,
        keep="overlap",
        query=questions[number],
        others=tuple(texts[number] for texts in others if number in texts),
    )


def more(conversation: dict[str, Any]) -> Iterable[list[dict[str, Any]]]:
    """What further people answered."""
    return (conversation.get("additional_answers") or {}).values()


def by_turn(texts: list[dict[str, Any]]) -> dict[int, str]:
    """Questions or answers by the number of their turn, from 0 on: by turn_id if all have one, else by their place."""
    numbers = [text["turn_id"] for text in texts if isinstance(text, dict) and isinstance(text.get("turn_id"), int)]
    places = [number - 1 for number in numbers] if len(numbers) == len(texts) else range(len(texts))
    usable = ((place, text) for place, text in zip(places, texts) if isinstance(text, dict))
    return {place: text["input_text"] for place, text in usable if text.get("input_text")}
