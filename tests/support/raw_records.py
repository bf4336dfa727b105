"""Small data sets in exactly the forms in which they are published, of random words."""

import csv
import hashlib
import json
import random
from pathlib import Path
from typing import Callable, Dict, List, Sequence

from commands import WORDS, write_lines
from raw_formats.records import Records

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


def highlights_csv(raw: Path, words: Words) -> None:
    """Articles and highlights as rows, a highlight in each line of its cell."""
    for split, name in (("train", "train"), ("valid", "validation"), ("test", "test")):
        with open(make(raw) / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "article", "highlights"])
            rows.writerows([n, words.sentences(3), f'{words.text()} .\n"{words.text()}"'] for n in range(COUNTS[split]))


def xsum(
    raw: Path, words: Words, *, mark: str = "[SN]", summary: str = "FIRST-SENTENCE", kind: str = "summary"
) -> None:
    """*.summary with sections, and the list of the splits."""
    lists: Dict[str, List[str]] = {}
    for split, key in (("train", "train"), ("valid", "validation"), ("test", "test")):
        lists[key] = [f"{len(lists)}{number:05}" for number in range(COUNTS[split])]
        for name in lists[key]:
            sections = {"URL": "x", "TITLE": words.text(), summary: words.text()}
            head = "".join(f"{mark}{section}{mark}\n{text}\n\n" for section, text in sections.items())
            path = make(raw / "bbc-summary-data") / f"{name}.{kind}"
            path.write_text(f"{head}{mark}RESTBODY{mark}\n{words.sentences(2)}\n{words.sentences(1)}\n")
    (raw / "XSum-TRAINING-DEV-TEST-SPLIT-90-5-5.json").write_text(json.dumps(lists))


def old_xsum(raw: Path, words: Words) -> None:
    """*.data, as the authors' script extracts them."""
    xsum(raw, words, mark="[XSUM]", summary="INTRODUCTION", kind="data")


def rush(raw: Path, words: Words) -> None:
    """Gigaword as Rush et al. publish it, with the test sets of DUC beside it."""
    names = {
        "train": ("train/train.article.txt", "train/train.title.txt"),
        "valid": ("train/valid.article.filter.txt", "train/valid.title.filter.txt"),
        "test": ("Giga/input.txt", "Giga/task1_ref0.txt"),
    }
    for split, files in names.items():
        for file in files:
            write_lines(make((raw / file).parent) / Path(file).name, [words.text() for _ in range(COUNTS[split])])
    for file in ("input.txt", "task1_ref0.txt", "task1_ref1.txt"):
        write_lines(make(raw / "DUC2003") / file, [words.text() for _ in range(7)])


def tsv(raw: Path, words: Words) -> None:
    """A source, a tab and a target a line."""
    for split, count in COUNTS.items():
        write_lines(make(raw) / f"{split}.tsv", [f"{words.text()}\t{words.text()}" for _ in range(count)])


def ernie_gen(raw: Path, words: Words, *, train: str = "train") -> None:
    """Named columns of WordPieces, as ERNIE-GEN's authors publish their data."""
    for split, name in (("train", train), ("valid", "dev.20k"), ("test", "test")):
        rows = [f"{words.text()}\t{words.text()}" for _ in range(COUNTS[split])]
        write_lines(make(raw) / f"{name}.tsv", ["src\ttgt", *rows])


def small(raw: Path, words: Words) -> None:
    """ERNIE-GEN's selection beside the whole."""
    ernie_gen(raw, words, train="train.10k")
    write_lines(raw / "train.tsv", ["src\ttgt", *[f"{words.text()}\t{words.text()}" for _ in range(50)]])


def xgiga(raw: Path, words: Words) -> None:
    """XNLG's headlines in several languages."""
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        for language in ("en", "fr", "zh"):
            for side in "xy":
                lines = [words.text() for _ in range(COUNTS[split] if language != "en" else 2)]
                write_lines(make(raw) / f"{name}.{side}.{language}", lines)


def xqg(raw: Path, words: Words) -> None:
    """XNLG's questions, answers and evidences."""
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        for part in "qae":
            write_lines(make(raw) / f"{name}.{part}.zh.lc", [words.text() for _ in range(COUNTS[split])])


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


def unilm_questions(raw: Path, words: Words) -> None:
    """Passage and answer in WordPieces, as UniLM's authors publish them."""
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        sources = [f"{words.sentences(2)} [SEP] {words.text(1, 2)}" for _ in range(COUNTS[split])]
        folder = make(raw / ("test" if split == "test" else "train"))
        write_lines(folder / f"{name}.pa.tok.txt", sources)
        write_lines(folder / f"{name}.q.tok.txt", [f"{words.text()} ##s ?" for _ in sources])


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


def webqa_tokens(raw: Path, words: Words) -> None:
    """A question a line, all texts as lists of words."""
    for split, name in (("train", "training"), ("valid", "validation.ann"), ("test", "test.ann")):
        lines = []
        for number in range(COUNTS[split]):
            evidence = words.text().split()
            found = {"evidence_tokens": evidence, "golden_answers": [["x"], evidence[2:4]], "type": "positive"}
            nothing = {"evidence_tokens": words.text().split(), "golden_answers": [["no_answer"]], "type": "negative"}
            question = {"question_tokens": words.text().split(), "evidences": [found, nothing], "q_key": f"Q{number}"}
            lines.append(json.dumps(question))
        write_lines(make(raw / "data") / f"{name}.json", lines)


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
    """Conversations and the facts beside them; those of the test set without their responses, which stand apart."""
    for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        lines, facts = [], []
        for number in range(COUNTS[split]):
            context = f"START EOS {words.text()} EOS {words.text()}"
            said = "__UNDISCLOSED__" if split == "test" else words.text()
            lines.append(f"h{number}\ttil\tc{number}\t3\t2\t{context}\t{said}")
            facts += [f"h{number}\ttil\tc{number}\texample.org\t<p> {words.text()} </p>" for _ in range(3)]
        write_lines(make(raw) / f"{name}.convos.txt", lines)
        write_lines(raw / f"{name}.facts.txt", facts)
    names = [f"h{number}" for number in range(COUNTS["test"])]
    answers = ["\t".join(f"{words.rng.random():.2f}|{words.text()}" for _ in range(6)) for _ in names]
    write_lines(raw / "test.refs", [f"{name}\t{several}" for name, several in zip(names, answers)])


def persona_chat(raw: Path, words: Words) -> None:
    """ParlAI's numbered lines, with candidates."""
    for split, count in COUNTS.items():
        lines = []
        for _ in range(count // 2):
            lines += [f"{number} your persona: {words.text()} ." for number in (1, 2)]
            lines += [f"{number} {words.text()}\t{words.text()}\t\t{words.text()}|x" for number in (3, 4)]
        write_lines(make(raw) / f"{split}_self_original.txt", lines)


def persona_json(raw: Path, words: Words) -> None:
    """One file with both splits, the valid one for tests too."""
    content = {}
    for split in ("train", "valid"):
        content[split] = [
            {
                "personality": [f"{words.text()} ." for _ in range(2)],
                "utterances": [
                    {"candidates": [words.text() for _ in range(3)], "history": [words.text() for _ in range(turns)]}
                    for turns in (1, 3)
                ],
            }
            for _ in range(COUNTS[split] // 2)
        ]
    (make(raw) / "personachat_self_original.json").write_text(json.dumps(content))


def make(folder: Path) -> Path:
    """A folder that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


PUBLISHED: Dict[str, Sequence[Callable[[Path, Words], None]]] = {
    "stories": [stories, highlights_csv],
    "xsum": [xsum, old_xsum],
    "columns": [rush, tsv, ernie_gen],
    "columns-10k": [small, rush],
    "headlines-fr": [xgiga, tsv],
    "headlines-zh": [xgiga],
    "squad": [squad, unilm_questions],
    "squad-reversed": [squad],
    "webqa": [webqa, xqg, webqa_tokens],
    "coqa": [coqa],
    "dstc7": [dstc7],
    "persona-chat": [persona_chat, persona_json],
}
"""The forms in which a format occurs."""


def publish(name: str, raw: Path, *, seed: int = 1, form: int = 0) -> Path:
    """Writes a data set of that format and returns its folder."""
    PUBLISHED[name][form](raw, Words(seed))
    return raw


def examples(read, raw, split="train"):
    """What a format reads out of a split, every mistake an error."""
    return list(read(raw, split, Records(strict=True)))
