"""Spans: exact counts in blocks, t-statistics, and greedy parting, against plain implementations."""

import random
import sys
import tempfile
from collections import Counter
from itertools import product
from math import inf, sqrt
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
import pytest
import span_vocabulary
from builders import VOCABULARY
from commands import write_lines
from fairseq.tokenizer import tokenize_line
from hypothesis import given, settings
from hypothesis import strategies as st
from ngram_counts import Runs, count, parted, spelled
from span_vocabulary import chance, t_statistics

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.objectives.span_vocabulary import SpanVocabulary

WORDS = [f"w{number}" for number in range(6)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"]


def command(*words: object) -> None:
    """Runs preprocess/span_vocabulary.py with these words of a command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["span_vocabulary.py", *map(str, words)])
        span_vocabulary.main()


def plain_counts(lines: Sequence[str], order: int) -> Counter:
    """Every n-gram of every line, one by one; none reaches over a token that is no word."""
    found: Counter = Counter()
    for line in lines:
        tokens = line.split()
        for start in range(len(tokens)):
            ngram = tuple(tokens[start : start + order])
            if len(ngram) == order and set(ngram) <= set(WORDS):
                found[ngram] += 1
    return found


def plain_spans(lines: Sequence[str], order: int, size: int) -> List[Tuple[Tuple[str, ...], float]]:
    """003, section 3.3, over all n-grams that the words could make: the best by t, from 0 on."""
    unigrams, ngrams = plain_counts(lines, 1), plain_counts(lines, order)
    tokens, total = sum(unigrams.values()), sum(ngrams.values())
    rated = []
    for ngram in product(WORDS, repeat=order):
        if ngrams[ngram]:
            share, by_chance = ngrams[ngram] / total, 1.0
            for word in ngram:
                by_chance *= unigrams[(word,)] / tokens
            deviation = sqrt(share * (1 - share) / total)
            rated.append((ngram, (share - by_chance) / deviation if deviation else inf))
    rated = [(ngram, t) for ngram, t in rated if t >= 0]
    return sorted(rated, key=lambda pair: (-round(pair[1], 9), [WORDS.index(word) for word in pair[0]]))[:size]


def random_text(seed: int, count: int = 60) -> List[str]:
    """Lines in which some words follow others more often, with special and unknown tokens between."""
    rng = random.Random(seed)
    parts = ["w0 w1", "w2 w3 w4", *WORDS, "[UNK]", "[SEP]", "[unused0]", "elsewhere"]
    return [" ".join(rng.choices(parts, k=rng.randint(0, 9))) for _ in range(count)]


def counted(runs: Runs, order: int, room: int) -> Dict[Tuple[str, ...], int]:
    """The merged counts, by n-gram."""
    found: Dict[Tuple[str, ...], int] = {}
    last = -1
    for keys, counts in runs.merged(room):
        assert (np.diff(keys, prepend=last) > 0).all(), "out of order, or twice"
        last = keys[-1]
        found.update((tuple(spelled(int(key), order, WORDS)), int(n)) for key, n in zip(keys, counts))
    return found


@pytest.mark.parametrize(("size", "room"), [(1, 200), (40, 7), (100, 10_000), (1 << 20, 1)])
def test_counts_are_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, room: int) -> None:
    """However small the blocks and the windows."""
    monkeypatch.setattr(parted, "__defaults__", (size,))
    files = [write_lines(tmp_path / f"{n}.txt", random_text(n)) for n in range(3)]
    lines = [line for n in range(3) for line in random_text(n)]
    rows = {word: row for row, word in enumerate(WORDS)}
    runs = count(files, rows, len(WORDS), tmp_path, orders=(1, 2, 3), workers=2)
    for order, of_order in zip((1, 2, 3), runs):
        expected = plain_counts(lines, order)
        assert counted(of_order, order, room) == expected
        assert of_order.total == sum(expected.values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "w0",
        "w0 w1",
        "w0 w1\n",
        "\n\nw0 w1\n\nw1 w0",
        "w0 w1\r\nw1 w0\r\n",
        "w0  w1\tw2 \n w0",
        "w0\u00a0w1\u3000w2 w3\u2028w4\n",
        "é w0 ü w1 w2 w3",
        "w0 " * 99,
    ],
    ids=ascii,
)
@pytest.mark.parametrize("size", [1, 4, 100])
def test_text_of_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    """Blocks end in the middle of lines; tokens are parted where fairseq's own tokenizer parts them."""
    monkeypatch.setattr(parted, "__defaults__", (size,))
    path = tmp_path / "text"
    path.write_bytes(text.encode())
    rows = {word: row for row, word in enumerate(WORDS)}
    found = count([path], rows, len(WORDS), tmp_path, orders=(1, 2, 3), workers=1)
    lines = [" ".join(tokenize_line(line)) for line in text.split("\n")]
    for order, of_order in zip((1, 2, 3), found):
        assert counted(of_order, order, 100) == plain_counts(lines, order)


def test_a_line_of_any_length_is_in_many_blocks(tmp_path: Path) -> None:
    """Memory is bounded by the block, not by the line."""
    path = write_lines(tmp_path / "text", ["w0 w1 " * 1000])
    blocks = list(parted([path], 100))
    assert [block.start for block in blocks] == [0, *(block.stop for block in blocks[:-1])]
    assert blocks[-1].stop == path.stat().st_size
    assert max(block.stop - block.start for block in blocks) <= 102


def test_t_by_hand() -> None:
    """a b: 3 times among 10 bigrams, p(a) = 0.4, p(b) = 0.3: (0.3 − 0.12) / sqrt(0.3 · 0.7 / 10) = 1.242118."""
    unigrams = np.array([0.4, 0.3, 0.3])
    by_chance = chance(np.array([0 * 3 + 1]), 2, unigrams)
    assert by_chance == pytest.approx([0.12])
    assert t_statistics(np.array([3]), 10, by_chance) == pytest.approx([1.242118], abs=1e-6)
    assert chance(np.array([(1 * 3 + 0) * 3 + 2]), 3, unigrams) == pytest.approx([0.036])


def test_t_without_deviation() -> None:
    """The only bigram of a text."""
    t = t_statistics(np.array([4, 4]), 4, np.array([0.25, 1.0]))
    assert t.tolist() == [inf, 0.0]


@pytest.fixture
def vocab(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "vocab.txt", [*SPECIAL, *WORDS])


@pytest.mark.parametrize("seed", range(3))
def test_the_command_equals_a_plain_implementation(tmp_path: Path, vocab: Path, seed: int) -> None:
    """Whatever the number of workers, down to the order of those with the same t."""
    lines = random_text(seed, count=200)
    text = write_lines(tmp_path / "text.txt", lines)
    written = []
    for workers in (1, 4):
        path = tmp_path / "out" / str(workers)
        command("--vocab", vocab, "--bigrams", 12, "--trigrams", 9, "--workers", workers, "--to", path, text)
        written.append(path.read_text())
    assert written[0] == written[1]
    found = [line.split("\t") for line in written[0].splitlines()]
    expected = plain_spans(lines, 2, 12) + plain_spans(lines, 3, 9)
    assert [ngram for ngram, _ in found] == [" ".join(ngram) for ngram, _ in expected]
    assert [float(t) for _, t in found] == pytest.approx([t for _, t in expected], abs=1e-4)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1", "4"]


def test_by_default_200_000_and_50_000(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="0"):
        command("--help")
    told = capsys.readouterr().out
    assert "200000" in told and "50000" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{nowhere}", "nowhere: no such file; expected UTF-8 text"),
        ("{good} {nowhere}", "nowhere: no such file"),
        ("{folder}", "folder: not a file; expected UTF-8 text"),
        ("{foreign}", "the files have no token of"),
        ("{single}", "no n-gram has a t of 0.0 or more; expected text with several tokens"),
        ("{good} --min-t 1e9", "no n-gram has a t of 1000000000.0 or more"),
        ("{good} --min-t nan", "--min-t nan; expected a number"),
        ("{good} --workers 0", "--workers 0; expected 1 or more"),
        ("{good} --bigrams -1", "--bigrams -1; expected 0 or more"),
        ("{good} --trigrams -1", "--trigrams -1; expected 0 or more"),
        ("{good} --vocab {nowhere}", "no vocabulary at"),
        ("{good} --to {folder}", "folder is a directory; expected the file to write"),
        ("{good} --to {good}/spans.txt", "spans.txt: cannot be written: .*exists"),
        ("{latin}", r"latin: byte 3 is not valid UTF-8 \(byte 0x.*convert it"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, vocab: Path, arguments: str, message: str) -> None:
    """The program's last words, before anything is written."""
    names = ("nowhere", "folder", "good", "foreign", "single", "latin")
    places = {name: tmp_path / name for name in names}
    places["folder"].mkdir()
    for name, line in (("good", "w0 w1 w0 w1"), ("foreign", "x y z"), ("single", "w0")):
        write_lines(places[name], [line])
    places["latin"].write_bytes("w0 é".encode("latin-1"))
    before = sorted(tmp_path.rglob("*"))
    words = arguments.format(**places).split()
    with pytest.raises((SystemExit, UserError), match=message) as raised:
        command("--vocab", vocab, "--to", tmp_path / "spans.txt", *words)
    assert "\n" not in str(raised.value) and sorted(tmp_path.rglob("*")) == before


def vocabulary_of(folder: Path, *spans: str) -> SpanVocabulary:
    return SpanVocabulary(write_lines(folder / "spans.txt", spans), VOCABULARY)


def firsts(spans: SpanVocabulary, text: str) -> List[int]:
    """The first token of each one's span."""
    return spans.first_tokens(np.array([VOCABULARY.index(token) for token in text.split()])).tolist()


def test_the_longest_span_first(tmp_path: Path) -> None:
    """By hand: trigram before bigram before single token, from left to right."""
    spans = vocabulary_of(tmp_path, "w1 w2\t9.1", "w2 w3 w4\t3", "w5 w6 w7", "w5 w6")
    assert firsts(spans, "w1 w2 w3 w4 [SEP]") == [0, 0, 2, 3, 4]
    assert firsts(spans, "w2 w3 w4 w5 w6 w7 w5 w6") == [0, 0, 0, 3, 3, 3, 6, 6]
    assert firsts(spans, "w5 w6 w5 w6 w7") == [0, 0, 2, 2, 2]
    assert firsts(spans, "w2 w3") == [0, 1]
    assert firsts(spans, "") == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14), st.data())
def test_parting_equals_a_plain_implementation(tokens: List[str], data: st.DataObject) -> None:
    ngrams = st.lists(st.sampled_from(WORDS), min_size=2, max_size=3).map(tuple)
    known = data.draw(st.sets(ngrams, min_size=1, max_size=25))
    with tempfile.TemporaryDirectory() as folder:
        spans = vocabulary_of(Path(folder), *(" ".join(ngram) for ngram in known))
    expected: List[int] = []
    while len(expected) < len(tokens):
        start = len(expected)
        rest = tokens[start:]
        length = next(n for n in (3, 2, 1) if n == 1 or (len(rest) >= n and tuple(rest[:n]) in known))
        expected += [start] * length
    assert firsts(spans, " ".join(tokens)) == expected


def test_n_grams_of_other_tokens_are_left_out(tmp_path: Path) -> None:
    assert firsts(vocabulary_of(tmp_path, "w1 elsewhere", "w1 w2"), "w1 [UNK] w1 w2") == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["w1 w2", "w1"], "line 2 is 'w1'; expected two or three tokens"),
        (["w1 w2 w3 w4"], "line 1 is .*; expected two or three tokens"),
        (["elsewhere there"], "none of its n-grams consists of the vocabulary's tokens"),
        ([], "none of its n-grams"),
    ],
)
def test_a_file_of_another_form(tmp_path: Path, lines: List[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        vocabulary_of(tmp_path, *lines)
