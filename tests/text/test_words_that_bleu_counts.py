"""The BLEU of fairseq-generate, which scores words by the ids that the dictionary gives them."""

import copy
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.scoring.bleu import BleuConfig, Scorer
from text_families import FAMILIES, real_lines

from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.text.tokenizers.auto import AutoTokenizer
from s2sft_fairseq.text.tokenizers.tokenizer import Tokenizer, TokenizerOptions

LINES = real_lines()[:60]
SYMBOLS = ("@@ ", "subword_nmt", "sentencepiece", "none")
"""Values of --remove-bpe, which is also called --post-process."""


@pytest.fixture(scope="module", params=FAMILIES)
def vocabulary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param].make(tmp_path_factory.mktemp("vocabulary"))


def bleu(
    dictionary: PretrainedDictionary,
    pairs: Sequence[Tuple[torch.Tensor, torch.Tensor]],
    *,
    symbol: Optional[str],
    bpe: Optional[Tokenizer],
) -> float:
    """BLEU of targets and outputs, each the ids of its pieces, as fairseq-generate computes it with --remove-bpe."""
    scorer = Scorer(BleuConfig(pad=dictionary.pad(), eos=dictionary.eos(), unk=dictionary.unk()))
    for target, output in pairs:
        texts = [dictionary.string(target, symbol, escape_unk=True), dictionary.string(output, symbol)]
        joined = [bpe.decode(text) if bpe else text for text in texts]
        scorer.add(*(dictionary.encode_line(text, add_if_not_exist=True) for text in joined))
    return float(scorer.score())


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("decoded", [True, False])
def test_equal_outputs_have_100(vocabulary: Path, symbol: str, decoded: bool) -> None:
    dictionary = PretrainedDictionary.load(vocabulary)
    tokenizer = AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(vocabulary)))
    lines = [line for line in tokenizer.encode_lines(LINES) if dictionary.unk_word not in line]
    pairs = [(ids, ids) for ids in map(dictionary.encode_line, lines)]
    rows = len(dictionary)
    assert len(lines) > 30
    if symbol == "sentencepiece" and not decoded and "▁the" not in dictionary:
        pytest.skip("each line becomes one word")
    assert bleu(dictionary, pairs, symbol=symbol, bpe=tokenizer if decoded else None) == pytest.approx(100)
    assert len(dictionary) == len(dictionary.symbols) == rows


def test_other_outputs_have_what_fairseq_s_own_dictionary_gives(vocabulary: Path) -> None:
    """Unknown tokens, in both sides or in one, never count as equal."""
    ours = PretrainedDictionary.load(vocabulary)
    theirs = copy.deepcopy(ours)
    theirs.encode_line = lambda line, **options: Dictionary.encode_line(theirs, line, **options)  # type: ignore
    tokenizer = AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(vocabulary)))
    lines = [ours.encode_line(line) for line in tokenizer.encode_lines(LINES)]
    pairs = [(line, changed(line, ours, place)) for place, line in enumerate(lines)]
    scores: List[float] = []
    for dictionary in (ours, theirs):
        scores.append(bleu(dictionary, pairs, symbol="@@ ", bpe=tokenizer))
    assert scores[0] == scores[1] and 10 < scores[0] < 99


def test_words_that_are_joined_already_stay_apart(vocabulary: Path) -> None:
    """--remove-bpe sentencepiece with --bpe s2s_ft."""
    tokenizer = AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(vocabulary)))
    assert tokenizer.decode("the unpredictability of words") == "the unpredictability of words"


def changed(line: torch.Tensor, dictionary: PretrainedDictionary, place: int) -> torch.Tensor:
    """A line with an unknown token in its first third, in every second line, and without its second token."""
    other = line.clone()
    if place % 2:
        other[len(line) // 3] = dictionary.unk()
    return torch.cat([other[:1], other[2:]])
