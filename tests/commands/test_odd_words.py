"""Text that was not tokenized, and text that spells special tokens: said where it is tokenized, binarized and read."""

import logging
from pathlib import Path
from typing import Dict, List, Sequence

import pytest
import torch
from commands import (
    PLUGIN,
    SPECIAL,
    WORDS,
    best,
    generate_command,
    make_bert,
    preprocess_command,
    run,
    train_command,
    write_lines,
    write_pairs,
)
from text_families import FAMILIES

from s2sft_fairseq import S2SModel
from s2sft_fairseq.data.odd_tokens import UnknownTokens
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.text.tokenizers.auto import AutoTokenizer
from s2sft_fairseq.text.tokenizers.tokenizer import TokenizerOptions

slow = pytest.mark.slow
PIECES = ["python", "preprocess/pieces.py"]
RAW = ["w1, w2", "w3.", "W4 w5", "w6"] * 5


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT whose vocabulary can spell special tokens."""
    signs = ["[", "]", ",", ".", "s", "##e", "##p", "##a", "##d", "p", "x"]
    return make_bert(tmp_path_factory.mktemp("encoder"), (*SPECIAL, *WORDS, *signs))


def printed(command: Sequence[object], **options: object) -> str:
    """What a command prints and logs."""
    done = run(command, **options)
    return done.out + done.err


@slow
class TestUntokenizedText:
    def test_binarizing_and_training(self, encoder: Path, tmp_path: Path) -> None:
        for split in ("train", "valid"):
            write_pairs(tmp_path, split, RAW, ["w1 w2"] * len(RAW))
        said = printed(preprocess_command(tmp_path, tmp_path / "bin", encoder)).splitlines()
        line = next(line for line in said if "WARNING" in line)
        assert "train.src: 15 of 50 tokens (30.0 %) are not in the vocabulary and become [UNK], such as" in line
        assert "preprocess/pieces.py" in line
        trained = printed(train_command(tmp_path / "bin", tmp_path / "save", pretrained=encoder, max_update=1))
        assert "train, sources: 15 of 50 tokens (30.0 %) are [UNK]" in trained
        assert "targets" not in next(line for line in trained.splitlines() if "[UNK]" in line)
        last = tmp_path / "save" / "checkpoint_last.pt"
        generated = printed(generate_command(tmp_path / "bin", last, gen_subset="valid"))
        assert "valid, sources: 15 of 50 tokens (30.0 %) are [UNK]" in generated

    def test_interactive_uses_the_checkpoint_s_tokenizer(self, data: Path, imported: Dict[str, Path]) -> None:
        command = ["fairseq-interactive", data, *PLUGIN, "--path", imported["masked"], "--cpu", "--beam", 2]
        as_pieces = [*command, "--bpe", "s2s_ft_pieces"]
        ours, pieces = (printed(words, stdin=b"W1 w2\n") for words in (command, as_pieces))
        assert "the input is tokenized as the checkpoint says" in ours and "S-0\tw1 w2" in ours
        assert best(ours) == best(printed(as_pieces, stdin=b"w1 w2\n"))
        assert "S-0\t[UNK] w2" in pieces and "as the checkpoint says" not in pieces
        wrong = printed(as_pieces, stdin=b"W1 W2\nW3 W4 w5\nw1\n")
        assert wrong.count("the input: ") == 1


def test_few_unknown_tokens_are_no_reason(caplog: pytest.LogCaptureFixture) -> None:
    dictionary = PretrainedDictionary([*SPECIAL, *WORDS])
    known, unknown = (torch.full((10,), row) for row in (8, dictionary.unk()))
    counter = UnknownTokens(dictionary, "the text")
    counter.count([known] * 40 + [unknown[:3]])
    assert not caplog.records
    counter.count([unknown[:2]])
    counter.count([unknown])
    assert caplog.text.count("the text: 5 of 405 tokens (1.2 %) are [UNK]") == 1


class TestSpecialTokens:
    @pytest.mark.parametrize(
        ("family", "text"),
        [
            ("BERT", "the [sep] token and [pad] [cls]"),
            ("BERT cased", "the [SEP] token and [PAD]"),
            ("RoBERTa", "the </s> token and <pad>, <s>"),
        ],
    )
    def test_they_can_be_text(self, family: str, text: str, tmp_path: Path) -> None:
        vocabulary = FAMILIES[family].make(tmp_path / "vocabulary")
        options = TokenizerOptions(s2s_ft_vocab=str(vocabulary), special_tokens="text")  # type: ignore[arg-type]
        tokenizer = AutoTokenizer.build_bpe(options)
        spelled = text.replace("[sep]", "[SEP]").replace("[pad]", "[PAD]").replace("[cls]", "[CLS]")
        pieces = tokenizer.encode(spelled).split()
        assert not set(pieces) & set(tokenizer.special_tokens)
        assert tokenizer.decode(" ".join(pieces)).replace(" ", "") == text.replace(" ", "")

    def test_a_sentence_piece_model_has_them_as_pieces(self, tmp_path: Path) -> None:
        """So that preprocess/pieces.py warns of them in any case."""
        vocabulary = FAMILIES["XLM-R"].make(tmp_path / "vocabulary")
        options = TokenizerOptions(s2s_ft_vocab=str(vocabulary), special_tokens="text")  # type: ignore[arg-type]
        assert "</s>" in AutoTokenizer.build_bpe(options).encode("the </s> token").split()

    @slow
    def test_steps_before_training(self, encoder: Path, tmp_path: Path) -> None:
        lines = ["w1 w2", "w1 [SEP] w2 [SEP]", "w3", "w4 [PAD]"]
        write_pairs(tmp_path / "raw", "train", lines, lines[::-1])
        files = [tmp_path / "raw" / f"train.{side}" for side in ("src", "tgt")]
        outputs = [tmp_path / "pieces" / file.name for file in files]
        (tmp_path / "pieces").mkdir()
        command = [*PIECES, "--s2s-ft-vocab", encoder, "--inputs", *files, "--outputs", *outputs]
        found = "2 lines contain special tokens ([PAD] 1 times, [SEP] 2 times), the first is line "
        for name, text in (("pieces", run(command).err), ("bin", printed(self.binarize(tmp_path, encoder)))):
            assert f"train.src: {found}2" in text and f"train.tgt: {found}1" in text, name
        assert "special" not in run([*command, "--special-tokens", "text"]).err
        assert outputs[0].read_text().splitlines()[1] == "w1 [ s ##e ##p ] w2 [ s ##e ##p ]"
        assert "special" not in printed(self.binarize(tmp_path, encoder, to="again"))

    @staticmethod
    def binarize(folder: Path, encoder: Path, *, to: str = "bin") -> List[object]:
        return preprocess_command(folder / "pieces", folder / to, encoder)

    def test_in_python(self, imported: Dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)
        model = S2SModel.from_pretrained(imported["masked"])
        model.generate(["w1", "w2 [SEP] w3", "w2 [SEP]"], beam=1)
        assert caplog.text.count("source 2 contains the special token [SEP]; if it is meant as text") == 1
        caplog.clear()
        model = S2SModel.from_pretrained(imported["masked"], special_tokens="text")
        model.generate(["w1", "w2 [SEP] w3"], beam=1)
        assert "contains the special token" not in caplog.text


def test_published_spacing_can_be_asked_for(imported: Dict[str, Path], tmp_path: Path) -> None:
    bert = make_bert(tmp_path / "bert", (*SPECIAL, *WORDS, ".", "3", "5"))
    write_lines(tmp_path / "text", ["3.5"])
    for spacing, text in (("restored", "3.5"), ("published", "3. 5")):
        model = S2SModel.from_pretrained(imported["masked"], s2s_ft_vocab=str(bert), spacing=spacing)
        assert model.bpe.decode("3 . 5") == text
    assert S2SModel.from_pretrained(imported["masked"], spacing="published").bpe.restores_spacing is False
