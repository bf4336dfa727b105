"""pieces: one line in, one line out, the same pieces as the encoder that fairseq-generate builds."""

import sys
from pathlib import Path
from typing import List, Sequence

import pytest
from commands import ROOT, attempt, run, write_lines
from fairseq.data.data_utils import load_indexed_dataset
from subword_nmt.learn_bpe import learn_bpe
from text_families import FAMILIES, bert, real_lines

from s2sft_fairseq import pieces
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.text.tokenizers.auto import AutoTokenizer
from s2sft_fairseq.text.tokenizers.tokenizer import TokenizerOptions

PIECES = ["python", "-m", "s2sft_fairseq.pieces"]
LINES = ["The cats can't.", "", "a\u2028b", "  c\x0cb ", "zzz [SEP]", "A" * 10]


def command(*words: object, paths: Sequence[Path]) -> List[object]:
    outputs = [path.with_suffix(".pieces") for path in paths]
    return [*PIECES, *words, "--inputs", *paths, "--outputs", *outputs]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BPE codes as subword-nmt learns them."""
    path = tmp_path_factory.mktemp("codes") / "codes"
    with path.open("w", encoding="utf-8") as file:
        learn_bpe(real_lines()[:300], file, num_symbols=200)
    return path


def read(path: Path) -> List[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def test_lines_and_pieces(model: Path, tmp_path: Path) -> None:
    """More lines than the command splits at once, empty ones and odd line separators among them."""
    path = write_lines(tmp_path / "text.src", LINES * 500)
    added = write_lines(tmp_path / "added", ["zzz"])
    run(command("--s2s-ft-vocab", model, "--vocab-add", added, paths=[path]))
    bpe = AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(model), vocab_add=str(added)))
    assert read(path.with_suffix(".pieces")) == [bpe.encode(line) for line in LINES] * 500
    assert bpe.encode("zzz") == "zzz"


def test_different_line_counts(model: Path, tmp_path: Path) -> None:
    paths = [write_lines(tmp_path / "text.src", ["a", "b"]), write_lines(tmp_path / "text.tgt", ["a"])]
    done = attempt(command("--s2s-ft-vocab", model, paths=paths))
    assert done.status != 0
    assert "text.src has 2" in done.err and "text.tgt has 1" in done.err
    assert "Traceback" not in done.err and not list(tmp_path.glob("*.pieces"))


def test_input_that_is_not_utf_8(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "text.src"
    path.write_bytes(b"a\n\xff\n")
    done = attempt(command("--s2s-ft-vocab", model, paths=[path]))
    assert done.status != 0
    assert "text.src: line 2 is not valid UTF-8" in done.err
    assert "Traceback" not in done.err and not list(tmp_path.glob("*.pieces"))


class TestPipeline:
    """The encoders and tokenizers of fairseq itself, by their own flags."""

    def pipeline(self, *words: object) -> pieces.Pipeline:
        files = ["--inputs", "a", "--outputs", "b"]
        return pieces.build_pipeline(pieces.arguments([*map(str, words), *files]))

    def test_moses_then_codes(self, codes: Path) -> None:
        split = self.pipeline(
            "--tokenizer", "moses", "--source-lang", "en", "--bpe", "subword_nmt", "--bpe-codes", codes
        )
        lines = split.encode_lines(["The cats can't.", "", "a\u2028b"])
        assert [line.replace("@@ ", "") for line in lines] == ["The cats can &apos;t .", "", "a b"]
        assert "@@ " in lines[0]

    def test_sentencepiece_as_the_library_does_it(self, tmp_path: Path) -> None:
        family = FAMILIES["XLM-R"].make(tmp_path)
        split = self.pipeline("--bpe", "sentencepiece", "--sentencepiece-model", family / "sentencepiece.bpe.model")
        ours = self.pipeline("--s2s-ft-vocab", family)
        assert split.encode_lines(["Return the value."]) == ours.encode_lines(["Return the value."])

    @pytest.mark.parametrize(
        ("words", "module", "told"),
        [
            (["--bpe", "fastbpe"], "fastBPE", "--no-build-isolation fastBPE"),
            (["--bpe", "subword_nmt"], "subword_nmt", "pip install subword-nmt"),
            (["--tokenizer", "moses", "--bpe", "subword_nmt"], "sacremoses", "pip install sacremoses"),
        ],
    )
    def test_a_missing_package(
        self, words: List[str], module: str, told: str, codes: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(SystemExit, match=told):
            self.pipeline(*words, "--bpe-codes", codes)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(SystemExit, match="absent"):
            self.pipeline("--bpe", "subword_nmt", "--bpe-codes", tmp_path / "absent")

    def test_a_missing_flag(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            self.pipeline("--bpe", "subword_nmt")
        assert "--bpe subword_nmt needs --bpe-codes" in capsys.readouterr().err


def binarized(folder: Path, dictionary: PretrainedDictionary) -> List[List[int]]:
    """The ids that fairseq-preprocess wrote."""
    return [line.tolist() for line in load_indexed_dataset(str(folder / "test.src-tgt.src"), dictionary)]


@pytest.mark.slow
class TestBinarizing:
    def test_classical_way(self, codes: Path, tmp_path: Path) -> None:
        """Moses, codes, and a dictionary that fairseq counts itself: this task's dictionary has fairseq's ids."""
        texts = [write_lines(tmp_path / f"raw.{side}", real_lines()[:200]) for side in ("src", "tgt")]
        words = ["--tokenizer", "moses", "--source-lang", "en", "--bpe", "subword_nmt", "--bpe-codes", codes]
        run(command(*words, paths=texts[:1]))
        for side in ("src", "tgt"):
            (tmp_path / f"pieces.{side}").write_bytes((tmp_path / "raw.pieces").read_bytes())
        prefixes = ["--trainpref", tmp_path / "pieces", "--testpref", tmp_path / "pieces"]
        languages = ["-s", "src", "-t", "tgt", "--joined-dictionary", "--destdir", tmp_path / "bin"]
        run(["fairseq-preprocess", *prefixes, *languages])
        dictionary = PretrainedDictionary.load(tmp_path / "bin" / "dict.src.txt")
        lines = read(tmp_path / "pieces.src")
        assert dictionary[dictionary.mask()] == "<mask>" and dictionary.mask() == len(dictionary) - 1
        expected = [dictionary.encode_line(line, add_if_not_exist=False).tolist() for line in lines]
        assert binarized(tmp_path / "bin", dictionary) == expected
        assert [dictionary.string(line[:-1]) for line in expected] == lines

    @pytest.mark.parametrize("name", ["BERT cased", "RoBERTa", "XLM-R"])
    def test_ids_of_the_published_tokenizer(self, name: str, tmp_path: Path) -> None:
        """From text to binary data by the commands alone, with a dictionary that was grown."""
        family, lines = FAMILIES[name], ["The [ATTN] value.", *real_lines()[:200]]
        directory, added = family.make(tmp_path / "model"), write_lines(tmp_path / "added", ["[ATTN]"])
        write_lines(tmp_path / "text.src", lines)
        run(command("--s2s-ft-vocab", directory, "--vocab-add", added, paths=[tmp_path / "text.src"]))
        (tmp_path / "text.pieces").rename(tmp_path / "pieces.src")
        (tmp_path / "pieces.tgt").write_bytes((tmp_path / "pieces.src").read_bytes())
        script = [
            sys.executable,
            ROOT / "preprocess" / "vocabulary.py",
            "--pretrained",
            directory,
            "--vocab-add",
            added,
        ]
        run([*script, "--to", tmp_path / "dict.txt"])
        plugin = ["--user-dir", "s2sft_fairseq", "--task", "s2s_ft", "--srcdict", tmp_path / "dict.txt"]
        languages = ["-s", "src", "-t", "tgt", "--joined-dictionary", "--destdir", tmp_path / "bin"]
        run(["fairseq-preprocess", *plugin, "--testpref", tmp_path / "pieces", *languages])
        dictionary = PretrainedDictionary.load(tmp_path / "bin" / "dict.tgt.txt")
        theirs = family.tokenizer.from_pretrained(str(directory))  # type: ignore[attr-defined]
        theirs.add_tokens(["[ATTN]"])
        expected = [[*ids, dictionary.eos()] for ids in theirs(lines, add_special_tokens=False)["input_ids"]]
        assert binarized(tmp_path / "bin", dictionary) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("BERT", ""),
        ("RoBERTa", ""),
        ("RoBERTa", "vocab.json"),
        ("XLM-R", "sentencepiece.bpe.model"),
    ],
)
def test_fairseq_preprocess_takes_the_published_files(name: str, file: str, tmp_path: Path) -> None:
    directory = FAMILIES[name].make(tmp_path / "model")
    published = PretrainedDictionary.load(directory)
    for side in ("src", "tgt"):
        write_lines(
            tmp_path / f"test.{side}", [" ".join(token for token in published.symbols[5:] if token.split() == [token])]
        )
    plugin = ["--user-dir", "s2sft_fairseq", "--task", "s2s_ft", "--srcdict", directory / file, "--joined-dictionary"]
    run(
        [
            "fairseq-preprocess",
            *plugin,
            "-s",
            "src",
            "-t",
            "tgt",
            "--testpref",
            tmp_path / "test",
            "--destdir",
            tmp_path,
        ]
    )
    saved = PretrainedDictionary.load(tmp_path / "dict.src.txt")
    assert saved.fingerprint() == published.fingerprint()
    assert binarized(tmp_path, saved) == [[*range(5, len(published)), published.eos()]]
