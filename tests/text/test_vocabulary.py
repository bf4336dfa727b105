"""Vocabulary files of every family: tokens in the order of the rows."""

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Dict, List, Sequence

import pytest
import sentencepiece
from commands import write_lines
from fairseq.data import Dictionary

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.text import vocabulary
from s2sft_fairseq.text.dictionary import PretrainedDictionary

BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "the", "Ġcat", "madeupword0000", "<mask>"]


def ids(tokens: Sequence[str]) -> Dict[str, int]:
    return {token: row for row, token in enumerate(tokens)}


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def tokenizer_json(path: Path, vocabulary: object, added: Dict[str, int]) -> Path:
    tokens = [{"id": row, "content": token} for token, row in added.items()]
    return write_json(path / "tokenizer.json", {"model": {"vocab": vocabulary}, "added_tokens": tokens})


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model with the first three pieces as XLM-R's."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat sat on the mat"] * 20), model_writer=model, vocab_size=14, minloglevel=2
    )
    path = tmp_path_factory.mktemp("pieces") / "sentencepiece.bpe.model"
    path.write_bytes(model.getvalue())
    return path


class TestForms:
    def test_numbered_lines(self, tmp_path: Path) -> None:
        """ERNIE's: token, tab, id."""
        path = write_lines(tmp_path / "vocab.txt", [f"{token}\t{row}" for row, token in enumerate([*BERT, "a b"])])
        assert vocabulary.read(path) == [*BERT, "a b"]

    def test_numbers_are_the_lines(self, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "vocab.txt", ["[PAD]\t0", "[UNK]\t2"])
        with pytest.raises(UserError, match=r"vocab\.txt: line 2, '\[UNK\]', has the id 2; expected 1"):
            vocabulary.read(path)

    def test_json(self, tmp_path: Path) -> None:
        """In the order of the ids, not of the file."""
        write_json(tmp_path / "vocab.json", dict(reversed(ids(ROBERTA).items())))
        assert vocabulary.read(tmp_path) == vocabulary.read(tmp_path / "vocab.json") == ROBERTA

    def test_a_hole_gets_a_placeholder(self, tmp_path: Path) -> None:
        write_json(tmp_path / "vocab.json", {"a": 0, "b": 1, "d": 3})
        assert vocabulary.read(tmp_path) == ["a", "b", "madeupword0002", "d"]

    def test_sentencepiece(self, pieces: Path) -> None:
        """fairseq's XLM-R has one special token more in front, and the mask behind."""
        model = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
        tokens = vocabulary.read(pieces)
        assert tokens[:4] == ["<s>", "<pad>", "</s>", "<unk>"] and tokens[-1] == "<mask>"
        assert len(tokens) == len(model) + 2
        assert all(tokens[row + 1] == model.id_to_piece(row) for row in range(3, len(model)))

    @pytest.mark.parametrize("kind", ["map", "scores"])
    def test_tokenizer_json(self, tmp_path: Path, kind: str) -> None:
        content = ids(ROBERTA) if kind == "map" else [[token, -1.0] for token in ROBERTA]
        tokenizer_json(tmp_path, content, {"<mask>": 7, "[NEW]": 8})
        assert vocabulary.read(tmp_path) == vocabulary.read(tmp_path / "tokenizer.json") == [*ROBERTA, "[NEW]"]

    def test_any_name(self, tmp_path: Path) -> None:
        """unilm1.2-base-uncased-vocab.txt"""
        path = write_lines(tmp_path / "unilm1.2-base-uncased-vocab.txt", BERT)
        assert vocabulary.read(tmp_path) == vocabulary.read(path) == BERT

    def test_whitespace_is_spelled_out(self, tmp_path: Path) -> None:
        tokenizer_json(tmp_path, ids(["a"]), {"  ": 1, "\n": 2})
        assert vocabulary.read(tmp_path) == ["a", "<0x20><0x20>", "<0x0A>"]

    def test_weights_of_one_family_vocabulary_of_another(self, tmp_path: Path, pieces: Path) -> None:
        """Multilingual MiniLM: a BERT with XLM-R's pieces; config.json is not looked at."""
        write_json(tmp_path / "config.json", {"model_type": "bert"})
        (tmp_path / "sentencepiece.bpe.model").write_bytes(pieces.read_bytes())
        assert vocabulary.read(tmp_path) == vocabulary.read(pieces)


class TestClassicalDictionaries:
    """fairseq's own dict.txt leaves special tokens out."""

    def test_four_before_and_the_mask_behind(self, tmp_path: Path) -> None:
        """The rows that fairseq itself gives, `<mask>` where its masked language models put it."""
        path = write_lines(tmp_path / "dict.txt", ["13 850", "5 800", "madeupword0000 0"])
        theirs = Dictionary.load(str(path))
        theirs.add_symbol("<mask>")
        assert vocabulary.read(path) == vocabulary.read(tmp_path) == theirs.symbols

    def test_the_mask_may_be_there(self, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "dict.txt", ["<mask> 1", "a 1"])
        assert vocabulary.read(path) == ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a"]

    def test_overwritten_tokens(self, tmp_path: Path) -> None:
        """CamemBERT's dictionary: the later row is the token's."""
        lines = [*(f"{token} 999 #fairseq:overwrite" for token in ("<unk>", "<s>", "</s>")), ", 999", "<mask> 0"]
        path = write_lines(tmp_path / "dict.txt", lines)
        ours, theirs = PretrainedDictionary.load(path), Dictionary.load(str(path))
        assert ours.symbols == theirs.symbols and ours.indices == theirs.indices
        assert (ours.bos(), ours.pad(), ours.eos(), ours.unk()) == (5, 1, 6, 4)

    @pytest.mark.parametrize("tokens", [[*BERT, "a"], ROBERTA], ids=["BERT", "RoBERTa"])
    def test_what_the_plugin_saved_is_whole(self, tmp_path: Path, tokens: List[str]) -> None:
        PretrainedDictionary(tokens).save(str(tmp_path / "dict.txt"))
        assert vocabulary.read(tmp_path) == tokens

    def test_half_of_berts_is_not_completed(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "dict.txt", [f"{token} 1" for token in BERT[:4]])
        with pytest.raises(UserError, match=r"no \[MASK\];"):
            PretrainedDictionary.load(tmp_path)


class TestAddedTokens:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("added_tokens.json", {"[NOISE]": 7, "[ATTN]": 6, "[MASK]": 4}),
            (
                "tokenizer_config.json",
                {"added_tokens_decoder": {"7": {"content": "[NOISE]"}, "6": {"content": "[ATTN]"}}},
            ),
            ("tokenizer.json", {"added_tokens": [{"id": 6, "content": "[ATTN]"}, {"id": 7, "content": "[NOISE]"}]}),
        ],
    )
    def test_rows_behind_the_vocabulary(self, tmp_path: Path, name: str, content: object) -> None:
        write_lines(tmp_path / "vocab.txt", [*BERT, "a"])
        write_json(tmp_path / name, content)
        assert vocabulary.read(tmp_path) == [*BERT, "a", "[ATTN]", "[NOISE]"]
        assert vocabulary.read(tmp_path / "vocab.txt") == [*BERT, "a"]

    def test_a_placeholder_may_be_named(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "vocab.txt", [*BERT, "[unused0]", "a"])
        write_json(tmp_path / "added_tokens.json", {"[ATTN]": 5, "z": 9})
        assert vocabulary.read(tmp_path) == [*BERT, "[ATTN]", "a", "madeupword0007", "madeupword0008", "z"]

    def test_a_row_that_is_taken(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "vocab.txt", [*BERT, "a"])
        write_json(tmp_path / "added_tokens.json", {"[ATTN]": 5})
        with pytest.raises(UserError, match=r"the added token '\[ATTN\]' has the id 5, but that row is 'a'"):
            vocabulary.read(tmp_path)

    def test_a_users_own(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "vocab.txt", BERT)
        added = write_lines(tmp_path / "added", ["[ATTN]", "Ελλάδα"])
        assert vocabulary.read(tmp_path, add=added) == [*BERT, "[ATTN]", "Ελλάδα"]

    @pytest.mark.parametrize(
        ("lines", "told"),
        [
            (["a", ""], "line 2 is ''; expected one token without whitespace"),
            (["a b"], "line 1 is 'a b'; expected one token without whitespace"),
            ([" a"], "line 1 is ' a'; expected one token"),
            (["a\u2028b"], "expected one token"),
            (["a", "b", "a"], "line 3, 'a', is already in the vocabulary"),
            (["[MASK]"], r"line 1, '\[MASK\]', is already in the vocabulary"),
        ],
    )
    def test_mistakes_in_them(self, tmp_path: Path, lines: List[str], told: str) -> None:
        write_lines(tmp_path / "vocab.txt", BERT)
        with pytest.raises(UserError, match=f"--vocab-add .*added: .*{told}"):
            vocabulary.read(tmp_path, add=write_lines(tmp_path / "added", lines))

    def test_growing(self) -> None:
        dictionary = PretrainedDictionary([*BERT, "a"])
        dictionary.grow(["b", "a", "[ATTN]"])
        assert dictionary.symbols == [*BERT, "a", "b", "[ATTN]"]
        assert dictionary.index("[ATTN]") == 7
        assert [dictionary[row] for row in dictionary.ordinary_ids()] == ["a", "b"]


def test_roles_in_robertas_spelling() -> None:
    dictionary = PretrainedDictionary(ROBERTA)
    roles = (dictionary.bos(), dictionary.pad(), dictionary.eos(), dictionary.unk(), dictionary.mask())
    assert roles == (0, 1, 2, 3, 7)
    assert [dictionary[row] for row in dictionary.ordinary_ids()] == ["the", "Ġcat"]


def test_both_forms_of_one_vocabulary_have_one_fingerprint(tmp_path: Path, pieces: Path) -> None:
    """XLM-R as Hugging Face publishes it and as fairseq does."""
    published = PretrainedDictionary.load(pieces)
    write_lines(tmp_path / "dict.txt", [f"{token} 1" for token in published.symbols[4:-1]])
    assert PretrainedDictionary.load(tmp_path).fingerprint() == published.fingerprint()


def test_files_of_the_text_side(tmp_path: Path) -> None:
    text = ["vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "dict.txt"]
    for name in (*text, "config.json", "model.safetensors", "model.pt", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in vocabulary.files(tmp_path)] == sorted(text)


class TestMistakes:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"no vocabulary in .*; looked for vocab\.txt, vocab\.json, dict\.txt"):
            vocabulary.read(tmp_path)

    @pytest.mark.parametrize("name", ["vocab.json", "a.model", "vocab.txt"])
    def test_no_file(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UserError, match=f"no vocabulary at .*{name}"):
            vocabulary.read(tmp_path / name)

    def test_several(self, tmp_path: Path) -> None:
        for name in ("a-vocab.txt", "b-vocab.txt"):
            write_lines(tmp_path / name, BERT)
        with pytest.raises(UserError, match=r"several vocabularies, a-vocab\.txt, b-vocab\.txt; name the file"):
            vocabulary.read(tmp_path)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("{", "not valid JSON"),
            ("[]", "contains a JSON list; expected an object"),
            ('{"a": "0"}', "is not a vocabulary"),
            ('{"a": 0, "b": 0}', "2 tokens have 1 ids"),
            ('{"a": 0, "b": 1000000000000}', "2 tokens have 2 ids below 1,000,000,000,001"),
        ],
    )
    def test_json(self, tmp_path: Path, content: str, told: str) -> None:
        (tmp_path / "vocab.json").write_text(content)
        with pytest.raises(UserError, match=f"vocab.json.*{told}"):
            vocabulary.read(tmp_path)

    def test_not_utf_8(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.json").write_bytes(b'{"\xff": 0}')
        with pytest.raises(UserError, match=r"vocab\.json: line 1 is not valid UTF-8 \(byte 0xff"):
            vocabulary.read(tmp_path)

    def test_no_sentencepiece_model(self, tmp_path: Path) -> None:
        (tmp_path / "a.model").write_bytes(b"text")
        with pytest.raises(UserError, match=r"a\.model is not a SentencePiece model"):
            vocabulary.read(tmp_path)

    def test_no_sentencepiece_package(self, pieces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "sentencepiece", None)
        unread = shutil.copy(pieces, tmp_path / "unread.model")
        with pytest.raises(UserError, match="pip install sentencepiece"):
            vocabulary.read(unread)
