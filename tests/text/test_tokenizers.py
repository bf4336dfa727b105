"""``--bpe s2s_ft``: the ids of each family's published tokenizer, and readable text back."""

import random
import shutil
import unicodedata
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Sequence

import pytest
from commands import write_lines
from fairseq.data.encoders.gpt2_bpe import GPT2BPE, GPT2BPEConfig
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode
from text_families import (
    FAMILIES,
    LANGUAGES,
    SPECIAL,
    bert,
    real_lines,
    roberta,
    trained_byte_bpe,
    trained_sentencepiece,
    unicode_lines,
    write_json,
    xlmr,
)
from tokenizers import Tokenizer as FastTokenizer
from transformers import (
    AddedToken,
    BertTokenizerFast,
    PreTrainedTokenizerBase,
    RobertaTokenizerFast,
    XLMRobertaTokenizerFast,
)

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.text.tokenizers.auto import AutoTokenizer
from s2sft_fairseq.text.tokenizers.tokenizer import Tokenizer, TokenizerOptions


class Pair(NamedTuple):
    """A family's text side as this plugin reads it and as `transformers` does."""

    directory: Path
    ours: Tokenizer
    theirs: PreTrainedTokenizerBase
    dictionary: PretrainedDictionary


def our_tokenizer(path: Path, **options: Any) -> Tokenizer:
    return AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(path), **options))


def read_pair(directory: Path, tokenizer: Callable[..., PreTrainedTokenizerBase]) -> Pair:
    theirs = tokenizer.from_pretrained(str(directory))  # type: ignore[attr-defined]
    return Pair(directory, our_tokenizer(directory), theirs, PretrainedDictionary.load(directory))


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    family = FAMILIES[request.param]
    return read_pair(family.make(tmp_path_factory.mktemp("family")), family.tokenizer)


def rows(line: str, dictionary: PretrainedDictionary) -> List[int]:
    """As fairseq-preprocess reads a line of pieces, without its end."""
    return dictionary.encode_line(line, add_if_not_exist=False, append_eos=False).tolist()


def check_ids(pair: Pair, lines: Sequence[str]) -> None:
    expected = pair.theirs(list(lines), add_special_tokens=False)["input_ids"]
    for line, pieces, ids in zip(lines, pair.ours.encode_lines(lines), expected):
        assert rows(pieces, pair.dictionary) == ids, (line, pieces, pair.theirs.convert_ids_to_tokens(ids))


class TestIds:
    def test_real_text(self, pair: Pair) -> None:
        check_ids(pair, real_lines())

    def test_signs_of_every_kind(self, pair: Pair) -> None:
        check_ids(pair, unicode_lines())

    def test_lines_stay_lines_and_pieces_pieces(self, pair: Pair) -> None:
        """fairseq parts pieces at whitespace of any kind."""
        for line in pair.ours.encode_lines([*unicode_lines(), "", "  "]):
            assert line == " ".join(line.split())

    def test_the_end_token_in_a_text_is_one(self, pair: Pair) -> None:
        """It parts columns and utterances, with spaces around it or without."""
        text = f"one thing {pair.dictionary.eos_word} another{pair.dictionary.eos_word}third"
        check_ids(pair, [text])
        assert rows(pair.ours.encode(text), pair.dictionary).count(pair.dictionary.eos()) == 2

    def test_lines_at_once_are_lines_one_by_one(self, pair: Pair) -> None:
        lines = unicode_lines()[:50]
        assert pair.ours.encode_lines(lines) == [pair.ours.encode(line) for line in lines]

    @pytest.mark.slow
    @pytest.mark.parametrize("together", [False, True], ids=["tokenizer.json alone", "tokenizer.json too"])
    def test_other_layout(self, pair: Pair, tmp_path: Path, together: bool) -> None:
        """What `transformers` saves today."""
        if together:
            shutil.copytree(pair.directory, tmp_path, dirs_exist_ok=True)
        pair.theirs.save_pretrained(tmp_path)
        assert (tmp_path / "tokenizer.json").is_file()
        saved = read_pair(tmp_path, type(pair.theirs))
        assert type(saved.ours) is type(pair.ours)
        assert saved.dictionary.fingerprint() == pair.dictionary.fingerprint()
        check_ids(saved, [*real_lines()[:300], *unicode_lines()[:300]])

    def test_a_saved_limit_cuts_no_text(self, pair: Pair, tmp_path: Path) -> None:
        """tokenizer.json may hold how a fine-tuning cut and padded its texts."""
        pair.theirs.save_pretrained(tmp_path)
        tokenizer = FastTokenizer.from_file(str(tmp_path / "tokenizer.json"))
        tokenizer.enable_truncation(3)
        tokenizer.enable_padding(length=3)
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        lines = ["a", "one two three four five"]
        assert our_tokenizer(tmp_path).encode_lines(lines) == pair.ours.encode_lines(lines)

    @pytest.mark.parametrize(
        "config",
        [
            {"do_lower_case": True, "strip_accents": False},
            {"do_lower_case": False, "strip_accents": True},
            {"do_lower_case": False, "tokenize_chinese_chars": False},
        ],
        ids=str,
    )
    def test_berts_options(self, tmp_path: Path, config: dict) -> None:
        changed, plain = read_pair(bert(tmp_path, **config), BertTokenizerFast), our_tokenizer(bert(tmp_path / "plain"))
        check_ids(changed, [*LANGUAGES, *unicode_lines()[:500]])
        assert changed.ours.encode_lines(LANGUAGES) != plain.encode_lines(LANGUAGES)

    def test_robertas_option(self, tmp_path: Path) -> None:
        changed = read_pair(roberta(tmp_path, add_prefix_space=True), RobertaTokenizerFast)
        check_ids(changed, [*LANGUAGES, *unicode_lines()[:500]])
        assert changed.ours.encode("the end") == "Ġthe Ġend"

    def test_ernies_layout(self, tmp_path: Path) -> None:
        """Each token with its number behind a tab."""
        tokens = PretrainedDictionary.load(bert(tmp_path)).symbols
        numbered = write_lines(
            tmp_path / "ernie" / "vocab.txt", [f"{token}\t{row}" for row, token in enumerate(tokens)]
        )
        assert our_tokenizer(numbered.parent).encode_lines(LANGUAGES) == our_tokenizer(tmp_path).encode_lines(LANGUAGES)


class TestFairseqsRoberta:
    """encoder.json, vocab.bpe, and a dict.txt that names pieces by their number in encoder.json."""

    @pytest.fixture(scope="class")
    def directory(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        directory, (tokens, merges) = tmp_path_factory.mktemp("fairseq"), trained_byte_bpe()
        pieces = [token for token in tokens if token not in SPECIAL and not token.startswith("madeupword")]
        write_json(directory / "encoder.json", {piece: number for number, piece in enumerate(pieces)})
        write_lines(directory / "vocab.bpe", ["#version: 0.2", *merges])
        numbers = random.Random(0).sample(range(len(pieces)), len(pieces))
        write_lines(directory / "dict.txt", [f"{number} 1" for number in numbers])
        return directory

    @pytest.mark.slow
    def test_pieces_of_fairseqs_own_encoder(self, directory: Path) -> None:
        files = {"gpt2_encoder_json": directory / "encoder.json", "gpt2_vocab_bpe": directory / "vocab.bpe"}
        ours = our_tokenizer(directory)
        theirs = GPT2BPE(GPT2BPEConfig(**{name: str(file) for name, file in files.items()}))
        lines = [line for line in (*real_lines(), *unicode_lines()) if not any(token in line for token in SPECIAL)]
        assert len(lines) > 3000
        for line in lines:
            pieces = ours.encode(line)
            assert pieces == theirs.encode(line)
            assert ours.decode(pieces) == " ".join(theirs.decode(pieces).splitlines()).strip()

    def test_text_of_published_pieces(self, directory: Path, tmp_path: Path) -> None:
        """Special tokens are kept, the dictionary's file will do, and Hugging Face's form says the same."""
        numbered, named = our_tokenizer(directory / "dict.txt"), our_tokenizer(roberta(tmp_path))
        tokens, _ = trained_byte_bpe()
        text = "Return the <mask> of a café."
        assert [tokens[4 + int(piece)] if piece.isdigit() else piece for piece in numbered.encode(text).split()] == (
            named.encode(text).split()
        )
        assert numbered.decode(numbered.encode(text)) == text


class TestAddedTokens:
    @pytest.mark.parametrize("text", ["see [ATTN] covid,Covid and [NOISE][ATTN]", "[ATTN] 字[NOISE]", "[attn]"])
    def test_kept_whole(self, pair: Pair, tmp_path: Path, text: str) -> None:
        """As `transformers` does after add_tokens."""
        added = ["[ATTN]", "covid", "[NOISE]"]
        ours = our_tokenizer(pair.directory, vocab_add=str(write_lines(tmp_path / "added", added)))
        grown = PretrainedDictionary.load(pair.directory)
        grown.grow(added)
        theirs = type(pair.theirs).from_pretrained(str(pair.directory))
        theirs.add_tokens(added)
        assert rows(ours.encode(text), grown) == theirs.encode(text, add_special_tokens=False)
        assert ours.decode(ours.encode("see [ATTN] there")).replace(" ", "") == "see[ATTN]there"

    def test_of_the_directory(self, pair: Pair, tmp_path: Path) -> None:
        """added_tokens.json"""
        shutil.copytree(pair.directory, tmp_path, dirs_exist_ok=True)
        count = len(pair.dictionary)
        write_json(tmp_path / "added_tokens.json", {"[ATTN]": count, "zyx": count + 1})
        grown = read_pair(tmp_path, type(pair.theirs))
        text = "see [ATTN] a zyx"
        assert {count, count + 1} < set(grown.theirs.encode(text))
        check_ids(grown, [text, "See [attn] A ZYX", *unicode_lines()[:200]])

    def test_symbols_of_sentencepieces_user(self, tmp_path: Path) -> None:
        """user_defined_symbols of its trainer."""
        (tmp_path / "sentencepiece.bpe.model").write_bytes(trained_sentencepiece(user_defined_symbols="[ATTN],ing"))
        made = read_pair(tmp_path, XLMRobertaTokenizerFast)
        assert {"[ATTN]", "ing"} < set(made.ours.encode("see[ATTN] starting").split())
        check_ids(made, ["see[ATTN] starting", "finger[ATTN]s", *unicode_lines()[:200]])

    def test_spaces_around_them(self, pair: Pair, tmp_path: Path) -> None:
        """RoBERTa's published `<mask>` takes the space before it."""
        theirs = type(pair.theirs).from_pretrained(str(pair.directory))
        mask = AddedToken(theirs.mask_token, lstrip=True, special=True, normalized=False)
        theirs.add_special_tokens({"mask_token": mask})
        theirs.save_pretrained(tmp_path)
        saved = read_pair(tmp_path, type(pair.theirs))
        check_ids(saved, [f"a {theirs.mask_token} b", f"a  {theirs.mask_token}b", *unicode_lines()[:200]])

    def test_a_token_of_spaces(self, tmp_path: Path) -> None:
        """ModernBERT has such: pieces spell the spaces out, and the text has them again."""
        theirs = RobertaTokenizerFast.from_pretrained(str(roberta(tmp_path)))
        theirs.add_tokens(["   "])
        theirs.save_pretrained(tmp_path / "saved")
        saved = read_pair(tmp_path / "saved", RobertaTokenizerFast)
        assert "<0x20><0x20><0x20>" in saved.ours.encode("a   b").split()
        assert saved.ours.decode(saved.ours.encode("a   b")) == "a   b"
        check_ids(saved, ["a   b", "    "])


def plain(text: str) -> str:
    """What is left of a text in every vocabulary: signs, without case, accents, spaces and control characters."""
    text = unicodedata.normalize("NFKD", text).lower()
    kept = (sign for sign in text if unicodedata.category(sign)[0] not in "ZCM")
    return "".join(kept)


class TestReadableText:
    def test_text_survives(self, pair: Pair) -> None:
        compared = 0
        for line in real_lines():
            pieces = pair.ours.encode(line)
            if pair.dictionary.unk_word not in pieces:
                assert plain(pair.ours.decode(pieces)) == plain(line)
                compared += 1
        assert compared > 1500

    def test_spaces_survive(self, pair: Pair) -> None:
        text = "unbelievable, the quickly written words are there."
        assert pair.ours.decode(pair.ours.encode(text)) == text

    def test_any_pieces_make_a_line_without_marks(self, pair: Pair) -> None:
        """Models generate pieces in every order. What bytes make is tested apart: there every text is possible."""
        mark = {"WordPieceTokenizer": "##", "SentencePieceTokenizer": "▁"}.get(type(pair.ours).__name__, "\n")
        rng, pieces = random.Random(0), list(pair.ours.tokens)
        for _ in range(2000):
            text = pair.ours.decode(" ".join(rng.choices(pieces, k=rng.randint(0, 8))))
            assert len(text.splitlines()) <= 1 and mark not in text

    def test_bytes(self, tmp_path: Path) -> None:
        """Byte-level pieces are decoded as the bytes that they stand for: a `Ġ` can only be the letter, C4 A0."""
        ours, byte_of = our_tokenizer(roberta(tmp_path)), {sign: byte for byte, sign in bytes_to_unicode().items()}
        pieces = [piece for piece in ours.tokens if piece not in SPECIAL]
        rng = random.Random(0)
        for _ in range(1000):
            chosen = rng.choices(pieces, k=rng.randint(1, 6))
            text = bytes(byte_of[sign] for sign in "".join(chosen)).decode("utf-8", errors="replace")
            assert ours.decode(" ".join(chosen)) == " ".join(text.splitlines()).strip()

    def test_lossless_bytes(self, tmp_path: Path) -> None:
        ours = our_tokenizer(roberta(tmp_path))
        for line in unicode_lines():
            assert ours.decode(ours.encode(line)) == " ".join(line.splitlines()).strip()

    @pytest.mark.parametrize(
        ("pieces", "text"),
        [
            ("##ing the", "ing the"),
            ("# ###", "# #"),
            ("##", ""),
            ("今 天 天 气 ， 好 ！", "今天天气，好！"),
            ("the 天 气 map", "the 天气 map"),
        ],
    )
    def test_wordpiece(self, tmp_path: Path, pieces: str, text: str) -> None:
        assert our_tokenizer(bert(tmp_path)).decode(pieces) == text

    def test_unknown_pieces_stay(self, pair: Pair) -> None:
        """fairseq hands over tokens of the dictionary that the tokenizer does not know, and its own <<unk>>."""
        assert "<<unk>>" in pair.ours.decode(f"<<unk>> {pair.dictionary.unk_word}")

    def test_beginning_of_word(self, pair: Pair) -> None:
        pieces = pair.ours.encode("the zqxj").split()
        begins = [pair.ours.is_beginning_of_word(piece) for piece in pieces]  # type: ignore[attr-defined]
        assert not all(begins) and begins.count(True) == (1 if type(pair.ours).__name__ == "ByteBPETokenizer" else 2)


class TestMistakes:
    @pytest.mark.parametrize("name", FAMILIES)
    def test_each_family_is_recognized(self, tmp_path: Path, name: str) -> None:
        assert type(our_tokenizer(FAMILIES[name].make(tmp_path))).__name__ == FAMILIES[name].kind

    def test_a_file_does(self, tmp_path: Path) -> None:
        files = [bert(tmp_path / "b") / "vocab.txt", roberta(tmp_path / "r") / "vocab.json"]
        files += [xlmr(tmp_path / "x") / "sentencepiece.bpe.model"]
        for file in files:
            assert our_tokenizer(file).encode_lines(LANGUAGES) == our_tokenizer(file.parent).encode_lines(LANGUAGES)

    def test_no_option(self) -> None:
        with pytest.raises(UserError, match="need --s2s-ft-vocab PRETRAINED_DIR"):
            AutoTokenizer.build_bpe(TokenizerOptions())

    def test_no_splitter(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "dict.txt", ["a 1", "b 1"])
        with pytest.raises(UserError, match="has no tokenizer files; expected BERT's"):
            our_tokenizer(tmp_path)

    def test_merges_of_another_model(self, tmp_path: Path) -> None:
        write_lines(roberta(tmp_path) / "merges.txt", ["#version: 0.2", "字 字"])
        with pytest.raises(UserError, match=r"merges\.txt does not belong to vocab\.json"):
            our_tokenizer(tmp_path)

    def test_tokenizer_of_another_model(self, tmp_path: Path) -> None:
        BertTokenizerFast.from_pretrained(str(bert(tmp_path))).save_pretrained(tmp_path)
        write_lines(tmp_path / "vocab.txt", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"])
        with pytest.raises(UserError, match=r"tokenizer\.json has [\d,]+ tokens that are not in .*vocab\.txt, such as"):
            our_tokenizer(tmp_path)

    def test_a_tokenizer_that_is_none(self, tmp_path: Path) -> None:
        write_json(bert(tmp_path) / "tokenizer.json", {"model": {"type": "WordPiece"}})
        with pytest.raises(UserError, match=r"tokenizer\.json cannot be read"):
            our_tokenizer(tmp_path)

    def test_sentencepieces_other_models(self, tmp_path: Path) -> None:
        (tmp_path / "a.model").write_bytes(trained_sentencepiece(model_type="bpe"))
        with pytest.raises(UserError, match=r"is not a unigram model; use fairseq's --bpe sentencepiece .* for it"):
            our_tokenizer(tmp_path)
