"""Pairs that are pairs already, whatever their form, and the lines that are made of them."""

import gzip
import random
import sys

import pytest
import raw_pairs
from raw_formats import FORMATS, columns
from raw_formats.records import Example, Records
from raw_records import COUNTS, SPLITS, examples, publish


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


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_other_separators_of_csv(tmp_path, sign):
    rows = [["id", "article", "highlights"], ["1", '"a, b"', "c; d" if sign != ";" else '"c; d"']]
    (tmp_path / "train.csv").write_text("".join(sign.join(row) + "\n" for row in rows))
    assert examples(FORMATS["stories"], tmp_path) == [Example("a, b", "c; d")]


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


@pytest.mark.parametrize("content", [gzip.compress(b"a\tb\n" * 99, mtime=0)[:-9], b"a\tb\n"], ids=["cut", "plain"])
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
