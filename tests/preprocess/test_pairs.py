"""Splitting and writing pairs: preprocess/pairs.py and preprocess/text_files.py."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import PERCENT, SPLITS, Pair, split_of, split_pairs, texts_of, write_pairs
from text_files import one_line, write_files

GROUPS = {split: next(f"module{n}" for n in range(1000) if split_of(f"module{n}") == split) for split in SPLITS}


def pair(split: str, source: str, target: str) -> Pair:
    return Pair(GROUPS[split], (GROUPS[split], source), source, target)


def test_split_of_a_group_never_changes() -> None:
    known = {"os.path": "train", "json": "valid", "torch.nn.modules.activation": "valid"}
    assert {group: split_of(group) for group in known} == known


def test_splits_have_their_shares() -> None:
    shares = Counter(split_of(f"package{n}") for n in range(20_000))
    for split, percent in PERCENT.items():
        assert shares[split] / 200 == pytest.approx(percent, abs=0.7)
    assert set(shares) == set(SPLITS)


def test_pairs_of_one_group_share_a_split() -> None:
    pairs = [Pair(f"group{n // 10}", (), f"source {n}", f"target {n}") for n in range(2000)]
    splits = split_pairs(pairs)
    groups = [{member.group for member in splits[split]} for split in SPLITS]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 200
    assert sum(map(len, splits.values())) == 2000


def test_order_of_the_input_does_not_matter() -> None:
    pairs = [Pair(f"group{n % 97}", (str(n),), f"source {n % 50}", f"target {n % 60}") for n in range(500)]
    assert split_pairs(pairs) == split_pairs(reversed(pairs))


@pytest.mark.parametrize("earlier, later", [("test", "train"), ("test", "valid"), ("valid", "train")])
@pytest.mark.parametrize("texts", [("a", "other"), ("other", "b"), ("b", "other"), ("other", "a")])
def test_held_out_text_is_not_trained_on(earlier: str, later: str, texts: "tuple[str, str]") -> None:
    splits = split_pairs([pair(earlier, "a", "b"), pair(later, *texts), pair(later, "c", "d")])
    assert [(kept.source, kept.target) for kept in splits[earlier]] == [("a", "b")]
    assert [(kept.source, kept.target) for kept in splits[later]] == [("c", "d")]


def test_repetitions_within_a_split_are_dropped() -> None:
    splits = split_pairs([pair("train", "a", "b"), pair("train", "a", "b"), pair("train", "a", "c")])
    assert [(kept.source, kept.target) for kept in splits["train"]] == [("a", "b"), ("a", "c")]


@given(st.lists(st.tuples(st.integers(0, 40), st.text("ab", max_size=2), st.text("ab", max_size=2))))
def test_no_text_is_in_two_splits(drawn: "list[tuple[int, str, str]]") -> None:
    splits = split_pairs(Pair(f"module{group}", (), source, target) for group, source, target in drawn)
    texts = [texts_of(splits[split]) for split in SPLITS]
    assert sum(map(len, texts)) == len(set.union(*texts))


@given(st.text())
def test_one_line_is_one_line_to_every_reader(text: str) -> None:
    line = one_line(text)
    assert len(f"{line}\n".splitlines()) == 1
    assert "\t" not in line and line == line.strip() == one_line(line)
    assert line.encode("utf-8").decode("utf-8") == line


@pytest.mark.parametrize("separator", ["\r\n", *"\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"])
def test_separators_become_spaces(separator: str) -> None:
    assert one_line(f" a{separator}b{separator}") == "a b"


def test_files_of_a_split_are_as_long(tmp_path: Path) -> None:
    pairs = [Pair(f"group{n}", (f"a\t{n}", "b\u2028"), f"source\x0c{n}", f"target\x85{n}") for n in range(300)]
    splits = write_pairs(pairs, tmp_path / "new" / "folder")
    for split in SPLITS:
        for kind in ("src", "tgt", "origin.tsv"):
            content = (tmp_path / "new" / "folder" / f"{split}.{kind}").read_bytes().decode("utf-8")
            assert content.count("\n") == len(content.splitlines()) == len(splits[split]) > 0
            if kind == "origin.tsv":
                assert {line.count("\t") for line in content.splitlines()} == {1}


def test_interrupted_writing_leaves_what_was_there(tmp_path: Path) -> None:
    def failing() -> "Iterator[str]":
        yield "new"
        raise RuntimeError("interrupted")

    write_files({tmp_path / "a": ["old"], tmp_path / "b": ["old"]})
    with pytest.raises(RuntimeError):
        write_files({tmp_path / "a": ["new"], tmp_path / "b": failing()})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old\n", "b": "old\n"}


def test_refusal_of_the_system_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"^\S*file\S*: cannot be written: [^\n]*$"):
        write_files({tmp_path / "file" / "below": ["line"]})
