"""Small data sets in exactly the forms in which they are published, of random words."""

import hashlib
import json
import random
from pathlib import Path
from typing import Callable, Dict, List, Sequence

from commands import WORDS, write_lines

COUNTS = {"train": 12, "valid": 4, "test": 4}
SPLITS = tuple(COUNTS)


class Words:
    """Random texts of the words that the tiny encoders know."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def text(self, shortest: int = 5, longest: int = 8) -> str:
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(shortest, longest)))

    def sentences(self, count: int) -> str:
        return " . ".join(self.text() for _ in range(count)) + " ."


def stories(raw: Path, words: Words) -> None:
    """*.story below two folders, and lists of their addresses."""
    for split, name in (("train", "train"), ("valid", "val"), ("test", "test")):
        addresses = [f"http://example.org/{split}/{number}" for number in range(COUNTS[split])]
        write_lines(make(raw) / f"all_{name}.txt", addresses)
        for number, address in enumerate(addresses):
            folder = make(raw / ("cnn", "dailymail")[number % 2] / "stories")
            highlights = "".join(f"\n\n@highlight\n\n{words.text()} ." for _ in range(3))
            story = folder / f"{hashlib.sha1(address.encode()).hexdigest()}.story"
            story.write_text(f"{words.sentences(3)}\n\n{words.sentences(2)}{highlights}\n")


def xsum(raw: Path, words: Words) -> None:
    """*.summary with sections, and the list of the splits."""
    lists: Dict[str, List[str]] = {}
    for split, key in (("train", "train"), ("valid", "validation"), ("test", "test")):
        lists[key] = [f"{len(lists)}{number:05}" for number in range(COUNTS[split])]
        for name in lists[key]:
            sections = {"URL": "x", "TITLE": words.text(), "FIRST-SENTENCE": words.text()}
            head = "".join(f"[SN]{section}[SN]\n{text}\n\n" for section, text in sections.items())
            path = make(raw / "bbc-summary-data") / f"{name}.summary"
            path.write_text(f"{head}[SN]RESTBODY[SN]\n{words.sentences(2)}\n{words.sentences(1)}\n")
    (raw / "XSum-TRAINING-DEV-TEST-SPLIT-90-5-5.json").write_text(json.dumps(lists))


def rush(raw: Path, words: Words) -> None:
    """Gigaword as Rush et al. publish it."""
    names = {
        "train": ("train/train.article.txt", "train/train.title.txt"),
        "valid": ("train/valid.article.filter.txt", "train/valid.title.filter.txt"),
        "test": ("giga/input.txt", "giga/task1_ref0.txt"),
    }
    for split, files in names.items():
        for file in files:
            write_lines(make((raw / file).parent) / Path(file).name, [words.text() for _ in range(COUNTS[split])])


def tsv(raw: Path, words: Words) -> None:
    """A source, a tab and a target a line."""
    for split, count in COUNTS.items():
        write_lines(make(raw) / f"{split}.tsv", [f"{words.text()}\t{words.text()}" for _ in range(count)])


def squad(raw: Path, words: Words) -> None:
    """Du et al.'s files: lists of articles."""
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        articles = [
            {"title": f"T{number}", "paragraphs": [paragraph(words, f"{split}{number}")]}
            for number in range(COUNTS[split] // 2)
        ]
        (make(raw) / f"{name}.json").write_text(json.dumps(articles))


def paragraph(words: Words, name: str) -> Dict[str, object]:
    """A passage with two questions."""
    context = words.sentences(4)
    answer = context.split()[3]
    answers = [{"answer_start": context.index(answer), "text": answer}]
    questions = [{"id": f"{name}-{n}", "question": f"{words.text()} ?", "answers": answers} for n in range(2)]
    return {"context": context, "qas": questions}


def webqa(raw: Path, words: Words) -> None:
    """Baidu's files: evidences below questions."""
    for split, name in (("train", "train"), ("valid", "validation.ann"), ("test", "test.ann")):
        content = {}
        for number in range(COUNTS[split]):
            evidence = words.text()
            found = {"answer": [evidence.split()[2]], "evidence": evidence}
            nothing = {"answer": ["no_answer"], "evidence": words.text()}
            evidences = {f"Q_{number}#00": found, f"Q_{number}#01": nothing}
            content[f"Q_{number}"] = {"question": words.text(), "evidences": evidences}
        (make(raw) / f"me_{name}.json").write_text(json.dumps(content, ensure_ascii=False))


def coqa(raw: Path, words: Words) -> None:
    """The training and the development set, the latter with further answers."""
    for split, name in (("train", "train"), ("valid", "dev")):
        conversations: List[Dict[str, object]] = []
        for number in range(COUNTS[split] // 2):
            turns = {key: [turn(words, place) for place in (1, 2)] for key in ("questions", "answers", "more")}
            more = {"0": turns.pop("more")} if split == "valid" else {}
            conversations.append({"id": f"s{number}", "story": words.sentences(4), **turns, "additional_answers": more})
        content = {"version": "1.0", "data": conversations}
        (make(raw) / f"coqa-{name}-v1.0.json").write_text(json.dumps(content))


def turn(words: Words, place: int) -> Dict[str, object]:
    """One side of a turn."""
    return {"input_text": words.text(1, 3), "turn_id": place}


def dstc7(raw: Path, words: Words) -> None:
    """Conversations and the facts beside them."""
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        lines, facts = [], []
        for number in range(COUNTS[split]):
            context = f"START EOS {words.text()} EOS {words.text()}"
            lines.append(f"h{number}\ttil\tc{number}\t3\t2\t{context}\t{words.text()}")
            facts += [f"h{number}\ttil\tc{number}\texample.org\t<p> {words.text()} </p>" for _ in range(3)]
        write_lines(make(raw) / f"{name}.convos.txt", lines)
        write_lines(raw / f"{name}.facts.txt", facts)


def persona_chat(raw: Path, words: Words) -> None:
    """ParlAI's numbered lines, with candidates."""
    for split, count in COUNTS.items():
        lines = []
        for _ in range(count // 2):
            lines += [f"{number} your persona: {words.text()} ." for number in (1, 2)]
            lines += [f"{number} {words.text()}\t{words.text()}\t\t{words.text()}|x" for number in (3, 4)]
        write_lines(make(raw) / f"{split}_self_original.txt", lines)


def make(folder: Path) -> Path:
    """A folder that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


PUBLISHED: Dict[str, Sequence[Callable[[Path, Words], None]]] = {
    "stories": [stories],
    "xsum": [xsum],
    "columns": [rush, tsv],
    "squad": [squad],
    "squad-reversed": [squad],
    "webqa": [webqa],
    "coqa": [coqa],
    "dstc7": [dstc7],
    "persona-chat": [persona_chat],
}
"""The forms in which a format occurs."""


def publish(name: str, raw: Path, *, seed: int = 1, form: int = 0) -> Path:
    """Writes a data set of that format and returns its folder."""
    PUBLISHED[name][form](raw, Words(seed))
    return raw
