"""Dialogue figures against nltk, sacreBLEU, plainly written definitions and hand-computed cases."""

import math
from collections import Counter

import numpy as np
import pytest
import sacrebleu
from commands import write_lines
from growth import calls
from hypothesis import given
from hypothesis import strategies as st

from s2sft_fairseq.metrics.dialogue import Dialogue
from s2sft_fairseq.metrics.scorers import mteval
from s2sft_fairseq.metrics.texts import Files

nltk_nist = pytest.importorskip("nltk.translate.nist_score")
nltk_bleu = pytest.importorskip("nltk.translate.bleu_score")

WORDS = [
    "the",
    "The",
    "cat",
    "sat",
    "0",
    "12",
    "3.5",
    "1,000",
    "don't",
    ".",
    "...",
    "été",
    "中文",
    "x-y",
    "[",
    "&",
    "<b>",
]
LINES = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
PAIRS = st.lists(st.tuples(LINES, st.lists(LINES, min_size=2, max_size=2)), min_size=1, max_size=6)
SIMPLE = st.lists(st.sampled_from("abcd"), min_size=1, max_size=9).map(" ".join)


def columns(pairs):
    return [list(column) for column in zip(*pairs)]


def sums(hypotheses, references):
    counts = mteval.count(hypotheses, references)
    return counts.sums(np.arange(len(hypotheses)))


def overlap_sums(hypotheses, references):
    return sums(hypotheses, references).overlap


def plain_ngrams(tokens, length):
    return [" ".join(tokens[i : i + length]) for i in range(len(tokens) - length + 1)]


def plain_nist(hypotheses, references):
    """Doddington's formula as mteval has it, from lists of tokens."""
    corpus = [tokens for texts in references for tokens in texts]
    total = Counter(ngram for tokens in corpus for n in range(1, 5) for ngram in plain_ngrams(tokens, n))
    words = sum(map(len, corpus))
    score = 0.0
    for n in range(1, 5):
        gain = possible = 0
        for tokens, texts in zip(hypotheses, references):
            most = {}
            for text in texts:
                for ngram, times in Counter(plain_ngrams(text, n)).items():
                    most[ngram] = max(times, most.get(ngram, 0))
            for ngram, times in Counter(plain_ngrams(tokens, n)).items():
                before = total.get(" ".join(ngram.split()[:-1]), 0) or words
                before = words if ngram.split()[:-1] == ["0"] else before
                gain += min(times, most.get(ngram, 0)) * (math.log2(before / total[ngram]) if ngram in total else 0)
                possible += times
        score += gain / max(possible, 1)
    length, expected = sum(map(len, hypotheses)), words / len(references[0])
    if not length or not expected:
        return 0.0
    ratio = min(length / expected, 1)
    return score * math.exp(math.log(0.5) / math.log(1.5) ** 2 * math.log(ratio) ** 2)


@given(PAIRS)
def test_nist_is_the_formula(pairs):
    hypotheses, references = columns(pairs)
    tokens = [mteval.tokenize(text) for text in hypotheses]
    golds = [[mteval.tokenize(text) for text in texts] for texts in references]
    assert mteval.nist(sums(hypotheses, references)) == pytest.approx(plain_nist(tokens, golds))


@given(st.lists(st.tuples(SIMPLE, SIMPLE), min_size=1, max_size=6))
def test_nist_of_one_reference_is_nltk(pairs):
    hypotheses, references = columns([(text + " a a a a", [gold + " b"]) for text, gold in pairs])
    expected = nltk_nist.corpus_nist(
        [[gold.split() for gold in golds] for golds in references], [t.split() for t in hypotheses], 4
    )
    assert mteval.nist(sums(hypotheses, references)) == pytest.approx(expected)


@given(PAIRS)
def test_bleu_is_sacrebleu_with_its_default_smoothing(pairs):
    """Where there is a match and no lack of n-grams; the two differ in what is left."""
    hypotheses, references = columns(
        [("the cat sat 12 . " + text, ["the dog " + gold for gold in golds]) for text, golds in pairs]
    )
    clean = [[text.replace("&", " ").replace("<", " ") for text in texts] for texts in [hypotheses, *zip(*references)]]
    expected = sacrebleu.corpus_bleu(clean[0], clean[1:], lowercase=True, tokenize="13a").score
    assert 100 * mteval.bleu(overlap_sums(hypotheses, references)) == pytest.approx(expected)


def test_bleu_by_hand():
    # 4, 3, 2, 1 n-grams; 3, 1, 0, 0 match, and so 1/2 and 1/4 do. One token is lacking.
    expected = (3 / 4 * 1 / 3 * (1 / 2) / 2 * (1 / 4) / 1) ** 0.25 * math.exp(1 - 5 / 4)
    assert mteval.bleu(overlap_sums(["a b x c"], [["a b c d e"]])) == pytest.approx(expected)
    # Of lengths that a text of two tokens lacks, all count as found.
    assert mteval.bleu(overlap_sums(["a b"], [["a b"]])) == 1


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ["_", "_", "empty", "_", "_"]),
        ("  ", []),
        ("Don't!", ["don't", "!"]),
        ("a&b <c", ["a", "b", "c"]),
        (
            "http://A.b/C 1,000 3.5, ÉTÉ",
            ["http://A.b/C", "1,000", "3.5", ",", "ÉtÉ"],
        ),
    ],
)
def test_tokens_of_mteval(text, tokens):
    assert mteval.tokenize(text) == tokens


def test_nothing_at_all():
    figures = Dialogue().examples([" ", " "], [[" "], [" "]]).figures()
    assert figures["nist_4"] == figures["bleu_4"] == figures["entropy_4"] == figures["distinct_1"] == 0
    assert figures["length"] == 0


@given(st.lists(LINES, min_size=1, max_size=6))
def test_entropy_and_distinct_are_their_formulas(lines):
    figures = Dialogue().examples(lines, [["a"]] * len(lines)).figures()
    grams = {n: [ngram for line in lines for ngram in plain_ngrams(line.split(), n)] for n in (1, 2, 4)}
    shares = [times / len(grams[4]) for times in Counter(grams[4]).values()]
    assert figures["entropy_4"] == pytest.approx(-sum(share * math.log(share) for share in shares))
    assert figures["length"] == pytest.approx(len(grams[1]) / len(lines))
    for n in (1, 2):
        assert figures[f"distinct_{n}"] == pytest.approx(len({*grams[n]}) / max(len(grams[n]), 1))


@given(st.lists(st.tuples(LINES, LINES), min_size=1, max_size=6))
def test_persona_chat_is_the_mean_of_nltk_sentences(pairs):
    figures = Dialogue().examples(*columns([(text, [gold]) for text, gold in pairs])).figures()
    smoothing = nltk_bleu.SmoothingFunction().method7
    for name, weights in (("persona_bleu_1", (1, 0, 0, 0)), ("persona_bleu_2", (0.5, 0.5, 0, 0))):
        scores = [
            nltk_bleu.sentence_bleu([g.strip().split(" ")], t.strip().split(" "), weights, smoothing) for t, g in pairs
        ]
        assert figures[name] == pytest.approx(100 * np.mean(scores))


@given(PAIRS, st.randoms(use_true_random=False))
def test_a_sample_is_scored_as_its_copy_would_be(pairs, random):
    """All but NIST, whose information comes from all references."""
    rows = [random.randrange(len(pairs)) for _ in pairs]
    sample = Dialogue().examples(*columns(pairs)).figures(np.array(rows))
    copy = Dialogue().examples(*columns([pairs[row] for row in rows])).figures()
    assert sample.pop("nist_4") >= 0 and copy.pop("nist_4") >= 0
    assert sample == pytest.approx(copy)


def test_work_grows_with_the_number_of_lines():
    def score(lines):
        answers = [f"the answer number {n % 97} is one of {n % 13} answers ." for n in range(lines)]
        references = [[f"answer {n % 13} is number {n % 97} .", "i do not know ."] for n in range(lines)]
        assert 0 < Dialogue().examples(answers, references).figures()["bleu_4"] < 100

    assert calls(lambda: score(400)) < 2.2 * calls(lambda: score(200))


def test_references_between_tabs_are_those_of_several_files(tmp_path):
    hypotheses = write_lines(tmp_path / "out", ["a cat sat", "no"])
    first = write_lines(tmp_path / "first", ["the cat sat", "yes"])
    second = write_lines(tmp_path / "second", ["a dog sat", "no"])
    both = write_lines(tmp_path / "both", ["the cat sat\ta dog sat", "yes\tno"])
    metric = Dialogue()
    apart, together = (metric.read(Files(hypotheses, files)) for files in ((first, second), (both,)))
    assert [list(texts) for texts in apart.references] == [list(texts) for texts in together.references]
    assert metric.examples(*together).figures() == metric.examples(*apart).figures()
