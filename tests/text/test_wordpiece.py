"""The encoder ``s2s_ft_wordpiece``: the pieces of BERT's own tokenizer, and readable text back."""

import json
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertTokenizerFast

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.text.tokenizers.tokenizer import TokenizerOptions
from s2sft_fairseq.text.tokenizers.wordpiece import WordPieceTokenizer

LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *"éüßñЖжабв0123456789"]
TOKENS = [
    *["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    *["the", "The", "cafe", "café", "un", "believ", "##able", "##ing", "don", "naive", "Zürich", "zurich"],
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    *".,!?'\"()-/:;[]#%$字漢",
    *["२", "❤", "…", "—"],
]

TEXTS = [
    "The unbelievable café in Zürich, don't you think?",
    "naïve résumé",
    "cafe\u0301 A\u030angström",
    "漢字と字",
    "tabs\tand\u00a0hard\u2003spaces\u200b",
    "control\x00characters\ufffd\x07",
    "emoji ❤️ 🙂 …",
    "[CLS] in the text [SEP] and [MASK], [unused0]",
    "##able un##able #5",
    "Жабв ЖАБ İstanbul ǅ ﬁ",
    "x" * 150,
    "e.g. 3.14, (a/b) — $5!",
    "",
    "   ",
]


def published(directory: Path, *, lowercase: Optional[bool]) -> Path:
    """vocab.txt and, if told how to write, tokenizer_config.json."""
    directory.mkdir(exist_ok=True)
    (directory / "vocab.txt").write_text("".join(f"{token}\n" for token in TOKENS), encoding="utf-8")
    if lowercase is not None:
        config = {"do_lower_case": lowercase, "tokenizer_class": "BertTokenizer"}
        (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


def word_piece(path: Path) -> WordPieceTokenizer:
    return WordPieceTokenizer(TokenizerOptions(s2s_ft_vocab=str(path)))


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("vocabulary"), lowercase=request.param)


@pytest.fixture(scope="module")
def ours(directory: Path) -> WordPieceTokenizer:
    return word_piece(directory)


@pytest.fixture(scope="module")
def theirs(directory: Path) -> BertTokenizerFast:
    return BertTokenizerFast.from_pretrained(str(directory))


def ids_of(line: str, directory: Path) -> "list[int]":
    """As fairseq-preprocess reads a line of pieces, without its end."""
    dictionary = PretrainedDictionary.load(directory)
    return dictionary.encode_line(line, add_if_not_exist=False, append_eos=False).tolist()


@pytest.mark.parametrize("text", TEXTS)
def test_ids_of_berts_tokenizer(
    ours: WordPieceTokenizer, theirs: BertTokenizerFast, directory: Path, text: str
) -> None:
    assert ids_of(ours.encode(text), directory) == theirs.encode(text, add_special_tokens=False)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=30))
def test_ids_of_any_text(ours: WordPieceTokenizer, theirs: BertTokenizerFast, directory: Path, text: str) -> None:
    assert ids_of(ours.encode(text), directory) == theirs.encode(text, add_special_tokens=False)


def test_lines_at_once_are_lines_one_by_one(ours: WordPieceTokenizer) -> None:
    assert ours.encode_lines(TEXTS) == [ours.encode(text) for text in TEXTS]


def test_case(directory: Path, ours: WordPieceTokenizer) -> None:
    """Uncased vocabularies fold case and accents, cased ones keep both."""
    uncased = json.loads((directory / "tokenizer_config.json").read_text())["do_lower_case"]
    assert ours.encode("The Café") == ("the cafe" if uncased else "The C ##a ##f ##é")


def test_uncased_unless_told(tmp_path: Path) -> None:
    """As in BERT's published code."""
    assert word_piece(published(tmp_path, lowercase=None)).encode("The Café") == "the cafe"


def test_the_file_itself_does(tmp_path: Path) -> None:
    directory = published(tmp_path, lowercase=False)
    assert word_piece(directory / "vocab.txt").encode("The café") == "The café"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ("un ##believ ##able", "unbelievable"),
        ("the cafe , the cafe !", "the cafe, the cafe!"),
        ("the cafe . un ##able ?", "the cafe. unable?"),
        ("don ' t the user ' s say ' so '", "don't the user's say 'so'"),
        ("", ""),
    ],
)
def test_readable_text_back(ours: WordPieceTokenizer, pieces: str, text: str) -> None:
    assert ours.decode(pieces) == text


@pytest.mark.parametrize("text", ["the unbelievable cafe", "naive, the cafe!", "abc def 123"])
def test_text_survives(ours: WordPieceTokenizer, text: str) -> None:
    pieces = ours.encode(text)
    assert ours.decode(pieces) == text
    assert "##" in ours.encode("abc")


def test_beginning_of_word(ours: WordPieceTokenizer) -> None:
    assert [ours.is_beginning_of_word(piece) for piece in ("un", "##able", "#")] == [True, False, True]


def test_no_vocabulary(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.txt"):
        with pytest.raises(
            UserError, match=r"no vocabulary (in|at) .*; (looked for|expected a directory or file with) vocab\.txt"
        ):
            word_piece(path)
