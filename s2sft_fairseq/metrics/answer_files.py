"""Reads the JSON files of SQuAD and CoQA, and the predictions that their official scripts read."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping

from ..common.errors import UserError
from ..common.text_lines import parse_json
from .texts import Files, Texts

Answers = Dict[str, List[str]]
"""The answers to each question, by the question's id."""


def read_squad(files: Files) -> Texts:
    """A SQuAD dataset and the predictions {id: answer}; the sources are the ids of the questions.

    Raises:
        UserError: a file is no such JSON, or a question has no prediction.
    """
    with expecting(dataset_of(files), "dataset of SQuAD"):
        questions = squad_answers(parse_json(dataset_of(files)))
    with expecting(files.hypothesis, "JSON object {id: answer}"):
        predictions = {str(name): one_line(text) for name, text in parse_json(files.hypothesis).items()}
    return matched(files, questions, predictions)


def read_coqa(files: Files) -> Texts:
    """A CoQA dataset and the predictions [{id, turn_id, answer}]; the sources are the domains of the stories.

    Raises:
        UserError: a file is no such JSON, or a question has no prediction.
    """
    with expecting(dataset_of(files), "dataset of CoQA"):
        dataset = parse_json(dataset_of(files))
        questions = coqa_answers(dataset)
        domains = {story["id"]: str(story.get("source", "")) for story in dataset["data"]}
    with expecting(files.hypothesis, "list of {id, turn_id, answer}"):
        predictions = {turn_name(p["id"], p["turn_id"]): one_line(p["answer"]) for p in parse_json(files.hypothesis)}
    texts = matched(files, questions, predictions)
    return texts._replace(sources=[domains[name.rpartition(" turn ")[0]] for name in questions])


def dataset_of(files: Files) -> Path:
    """The only reference file, which contains all answers to a question."""
    dataset, *others = files.references
    if others:
        raise UserError(f"--reference names {dataset} and {len(others)} more; expected a single file if it is JSON")
    return dataset


def squad_answers(dataset: Mapping[str, Any]) -> Answers:
    """The questions of SQuAD 1.1 or 2.0, in the order of the file; an unanswerable one has no answers."""
    paragraphs = (paragraph for article in dataset["data"] for paragraph in article["paragraphs"])
    questions = (question for paragraph in paragraphs for question in paragraph["qas"])
    return {question["id"]: [one_line(a["text"]) for a in question["answers"]] for question in questions}


def coqa_answers(dataset: Mapping[str, Any]) -> Answers:
    """The turns of CoQA's stories, in the order of the file, including the development set's additional answers."""
    found: Answers = {}
    for story in dataset["data"]:
        for answers in (story["answers"], *story.get("additional_answers", {}).values()):
            for answer in answers:
                found.setdefault(turn_name(story["id"], answer["turn_id"]), []).append(one_line(answer["input_text"]))
    return found


def turn_name(story: str, turn: int) -> str:
    """The name of one turn of a conversation."""
    return f"{story} turn {turn}"


def one_line(text: str) -> str:
    """A text without line breaks and tabs (normalization ignores whitespace anyway)."""
    return " ".join(text.split())


def matched(files: Files, questions: Answers, predictions: Mapping[str, str]) -> Texts:
    """Pairs each prediction with the answers to its question."""
    missing = [name for name in questions if name not in predictions]
    if missing:
        raise UserError(
            f"{files.hypothesis} has no answer to {len(missing)} of the {len(questions)} questions in "
            f"{dataset_of(files)}, the first being {missing[0]}; expected one per question, empty for no answer"
        )
    return Texts([predictions[name] for name in questions], list(questions.values()), list(questions))


@contextmanager
def expecting(path: Path, content: str) -> Iterator[None]:
    """Reports errors in a block that reads the content of a JSON file in one line."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{path} is not a {content} ({reason}); expected the official format, or text lines") from None
