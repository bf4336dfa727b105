"""BLEU of scripts without spaces between words: what sacreBLEU gives with the tokenization that suits them."""

import logging
from pathlib import Path
from typing import Iterator, List

import pytest
import sacrebleu

from s2sft_fairseq import evaluate
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.metrics import METRICS, word_boundaries
from s2sft_fairseq.metrics.word_boundaries import is_installed, suitable_tokenization, warn_of_unspaced

CHINESE = ["今天天气很好，我们去公园吧！", "他昨天买了3本新书。", "北京是中国的首都。"]
JAPANESE = ["東京で新しい本を読みました。", "カタカナも使います。", "今日は天気がいいですね。"]
THAI = ["วันนี้อากาศดีมาก", "เราไปสวนสาธารณะกันเถอะ", "เขาซื้อหนังสือใหม่"]
KHMER = ["ថ្ងៃនេះអាកាសធាតុល្អណាស់", "យើងទៅសួនច្បារ"]
BURMESE = ["ဒီနေ့ရာသီဥတုကောင်းတယ်", "ပန်းခြံသွားကြစို့"]
KOREAN = ["오늘은 날씨가 좋네요.", "공원에 갑시다."]
SPACED = [
    "The weather is fine, isn't it?",
    "Съешь же ещё этих булок.",
    "हिन्दी में भी एक वाक्य।",
    "مرحبا بالعالم، هذا نص.",
    "",
]
TEXTS = {
    "zh": CHINESE,
    "ja-mecab" if is_installed("ja-mecab") else "char": JAPANESE,
    "char ": THAI,
    " char": KHMER,
    " char ": BURMESE,
    "ko-mecab" if is_installed("ko-mecab") else "char  ": KOREAN,
}


@pytest.fixture(autouse=True)
def nothing_was_said() -> Iterator[None]:
    """Each message is logged once in a process."""
    word_boundaries.warn_once.cache_clear()
    yield
    word_boundaries.warn_once.cache_clear()


def others(texts: List[str]) -> List[str]:
    """Outputs that are not quite right."""
    return [text[:-2] + text[0] for text in texts]


@pytest.mark.parametrize(("name", "texts"), TEXTS.items())
def test_the_score_is_sacre_bleus_with_that_tokenization(
    name: str, texts: List[str], caplog: pytest.LogCaptureFixture
) -> None:
    tokenize = name.strip()
    references = [[text] for text in texts]
    metric = METRICS["bleu"]()
    for outputs in (texts, others(texts)):
        found = metric.examples(outputs, references)
        expected = sacrebleu.corpus_bleu(outputs, [texts], tokenize=tokenize)
        assert found.figures()["bleu"] == pytest.approx(expected.score)
        assert f"tok:{tokenize}" in found.signature
    assert metric.examples(texts, references).figures()["bleu"] == pytest.approx(100)
    assert len(caplog.records) == 1 and f"tokenization {tokenize}" in caplog.text


def test_texts_with_spaces_are_scored_as_always(caplog: pytest.LogCaptureFixture) -> None:
    references = [[text] for text in SPACED]
    found = METRICS["bleu"]().examples(others([text or "ab" for text in SPACED]), references)
    assert "tok:13a" in found.signature and not caplog.records


def test_a_tokenization_that_was_asked_for_is_used(caplog: pytest.LogCaptureFixture) -> None:
    references = [[text] for text in CHINESE]
    for name in ("13a", "char", "intl"):
        assert f"tok:{name}" in METRICS["bleu"](tokenize=name).examples(CHINESE, references).signature
    assert not caplog.records


def test_some_texts_give_a_warning_and_one_does_not(caplog: pytest.LogCaptureFixture) -> None:
    some, one = [[text] for text in [*CHINESE, *SPACED * 2]], [[text] for text in [CHINESE[0], *SPACED * 6]]
    assert suitable_tokenization(one) is None and not caplog.records
    assert suitable_tokenization(some) is None
    assert "3 of 13 references are in Chinese" in caplog.text and "--tokenize zh" in caplog.text


def test_chrf_needs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    found = METRICS["chrf"]().examples(CHINESE, [[text] for text in CHINESE])
    assert found.figures()["chrf"] == pytest.approx(100) and not caplog.records


def test_metrics_that_separate_at_spaces_warn(caplog: pytest.LogCaptureFixture) -> None:
    apart = [[" ".join(text)] for text in CHINESE]
    warn_of_unspaced([*apart, *([text] for text in SPACED)], "it")
    assert not caplog.records
    METRICS["qg"]().examples(CHINESE, [[text] for text in CHINESE], CHINESE)
    assert "3 of 3 references are in Chinese, and --metric qg separates words at spaces only" in caplog.text


@pytest.mark.parametrize("name", ["zhh", "spm"])
def test_a_tokenization_that_does_not_exist(name: str) -> None:
    with pytest.raises(UserError, match=f"no tokenization '{name}'; expected one of 13a"):
        METRICS["bleu"](tokenize=name)


@pytest.mark.skipif(is_installed("ja-mecab"), reason="MeCab is installed")
def test_a_tokenization_that_is_not_installed() -> None:
    with pytest.raises(UserError, match=r'needs: pip install "sacrebleu\[ja\]"'):
        METRICS["bleu"](tokenize="ja-mecab")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "zh").write_text("".join(f"{text}\n" for text in CHINESE), encoding="utf-8")
    evaluate.main(["--metric", "bleu", "--hypothesis", str(tmp_path / "zh"), "--reference", str(tmp_path / "zh")])
    table = capsys.readouterr().out
    assert "tok:zh" in table and "100.000" in table
    assert caplog.text.count("--tokenize NAME") == 1
