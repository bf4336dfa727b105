"""Readers of the published raw formats, on records written in exactly those formats."""

import gzip
import json
import random
import re
import sys
from pathlib import Path

import pytest
import raw_pairs
from raw_formats import FORMATS, columns, coqa, dstc7, persona_chat, squad, stories, webqa, xnlg, xsum
from raw_formats.records import Example, Records
from raw_records import COUNTS, PUBLISHED, SPLITS, publish

FORMS = [(name, n) for name, forms in PUBLISHED.items() for n in range(len(forms))]


def examples(read, raw, split="train"):
    return list(read(raw, split, Records(strict=True)))


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


def test_rows_of_several_lines_and_what_is_wrong_with_some(tmp_path, capsys):
    rows = ["article,highlights", '"One\n\ntwo, ""three""","A.\n\nB."', "no summary", 'a"b,c', '"never ends,x']
    (tmp_path / "train.csv").write_text("\n".join(rows))
    records = Records()
    expected = [Example('One two, "three"', "A. [X_SEP] B."), Example('a"b', "c")]
    assert list(FORMATS["stories"](tmp_path, "train", records)) == expected
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"left out: {tmp_path}/train.csv, line 7: 1 columns; expected 2: article, highlights"
    assert second.startswith(f"left out: {tmp_path}/train.csv, line 9: not in the format (")
    assert records.malformed == 2


def test_lines_of_highlights_are_sentences_in_json_too(tmp_path):
    (tmp_path / "train.json").write_text('{"article": "a\\nb", "highlights": "A .\\nB .", "id": "x"}\n')
    assert examples(FORMATS["stories"], tmp_path) == [Example("a b", "A . [X_SEP] B .")]


def test_compressed_files(tmp_path):
    for side in ("article", "title"):
        (tmp_path / f"train.{side}.txt.gz").write_bytes(gzip.compress(f"{side} 1\n{side} 2\n".encode()))
    pairs = [Example("article 1", "title 1"), Example("article 2", "title 2")]
    (tmp_path / "valid.tsv.gz").write_bytes(gzip.compress(b"src\ttgt\na\tb\n"))
    assert examples(columns.read, tmp_path) == pairs
    assert examples(columns.read, tmp_path, "valid") == [Example("a", "b")]


@pytest.mark.parametrize("content", [gzip.compress(b"a\tb\n" * 99)[:-9], b"a\tb\n"])
def test_what_is_not_compressed_as_its_name_says_ends_the_program(tmp_path, content):
    (tmp_path / "train.tsv.gz").write_bytes(content)
    with pytest.raises(SystemExit, match=r"train.tsv.gz: cannot be read: .*(ended|gzip)"):
        examples(columns.read, tmp_path)


def test_folders_that_are_linked_are_looked_through_once(tmp_path, capsys):
    publish("columns", tmp_path / "elsewhere", form=1)
    (tmp_path / "raw").mkdir()
    for name in ("data", "again"):
        (tmp_path / "raw" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "raw")
    assert len(examples(columns.read, tmp_path / "raw")) == COUNTS["train"]
    assert not capsys.readouterr().err


def test_word_pieces_are_joined_but_no_digits_of_gigaword(tmp_path):
    (tmp_path / "train.tsv").write_text("src\ttgt\nbar ##bed\tgo ##od\n## percent of us$ ##.#\tthe ##th\n")
    (tmp_path / "valid.src").write_text("the ##th\n")
    (tmp_path / "valid.tgt").write_text("a ##b\n")
    (tmp_path / "test.pa.tok.txt").write_text("bar ##bed\n")
    (tmp_path / "test.q.tok.txt").write_text("go ##od ?\n")
    assert examples(columns.read, tmp_path) == [Example("barbed", "good"), Example("## percent of us$ ##.#", "theth")]
    assert examples(columns.read, tmp_path, "valid") == [Example("the ##th", "a ##b")]
    assert examples(columns.read, tmp_path, "test") == [Example("barbed", "good ?")]


def test_parts_of_a_source(tmp_path):
    rows = ["a long passage [SEP] why\tq", "why [SEP] a long passage\tq", "a b [SEP] c [SEP] d\tq", "a [SEP] b\tq"]
    (tmp_path / "train.tsv").write_text("\n".join(rows))
    shared = {"target": "q", "keep": "answer", "query": "why", "turns": ("why",)}
    first, second, third, last = examples(columns.read, tmp_path)
    assert first == Example("a long passage", **shared)
    assert second == Example("a long passage", text_last=True, **shared)
    assert third == Example("a b", "q", turns=("c", "d"), keep="overlap", query="d")
    assert last == Example("a", "q", turns=("b",), keep="answer", query="b")


def test_pairs_are_reversed_as_the_data_set_is(tmp_path):
    for split in SPLITS:
        (tmp_path / f"{split}.tsv").write_text(f"a\t{split}\n")
    assert [examples(FORMATS["squad-reversed"], tmp_path, s)[0].target for s in SPLITS] == ["train", "test", "valid"]


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


def test_only_what_is_in_no_penn_tokens_is_tokenized():
    raw = Example('He said, "don\'t (go)."', 'Go "now" [X_SEP] It\'s')
    assert raw_pairs.in_penn_tokens(raw) == Example(
        "He said , `` do n't -LRB- go -RRB- . ''", "Go `` now '' [X_SEP] It 's"
    )
    in_tokens = Example("He said , `` do n't -LRB- go -RRB- '' in the U.S. .", "U.S. -LRB- a -RRB- [X_SEP] it 's ``")
    assert raw_pairs.in_penn_tokens(in_tokens) == in_tokens


def lines_of(folder, monkeypatch, **options):
    """The files that the command writes."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    monkeypatch.setattr(sys, "argv", ["raw_pairs.py", *map(str, words), "--to", str(folder)])
    raw_pairs.main()
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_several_processes_write_the_same_files(tmp_path, monkeypatch, capsys):
    raw = publish("columns", tmp_path / "raw", form=1)
    with open(raw / "train.tsv", "a", encoding="utf-8") as more:
        more.write("malformed\n")
    monkeypatch.setattr(raw_pairs, "AT_ONCE", 5)
    one, two = (
        lines_of(tmp_path / str(workers), monkeypatch, format="columns", raw=raw, workers=workers) for workers in (1, 2)
    )
    assert one == two
    assert len(one["train.src"].splitlines()) == COUNTS["train"]
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == out[3:]
    assert out[0] == "train: 12 examples; malformed records left out: 1"


def test_examples_are_drawn_as_likely_as_each_other():
    def drawn(seed, total=10, count=3):
        return list(raw_pairs.draw(iter(range(total)), count, random.Random(seed)))

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1, total=2) == [0, 1]
    draws = [drawn(seed) for seed in range(2000)]
    assert all(len(set(one)) == 3 for one in draws)
    counts = [sum(number in one for one in draws) for number in range(10)]
    assert all(500 < count < 700 for count in counts)


TWO_FILES = [
    ("{}.src", "{}.tgt"),
    ("{}.src.txt", "{}.tgt.txt"),
    ("{}.source", "{}.target"),
    ("{}.document", "{}.summary"),
    ("{}.article.txt", "{}.title.txt"),
    ("{}.article.filter.txt", "{}.title.filter.txt"),
    ("{}.pa.txt", "{}.q.txt"),
    ("{}.src.20k", "{}.tgt.20k"),
]
ONE_FILE = {
    "{}.jsonl": '{"source": "a", "target": "b"}\n',
    "{}.json": '{"document": "a", "summary": "b", "id": 1}\n',
    "{}.20k.tsv": "text\ttarget\na\tb\n",
    "{}.csv": "src,tgt\na,b\n",
}
SPLIT_NAMES = [("train", "train"), ("valid", "dev"), ("valid", "val"), ("valid", "validation"), ("test", "test")]


@pytest.mark.parametrize(("split", "name"), SPLIT_NAMES)
def test_names_of_pairs(tmp_path, split, name):
    forms = [*({two[0]: "a\n", two[1]: "b\n"} for two in TWO_FILES), *({one: text} for one, text in ONE_FILE.items())]
    for number, form in enumerate(forms):
        (tmp_path / str(number)).mkdir()
        for file, text in form.items():
            (tmp_path / str(number) / file.format(name)).write_text(text)
        assert examples(FORMATS["dstc7"], tmp_path / str(number), split) == [Example("a", "b")], form


@pytest.mark.parametrize("folder", ["Giga", "giga", "."])
def test_test_set_of_gigaword_is_not_that_of_duc(tmp_path, folder):
    for place, word in ((folder, "a"), *([] if folder == "." else [("DUC2003", "b"), ("duc2004", "b")])):
        (tmp_path / place).mkdir(exist_ok=True)
        for name in ("input.txt", "task1_ref0.txt"):
            (tmp_path / place / name).write_text(f"{word}\n")
    assert examples(columns.read, tmp_path, "test") == [Example("a", "a")]


def test_selection_of_10000_beside_the_whole(tmp_path):
    for name, text in (("src", "a\nb\n"), ("tgt", "c\nd\n"), ("src.10k", "b\n"), ("tgt.10k", "d\n")):
        (tmp_path / f"train.{name}").write_text(text)
    small, whole = (examples(FORMATS[name], tmp_path) for name in ("columns-10k", "columns"))
    assert (small, whole) == ([Example("b", "d")], [Example("a", "c"), Example("b", "d")])
