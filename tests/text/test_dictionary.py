"""A pretrained vocabulary as a fairseq dictionary: the number of a line is the id of its token."""

import io
from pathlib import Path
from typing import Dict, List
from unittest.mock import Mock

import pytest
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.text.special_tokens import BERT_TOKENS

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ODD = [
    "#",
    "##",
    "1",
    "22",
    "a 1",
    "##1",
    "²",
    "",
    " ",
    "<s>",
    "\u2028",
    "\x85",
    "#fairseq:overwrite",
    "é",
    "字",
]
"""What a reader that splits at spaces, strips, or counts lines its own way gets wrong."""


def written(path: Path, tokens: List[str], end: str = "\n") -> Path:
    """A vocab.txt."""
    path.write_bytes("".join(token + end for token in tokens).encode())
    return path


class TestLines:
    """vocab.txt."""

    @pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
    def test_line_number_is_id(self, tmp_path: Path, end: str) -> None:
        tokens = [*SPECIAL, *ODD, "last"]
        dictionary = PretrainedDictionary.load(written(tmp_path / "vocab.txt", tokens, end))
        assert dictionary.symbols == tokens and len(dictionary) == len(tokens)
        assert [dictionary.index(token) for token in tokens] == list(range(len(tokens)))
        assert [dictionary[row] for row in range(len(tokens))] == tokens

    def test_last_line_may_lack_its_end(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, "last"]))
        assert PretrainedDictionary.load(tmp_path / "vocab.txt").symbols == [*SPECIAL, "last"]

    def test_a_directory_and_an_open_file_do(self, tmp_path: Path) -> None:
        written(tmp_path / "vocab.txt", SPECIAL)
        assert PretrainedDictionary.load(tmp_path).symbols == SPECIAL
        assert PretrainedDictionary.load(io.StringIO("\n".join(SPECIAL))).symbols == SPECIAL

    def test_a_repeated_line_keeps_its_row(self, tmp_path: Path) -> None:
        """unilm1.2's vocabulary has [unused99] twice: the rows after it must not move."""
        tokens = [*SPECIAL, "twice", "between", "twice", "after"]
        dictionary = PretrainedDictionary.load(written(tmp_path / "vocab.txt", tokens))
        assert (dictionary.index("between"), dictionary.index("twice"), dictionary.index("after")) == (
            6,
            7,
            8,
        )
        assert dictionary[5] == dictionary[7] == "twice"

    def test_roles(self) -> None:
        tokens = ["x", "[MASK]", "[SEP]", "y", "[PAD]", "[CLS]", "[UNK]"]
        dictionary = PretrainedDictionary(tokens)
        roles = (dictionary.bos, dictionary.pad, dictionary.eos, dictionary.unk, dictionary.mask)
        assert [tokens[role()] for role in roles] == list(BERT_TOKENS)
        assert dictionary.nspecial == 0
        assert dictionary.index("absent") == dictionary.unk()

    def test_ordinary_ids(self) -> None:
        """Neither special tokens nor [unusedN], but all else, the like of it included."""
        ordinary = ["w", "[unused]", "[unused1", "x[unused1]", "[X_SEP]"]
        dictionary = PretrainedDictionary([*SPECIAL, "[unused0]", *ordinary, "[unused993]"])
        assert [dictionary[row] for row in dictionary.ordinary_ids()] == ordinary


class TestSaving:
    """What fairseq-preprocess writes beside the data is the same vocabulary."""

    @pytest.mark.parametrize("extra", [ODD, ["1"], ["a 1"], [""], ["twice", "twice"], []])
    def test_round_trip(self, tmp_path: Path, extra: List[str]) -> None:
        dictionary = PretrainedDictionary([*SPECIAL, *extra])
        dictionary.save(str(tmp_path / "dict.txt"))
        again = PretrainedDictionary.load(str(tmp_path / "dict.txt"))
        assert again.symbols == dictionary.symbols
        assert again.fingerprint() == dictionary.fingerprint()

    @given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))))
    def test_any_tokens(self, extra: List[str]) -> None:
        dictionary, file = PretrainedDictionary([*SPECIAL, *extra]), io.StringIO()
        dictionary.save(file)
        assert PretrainedDictionary.load(io.StringIO(file.getvalue())).symbols == dictionary.symbols

    def test_fingerprint_tells_order(self) -> None:
        one, other = PretrainedDictionary([*SPECIAL, "a", "b"]), PretrainedDictionary([*SPECIAL, "b", "a"])
        assert one.fingerprint() != other.fingerprint()
        assert len(one.fingerprint()) == 16


class TestEncoding:
    """fairseq's own reader of lines."""

    def test_encode_line(self) -> None:
        """Ids of the tokens, then the end; nothing is added to the vocabulary."""
        dictionary = PretrainedDictionary([*SPECIAL, "un", "##fold"])
        line = dictionary.encode_line("un ##fold absent un", add_if_not_exist=False)
        assert line.tolist() == [5, 6, dictionary.unk(), 5, dictionary.eos()]
        assert len(dictionary) == 7

    def test_string(self) -> None:
        dictionary = PretrainedDictionary([*SPECIAL, "un", "##fold"])
        assert dictionary.string(dictionary.encode_line("un ##fold un")) == "un ##fold un"


class TestMistakes:
    @pytest.mark.parametrize("missing", SPECIAL)
    def test_a_special_token_is_missing(self, missing: str) -> None:
        tokens = [token for token in SPECIAL if token != missing]
        with pytest.raises(UserError) as error:
            PretrainedDictionary(tokens)
        assert f"has 4 tokens but no {missing};" in str(error.value)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"no vocabulary at .*absent"):
            PretrainedDictionary.load(tmp_path / "absent")

    def test_not_utf_8(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.txt").write_bytes("[PAD]\nÄ\n".encode("latin-1"))
        with pytest.raises(UserError, match="not valid UTF-8"):
            PretrainedDictionary.load(tmp_path)

    def test_empty(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="has 0 tokens"):
            PretrainedDictionary.load(written(tmp_path / "vocab.txt", []))


@pytest.mark.parametrize("options", [{}, {"append_eos": False}, {"reverse_order": True}])
def test_lines_are_encoded_as_fairseq_encodes_them(options: Dict[str, bool]) -> None:
    dictionary = PretrainedDictionary([*BERT_TOKENS, "a", "b", "c"])
    for line in ("a b  c\n", "", "unknown a", "c b a [SEP] [MASK]"):
        consumer, expected_consumer = Mock(), Mock()
        ids = dictionary.encode_line(line, consumer=consumer, **options)
        expected = Dictionary.encode_line(
            dictionary, line, add_if_not_exist=False, consumer=expected_consumer, **options
        )
        assert ids.dtype is expected.dtype
        assert ids.equal(expected)
        assert consumer.mock_calls == expected_consumer.mock_calls
    assert dictionary.symbols[-1] == "c"
