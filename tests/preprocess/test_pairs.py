"""Splitting and writing pairs: preprocess/pairs.py."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import PERCENT, SPLITS, Pair, split_of, split_pairs, texts_of, write_pairs

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


def test_files_of_a_split_are_as_long(tmp_path: Path) -> None:
    pairs = [Pair(f"group{n}", (f"a\t{n}", "b\u2028"), f"source\x0c{n}", f"target\x85{n}") for n in range(300)]
    splits = write_pairs(pairs, tmp_path / "new" / "folder")
    for split in SPLITS:
        for kind in ("src", "tgt", "origin.tsv"):
            content = (tmp_path / "new" / "folder" / f"{split}.{kind}").read_bytes().decode("utf-8")
            assert content.count("\n") == len(content.splitlines()) == len(splits[split]) > 0
            if kind == "origin.tsv":
                assert {line.count("\t") for line in content.splitlines()} == {1}
