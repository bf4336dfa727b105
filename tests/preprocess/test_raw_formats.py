"""Readers of the published raw formats, on records written in exactly those formats."""

import gzip
import json
import re
import sys
from pathlib import Path

import pytest
import raw_pairs
from raw_formats import FORMATS, columns, coqa, dstc7, persona_chat, squad, stories, webqa, xnlg, xsum
from raw_formats.records import Example, Records
from raw_records import COUNTS, PUBLISHED, SPLITS, examples, publish

FORMS = [(name, n) for name, forms in PUBLISHED.items() for n in range(len(forms))]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_every_format_gives_every_record_of_every_split(tmp_path, name, form):
    publish(name, tmp_path, form=form)
    counts = {split: len(examples(FORMATS[name], tmp_path, split)) for split in SPLITS}
    assert counts == COUNTS
    assert set(PUBLISHED) == set(FORMATS)


def test_story_in_a_folder_of_its_split(tmp_path):
    folder = tmp_path / "cnn_stories_train"
    folder.mkdir()
    (folder / "a.story").write_text("A cat sat.\n\nIt ate.\n\n@highlight\n\nCat sits\n\n@highlight\n\nCat eats\n")
    assert examples(stories.read, tmp_path) == [Example("A cat sat. It ate.", "Cat sits [X_SEP] Cat eats")]


def test_story_that_a_list_names_but_is_missing_is_reported(tmp_path, capsys):
    publish("stories", tmp_path)
    next(tmp_path.rglob("*.story")).unlink()
    records = Records()
    total = sum(len(list(stories.read(tmp_path, split, records))) for split in SPLITS)
    assert (total, records.malformed) == (sum(COUNTS.values()) - 1, 1)
    assert ".txt, line " in capsys.readouterr().err


def test_xsum_in_a_folder_of_its_split(tmp_path):
    text = "[SN]URL[SN]\nx\n\n[SN]TITLE[SN]\nT\n\n[SN]FIRST-SENTENCE[SN]\nOne.\n\n[SN]RESTBODY[SN]\nTwo.\nThree.\n"
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "1.summary").write_text(text)
    assert examples(xsum.read, tmp_path) == [Example("Two. Three.", "One.")]


def test_columns(tmp_path):
    (tmp_path / "train.tsv").write_text("a b\tc\n")
    (tmp_path / "valid.jsonl").write_text('{"src": ["a", "b"], "tgt": "c"}\n')
    (tmp_path / "test.src").write_text("a b\n")
    (tmp_path / "test.tgt").write_text("c\n")
    assert [examples(columns.read, tmp_path, split) for split in SPLITS] == [[Example("a b", "c")]] * 3


def test_lines_that_only_one_file_has_are_reported(tmp_path, capsys):
    (tmp_path / "train.src").write_text("a\nb\nc\n")
    (tmp_path / "train.tgt").write_text("d\ne\n")
    records = Records()
    assert list(columns.read(tmp_path, "train", records)) == [Example("a", "d"), Example("b", "e")]
    assert records.malformed == 1
    assert "train.src, line 3: the other file has no such line" in capsys.readouterr().err


def test_squad_titles_split_the_training_articles(tmp_path):
    def article(title, question):
        asked = {"id": title, "question": question, "answers": [{"text": "A cat", "answer_start": 0}]}
        return {"title": title, "paragraphs": [{"context": "A cat\nsat.", "qas": [asked]}]}

    training = {"data": [article("New_York_City", "Test?"), article("Cat", "Train?")]}
    (tmp_path / "train-v1.1.json").write_text(json.dumps(training))
    (tmp_path / "dev-v1.1.json").write_text(json.dumps({"data": [article("New_York_City", "Dev?")]}))
    (tmp_path / "doclist-test.txt").write_text("New York City\n")
    official, reversed_ = (
        [examples(read, tmp_path, split)[0].target for split in SPLITS]
        for read in (squad.read, FORMATS["squad-reversed"])
    )
    assert (official, reversed_) == (["Train?", "Dev?", "Test?"], ["Train?", "Test?", "Dev?"])
    found = examples(squad.read, tmp_path)
    assert found == [Example("A cat sat.", "Train?", turns=("A cat",), keep="answer", query="A cat")]


def test_webqa_without_an_answer_asks_nothing(tmp_path):
    evidences = {"e1": {"answer": ["北京"], "evidence": "首都北京"}, "e2": {"answer": ["no_answer"], "evidence": "无"}}
    (tmp_path / "me_train.json").write_text(json.dumps({"Q": {"question": "哪里?", "evidences": evidences}}))
    found = examples(webqa.read, tmp_path)
    assert found == [Example("首都北京", "哪里?", turns=("北京",), keep="answer", query="北京")]


def test_coqa_has_the_turns_before_and_other_answers(tmp_path):
    def turns(*texts):
        return [{"input_text": text, "turn_id": number} for number, text in enumerate(texts, 1)]

    story = {"id": "s", "story": "S.", "questions": turns("Q1?", "Q2?"), "answers": turns("A1", "A2")}
    story["additional_answers"] = {"0": turns("B1", "B2")}
    (tmp_path / "coqa-dev-v1.0.json").write_text(json.dumps({"data": [story]}))
    shared = {"text_last": True, "keep": "overlap"}
    assert examples(coqa.read, tmp_path, "test") == [
        Example("S.", "A1", turns=("Q1?",), query="Q1?", others=("B1",), **shared),
        Example("S.", "A2", turns=("Q1?", "A1", "Q2?"), query="Q2?", others=("B2",), **shared),
    ]


def test_dstc7_has_the_facts_of_its_conversation(tmp_path):
    (tmp_path / "train.convos.txt").write_text(
        "h\ts\tc1\t3\t2\tSTART EOS a b EOS c\td\nh\ts\tc2\t1\t1\tSTART EOS e\tf\n"
    )
    (tmp_path / "train.facts.txt").write_text("h\ts\tc1\tx.org\tone\nh\ts\tc1\tx.org\ttwo\n")
    assert examples(dstc7.read, tmp_path) == [
        Example("one two", "d", turns=("a b", "c"), keep="overlap", query="c"),
        Example("", "f", turns=("e",), keep="overlap", query="e"),
    ]


def test_persona_chat(tmp_path):
    lines = [
        "1 your persona: i ski.",
        "2 hi\thello\t\tx|hello",
        "3 how are you ?\tfine",
        "1 your persona: i cook.",
        "2 yo\they",
    ]
    (tmp_path / "train_self_original.txt").write_text("\n".join(lines) + "\n")
    assert examples(persona_chat.read, tmp_path) == [
        Example("i ski.", "hello", turns=("hi",)),
        Example("i ski.", "fine", turns=("hi", "hello", "how are you ?")),
        Example("i cook.", "hey", turns=("yo",)),
    ]


def spoiled(folder, change):
    """Changes the bytes of every file below a folder."""
    for path in filter(Path.is_file, folder.rglob("*")):
        path.write_bytes(change(path.read_bytes()))


ODD_BYTES = {
    "byte order mark and CRLF": lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"),
    "no line feed at the end": lambda text: text.rstrip(b"\n"),
    "other separators of lines": lambda text: text.replace(b" w1 ", "\u2028w1\x85".encode()),
}


@pytest.mark.parametrize("odd", sorted(ODD_BYTES))
@pytest.mark.parametrize(("name", "form"), FORMS)
def test_odd_bytes_change_no_example(tmp_path, name, form, odd):
    publish(name, tmp_path / "as_it_is", form=form)
    spoiled(publish(name, tmp_path / "odd", form=form), ODD_BYTES[odd])
    for split in SPLITS:
        assert examples(FORMATS[name], tmp_path / "odd", split) == examples(FORMATS[name], tmp_path / "as_it_is", split)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_what_is_not_utf8_is_left_out_alone(tmp_path, capsys, name, form):
    publish(name, tmp_path, form=form)
    spoiled(tmp_path, lambda text: re.sub(rb"w7\b", b"\xffw7", text, count=1))
    records = Records()
    found = [example for split in SPLITS for example in FORMATS[name](tmp_path, split, records)]
    assert 0 < len(found) < sum(COUNTS.values())
    assert records.malformed == sum(COUNTS.values()) - len(found) == capsys.readouterr().err.count(": not UTF-8")


def test_remains_of_an_archive_are_no_data(tmp_path):
    publish("squad", tmp_path)
    for name in ("._train.json", "__MACOSX/train.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    assert len(examples(squad.read, tmp_path)) == COUNTS["train"]


def test_one_of_several_files_is_named(tmp_path, capsys):
    for folder in ("a", "b"):
        publish("webqa", tmp_path / folder)
    examples(webqa.read, tmp_path)
    assert capsys.readouterr().err.startswith(f"reads {tmp_path / 'a' / 'me_train.json'}, not {tmp_path / 'b'}")


def test_lists_of_each_newspaper_and_of_names(tmp_path):
    for folder, name in (("cnn", "a"), ("dailymail", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.story").write_text(f"{name}.\n@highlight\n\nfirst @highlight\nsecond")
        (tmp_path / folder / "wayback_training_urls.txt").write_text(f"{name}.story\n")
    target = "first @highlight [X_SEP] second"
    assert examples(stories.read, tmp_path) == [Example("a.", target), Example("b.", target)]


def test_named_columns_of_a_dialogue_and_of_a_record(tmp_path):
    (tmp_path / "train.tsv").write_text("knowledge\tsrc\ttgt\ni sk ##i\thi __eou__ yo\they\n\thi\tyo\n")
    (tmp_path / "valid.tsv").write_text("tgt\tsrc1\tsrc2\nWho ?\ta cat sat\ta cat\n")
    shared = {"keep": "overlap"}
    assert examples(columns.read, tmp_path) == [
        Example("i ski", "hey", turns=("hi", "yo"), query="yo", **shared),
        Example("", "yo", turns=("hi",), query="hi", **shared),
    ]
    assert examples(columns.read, tmp_path, "valid") == [
        Example("a cat sat", "Who ?", turns=("a cat",), keep="answer", query="a cat")
    ]


def test_xnlg_has_the_parts_of_a_question(tmp_path):
    for part, text in (("e", "a cat sat"), ("a", "cat"), ("q", "who ?")):
        (tmp_path / f"train.{part}.zh.lc").write_text(f"{text}\n")
    found = examples(FORMATS["webqa"], tmp_path)
    assert found == [Example("a cat sat", "who ?", turns=("cat",), keep="answer", query="cat")]
    assert found == list(xnlg.read_questions(tmp_path, "train", Records(), language="zh"))


def test_squad_titles_without_an_article_are_reported(tmp_path, capsys):
    asked = {"id": 1, "question": "Who?", "answers": [{"text": "A cat"}, {"text": "cat"}]}
    training = {"data": [{"title": "T", "paragraphs": [{"context": "A cat sat.", "qas": [asked]}]}]}
    (tmp_path / "train-v1.1.json").write_text(json.dumps(training))
    (tmp_path / "doclist-test.txt").write_text("T\nU\n")
    records = Records()
    assert [example.query for example in squad.read(tmp_path, "test", records)] == ["A cat"]
    assert records.malformed == 1
    assert "doclist-test.txt, line 2: no article of this title" in capsys.readouterr().err


def test_coqa_turns_belong_together_by_number(tmp_path):
    def turns(**texts):
        return [{"input_text": text, "turn_id": int(name[1:])} for name, text in texts.items()]

    story = {
        "id": "s",
        "story": "S.",
        "questions": turns(t1="Q1?", t2="Q2?", t3="Q3?"),
        "answers": turns(t3="A3", t1="A1"),
    }
    story["additional_answers"] = {"0": turns(t1="B1"), "1": turns(t3="C3")}
    (tmp_path / "coqa-dev-v1.0.json").write_text(json.dumps({"data": [story]}))
    records = Records()
    first, third = coqa.read(tmp_path, "valid", records)
    assert (first.target, first.others, first.turns) == ("A1", ("B1",), ("Q1?",))
    assert (third.target, third.others, third.turns) == ("A3", ("C3",), ("Q1?", "A1", "Q3?"))
    assert records.malformed == 1


def test_dstc7_is_scored_as_its_script_does(tmp_path, capsys):
    lines = [f"h{n}\ts\tc1\t3\t2\tSTART EOS VIDEOS !\t__UNDISCLOSED__" for n in range(3)]
    (tmp_path / "test.convos.txt").write_text("\n".join(lines))
    (tmp_path / "test.facts.txt").write_text("h\ts\tx.org\tc1\tone\n")
    (tmp_path / "test.refs").write_text("h0\t" + "\t".join(f"0.5|r{n} | s" for n in range(6)) + "\nh1\t1|r0\t1|r1\n")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "test.2k.txt").write_text("h0\nh1\nh9\n")
    records = Records()
    first, second = dstc7.read(tmp_path, "test", records)
    assert first == Example(
        "one",
        "r0 | s",
        turns=("VIDEOS !",),
        keep="overlap",
        query="VIDEOS !",
        others=tuple(f"r{n} | s" for n in (2, 2, 3, 4, 5)),
    )
    assert {second.target, *second.others} == {"r0", "r1"}
    assert records.malformed == 1
    assert "keys/test.2k.txt, line 3: no conversation h9" in capsys.readouterr().err


def test_persona_chat_in_json(tmp_path):
    utterance = {"candidates": ["no", "yes"], "history": ["hi", "yo", "ski ?"]}
    content = {"train": [], "valid": [{"personality": ["i ski .", "i cook ."], "utterances": [utterance]}]}
    (tmp_path / "personachat_self_original.json").write_text(json.dumps(content))
    assert examples(persona_chat.read, tmp_path, "test") == [
        Example("i ski . i cook .", "yes", turns=("hi", "yo", "ski ?"))
    ]


MALFORMED = {
    "squad": ("train.json", '[{"paragraphs": 3}, 5, {"paragraphs": [{"qas": [{"question": 1}]}]}]', 3),
    "webqa": ("me_train.json", '{"Q": {"evidences": {"e": {"answer": 3}}}, "R": 4}', 2),
    "coqa": ("coqa-train-v1.0.json", '{"data": [{"story": "S", "questions": [{}]}, null]}', 2),
    "dstc7": ("train.convos.txt", "a\tb\n\n", 2),
    "persona-chat": ("train_self_original.txt", "no number\n2 no tab\n", 2),
    "columns": ("train.tsv", "no tab\nc\t\na\tb\tc\n", 3),
}
"""A file of records that are all malformed, and how many they are."""


@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_malformed_records_are_left_out_counted_and_reported(tmp_path, capsys, name):
    path, content, count = MALFORMED[name]
    (tmp_path / path).write_text(content)
    records = Records()
    assert list(FORMATS[name](tmp_path, "train", records)) == []
    assert records.malformed == count
    reports = capsys.readouterr().err.splitlines()
    assert len(reports) == count
    assert all(line.startswith(f"left out: {tmp_path / path}, ") for line in reports)


@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_strict_ends_the_program(tmp_path, name):
    path, content, _ = MALFORMED[name]
    (tmp_path / path).write_text(content)
    with pytest.raises(SystemExit, match=r"without --strict"):
        examples(FORMATS[name], tmp_path)


def test_a_split_without_an_example_ends_the_program_before_anything_is_written(tmp_path, monkeypatch):
    publish("columns", tmp_path / "raw", form=1)
    (tmp_path / "raw" / "valid.tsv").write_text("no tab\n")
    words = ["--format", "columns", "--raw", tmp_path / "raw", "--to", tmp_path / "to"]
    monkeypatch.setattr(sys, "argv", ["raw_pairs.py", *map(str, words)])
    with pytest.raises(
        SystemExit, match=r"no example of the valid split in it; 1 malformed.*valid.tsv, line 1: 1 columns"
    ):
        raw_pairs.main()
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_split_that_is_missing_ends_the_program_with_one_line(tmp_path, name):
    with pytest.raises(SystemExit, match="expected"):
        examples(FORMATS[name], tmp_path)


def test_questions_without_answers_are_refused(tmp_path):
    for name in ("src", "tgt", "para"):
        (tmp_path / f"{name}-train.txt").write_text("x\n")
    with pytest.raises(SystemExit, match=r"para-train.txt has no answers to ask for; expected train.json"):
        examples(FORMATS["squad"], tmp_path)


def test_webqa_in_tokens(tmp_path, capsys):
    found = {"evidence_tokens": ["在", "New", "York", "市"], "golden_answers": [["纽约"], ["New", "York"]]}
    nothing = {"evidence_tokens": ["无"], "golden_answers": [["no_answer"]]}
    question = {"question_tokens": ["哪", "里", "?"], "evidences": [nothing, found, {}]}
    (tmp_path / "training.json.gz").write_bytes(gzip.compress(f"{json.dumps(question)}\n{{\n".encode()))
    records = Records()
    expected = Example("在New York市", "哪里?", turns=("New York",), keep="answer", query="New York")
    assert list(FORMATS["webqa"](tmp_path, "train", records)) == [expected]
    assert [line.partition(", line ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "1, evidences[2]: there is no 'golden_answers'",
        "2: no list 'evidences'",
    ]
