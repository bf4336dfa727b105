"""A hint where pieces are scored instead of text, and none where text has the same signs."""

from pathlib import Path
from typing import List, Sequence

import pytest
from text_families import FAMILIES, LANGUAGES, real_lines

from s2sft_fairseq import evaluate
from s2sft_fairseq.metrics import Texts
from s2sft_fairseq.metrics.piece_marks import warn_of_pieces
from s2sft_fairseq.text.tokenizers.auto import AutoTokenizer
from s2sft_fairseq.text.tokenizers.tokenizer import TokenizerOptions

LINES = real_lines()[:200]
BPE = ["the un@@ predict@@ ability of words", "a very short li@@ ne"]
TEXT = [
    "## Heading of a page in Markdown, with some words below it, none of which is cut in pieces",
    "####",
    "##Heading without a space, in a page of many other words that are longer than it is, as pages often are, "
    "so that only one word in fifty begins with two signs, which is what happens in headings and nowhere else at all",
    "the ## th time that ## people came to the ## -year-old house , and the ##th time that they left it again , "
    "as the newspapers of the town wrote on the first page of their issues of the next day , all ## of them",
    "mail to me@@example.com or @@handle, or a@b; C++ ▁▁▁▁ fill in the blank",
    "Ġorġ Borg Olivier twieled f'Malta u kien prim ministru tal-pajjiż għal bosta snin wara l-gwerra u l-indipendenza",
    "",
]


def hints(caplog: pytest.LogCaptureFixture, hypotheses: Sequence[str], references: Sequence[str]) -> List[str]:
    warn_of_pieces(Texts(hypotheses, [[text] for text in references]))
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("family", FAMILIES)
def test_pieces_of_every_family(family: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vocabulary = FAMILIES[family].make(tmp_path / "vocabulary")
    tokenizer = AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(vocabulary)))
    (line,) = hints(caplog, tokenizer.encode_lines(LINES), LINES)
    assert line.startswith("the hypotheses contain") and "--bpe s2s_ft" in line


def test_references_and_classic_bpe(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = hints(caplog, ["text", "text"], BPE)
    assert line.startswith("the references contain BPE's '@@' 3 times") and "--remove-bpe" in line


@pytest.mark.parametrize("text", [TEXT, LINES, LANGUAGES])
def test_text_with_the_same_signs(text: Sequence[str], caplog: pytest.LogCaptureFixture) -> None:
    assert hints(caplog, text, text) == []


def test_command(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After post-processing; a metric that joins pieces itself needs none."""
    (tmp_path / "pieces").write_text("un ##predict ##able words\n", encoding="utf-8")
    (tmp_path / "text").write_text("unpredictable words\n", encoding="utf-8")
    files = ["--hypothesis", tmp_path / "pieces", "--reference", tmp_path / "text", "--source", tmp_path / "text"]
    evaluate.main(["--metric", "rouge", *map(str, files), "--postprocess", "wordpiece"])
    evaluate.main(["--metric", "qg", *map(str, files)])
    assert "joined" not in caplog.text
    evaluate.main(["--metric", "bleu", *map(str, files)])
    assert caplog.text.count("WordPiece's '##' 2 times, as if their pieces were not joined") == 1
