"""Readers of the published raw formats, on records written in exactly those formats."""

import json

import pytest
import raw_formats
from raw_formats import Example, Records


def examples(records, parse):
    return list(Records(strict=True).examples(records, parse))


def test_story_files(tmp_path):
    (tmp_path / "a.story").write_text("A cat sat.\n\nIt ate.\n\n@highlight\n\nCat sits\n\n@highlight\n\nCat eats\n")
    found = examples(raw_formats.text_files(tmp_path, "*.story"), raw_formats.story)
    assert found == [Example("A cat sat. It ate.", "Cat sits [X_SEP] Cat eats")]


def test_xsum_files(tmp_path):
    text = "[SN]URL[SN]\nx\n\n[SN]TITLE[SN]\nT\n\n[SN]FIRST-SENTENCE[SN]\nOne.\n\n[SN]RESTBODY[SN]\nTwo.\nThree.\n"
    (tmp_path / "1.summary").write_text(text)
    assert examples(raw_formats.text_files(tmp_path, "*.summary"), raw_formats.xsum) == [Example("Two. Three.", "One.")]


@pytest.mark.parametrize(
    ("parse", "line", "expected"),
    [
        (raw_formats.gigaword, "a b c\td", Example("a b c", "d")),
        (raw_formats.dstc7, "h\ts\tc\t3\t2\tSTART EOS a b EOS c\td", Example("a b [SEP] c", "d")),
    ],
)
def test_lines_of_columns(tmp_path, parse, line, expected):
    (tmp_path / "lines").write_text(f"{line}\n")
    assert examples(raw_formats.numbered_lines(tmp_path / "lines"), parse) == [expected]


def test_squad_as_question_generation(tmp_path):
    question = {"id": "q", "question": "Who?", "answers": [{"text": "A cat", "answer_start": 0}]}
    content = {"data": [{"paragraphs": [{"context": "A cat\nsat.", "qas": [question]}]}]}
    (tmp_path / "squad.json").write_text(json.dumps(content))
    found = examples(raw_formats.squad_questions(tmp_path / "squad.json"), raw_formats.question_generation)
    assert found == [Example("A cat sat. [SEP] A cat", "Who?")]


def test_coqa_as_answer_generation(tmp_path):
    def turns(*texts):
        return [{"input_text": text, "turn_id": number} for number, text in enumerate(texts, 1)]

    content = {"data": [{"id": "s", "story": "S.", "questions": turns("Q1?", "Q2?"), "answers": turns("A1", "A2")}]}
    (tmp_path / "coqa.json").write_text(json.dumps(content))
    found = examples(raw_formats.coqa_turns(tmp_path / "coqa.json"), raw_formats.answer_generation)
    assert found == [Example("Q1? [SEP] S.", "A1"), Example("Q1? [SEP] A1 [SEP] Q2? [SEP] S.", "A2")]


def test_persona_chat(tmp_path):
    lines = [
        "1 your persona: i ski.",
        "2 hi\thello\t\tx|hello",
        "3 how are you ?\tfine",
        "1 your persona: i cook.",
        "2 yo\they",
    ]
    (tmp_path / "persona.txt").write_text("\n".join(lines) + "\n")
    assert examples(raw_formats.persona_turns(tmp_path / "persona.txt"), raw_formats.persona_chat) == [
        Example("i ski. [SEP] hi", "hello"),
        Example("i ski. [SEP] hi [SEP] hello [SEP] how are you ?", "fine"),
        Example("i cook. [SEP] yo", "hey"),
    ]


def test_malformed_records_are_left_out_and_reported(tmp_path, capsys):
    (tmp_path / "lines").write_text("a\tb\nno headline\nc\t\nd\te\n")
    records = Records()
    found = list(records.examples(raw_formats.numbered_lines(tmp_path / "lines"), raw_formats.gigaword))
    assert found == [Example("a", "b"), Example("d", "e")]
    assert [problem.split(": ")[0] for problem in records.malformed] == [f"{tmp_path}/lines, line {n}" for n in (2, 3)]
    assert capsys.readouterr().err.count("left out") == 2


def test_strict_ends_the_program(tmp_path):
    (tmp_path / "a.story").write_text("An article alone\n")
    with pytest.raises(SystemExit, match="no highlight"):
        examples(raw_formats.text_files(tmp_path, "*.story"), raw_formats.story)
