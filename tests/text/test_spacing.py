"""Spaces of written text, from words and single signs."""

from pathlib import Path
from typing import List, Sequence

import pytest
from text_families import FAMILIES, real_lines
from tokenizers.pre_tokenizers import BertPreTokenizer

from s2sft_fairseq.text.source_spacing import spaced_like
from s2sft_fairseq.text.spacing import joined
from s2sft_fairseq.text.tokenizers.auto import AutoTokenizer
from s2sft_fairseq.text.tokenizers.tokenizer import TokenizerOptions

WRITTEN = [
    "The price rose to $1,000.50 (3.5%) on Monday.",
    'It costs $1,000.50 (3.5%), i.e. "cheap", at 10:30 a.m. in the U.S.',
    "z != 3 and x == 4, y <= 5 -> ok",
    "He said: \"It's the users' choice, isn't it?\" and left.",
    "C++ and C# and F# 3.10.2 at /usr/bin/python3.11",
    "see https://www.example.com/a/b?x=1&y=2 or mail john.doe@example.co.uk",
    "rock-and-roll, state-of-the-art, 1990-1995, AT&T, R&D",
    "'Single quotes' and O'Brien's dog; l'été aujourd'hui",
    "a ratio of 3:1 and 16:9, 5-4, -5 degrees, +3%",
    "upper- and lower-case and/or",
    "今天天气很好，我们去公园吧！ iPhone 15 上市",
    "e-mail: a@b.com; path C:\\temp\\x.txt",
    "snake_case __init__ foo() x.py v2.0.1 #hashtag @user",
    '"Hello," she said. "How are you?"',
    "What?! No... really",
    "the '90s were '60s",
    "100,000 people; 1,234,567.89 euros",
    "50% of 3/4 and 1/2",
    "Mr. Smith vs. Dr. Jones, Inc. (NYSE: IBM)",
    "100 km/h; 20 °C; 5 kg",
    "don't, we'll, I'm, they've",
    "version 2.0, 3.5.1 and v1.2.x of the file /home/me/x-y_z.tar.gz",
    "[1] and {2} (a, b); x = 3",
    "",
    "?",
    "'",
]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("text", WRITTEN)
def test_written_text_comes_back(text: str, lowercase: bool) -> None:
    text = text.lower() if lowercase else text
    assert joined(words_of(text)) == text


def words_of(text: str) -> List[str]:
    """The words and signs that BERT's tokenizer separates; Chinese characters one by one."""
    spaced = "".join(f" {sign} " if "\u4e00" <= sign <= "\u9fff" else sign for sign in text)
    return [word for word, _ in BertPreTokenizer().pre_tokenize_str(spaced)]


def test_no_sign_is_lost() -> None:
    for line in real_lines():
        assert joined(words_of(line)).replace(" ", "") == line.replace(" ", "")


@pytest.mark.parametrize("family", ["BERT", "BERT cased"])
def test_share_of_real_lines_that_come_back(family: str, tmp_path: Path) -> None:
    """The figures are those of the docstring; here with another text, and a vocabulary that lacks some signs."""
    vocabulary = FAMILIES[family].make(tmp_path / "vocabulary")
    shares = [share(vocabulary, spacing) for spacing in ("published", "restored")]
    assert shares[0] < 0.55 < 0.65 < shares[1]


def share(vocabulary: Path, spacing: str) -> float:
    """The share of lines that are equal after encoding and decoding, case aside."""
    options = TokenizerOptions(s2s_ft_vocab=str(vocabulary), spacing=spacing)  # type: ignore[arg-type]
    tokenizer = AutoTokenizer.build_bpe(options)
    lines = [" ".join(line.split()) for line in real_lines()[:2000]]
    known = [(line, pieces) for line, pieces in zip(lines, tokenizer.encode_lines(lines)) if "[UNK]" not in pieces]
    return equal([tokenizer.decode(pieces) for _, pieces in known], [line for line, _ in known])


def equal(found: Sequence[str], expected: Sequence[str]) -> float:
    return sum(one.lower() == other.lower() for one, other in zip(found, expected)) / len(expected)


@pytest.mark.parametrize(
    ("output", "source", "expected"),
    [
        ("the f (x) of z! = 3", "Let f(x) be a function, z != 3", "the f(x) of z != 3"),
        ("kwarg x = 1, y : int", "kwarg x=1, y : int", "kwarg x=1, y : int"),
        ("cafe - bar open", "Café-Bar", "cafe-bar open"),
        ("a - b c-d", "a-b and c - d", "a-b c - d"),
        ("words that are not there (3. 5)", "", "words that are not there (3. 5)"),
        ("", "source", ""),
        ("1: 2 then 3: 2", "3:2 then 1 : 2", "1 : 2 then 3:2"),
        ("not joined", "not-joined notjoined", "not joined"),
    ],
)
def test_spaces_are_copied_from_the_source(output: str, source: str, expected: str) -> None:
    assert spaced_like(output, source) == expected


def test_a_line_is_spaced_like_itself() -> None:
    for line in real_lines()[:500]:
        text = " ".join(line.split())
        assert spaced_like(joined(words_of(text)), text) == text or "_" in text
