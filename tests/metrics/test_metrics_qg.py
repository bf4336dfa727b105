"""Question generation's figures against the COCO-caption scorers, plainly written definitions and METEOR's own jar."""

import math
import shutil
from collections import Counter

import numpy as np
import pytest
from growth import calls
from hypothesis import given
from hypothesis import strategies as st

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.metrics.qg import QuestionGeneration
from s2sft_fairseq.metrics.scorers import meteor

WORDS = ["what", "Who", "is", "the", "0", "don't", "?", "été", "中文", "(", "-", "|||", "\u00a0"]
LINES = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
EXAMPLES = st.lists(st.tuples(st.sampled_from("abc"), LINES, LINES), min_size=1, max_size=8)


@pytest.fixture(autouse=True)
def without_java(request, monkeypatch):
    """METEOR is slow to start; only those tests have it that are about it."""
    if "jar" not in request.fixturenames:
        monkeypatch.setattr(meteor.shutil, "which", lambda name: None)


@pytest.fixture
def jar():
    if not shutil.which("java"):
        pytest.skip("METEOR needs Java")
    try:
        return meteor.find_jar()
    except UserError as error:
        pytest.skip(str(error))


def figures(examples, **options):
    sources, hypotheses, references = zip(*examples)
    return QuestionGeneration(**options).examples(hypotheses, [[text] for text in references], sources).figures()


def grouped(examples):
    """The last output and all references of each source."""
    outputs, golds = {}, {}
    for source, output, gold in examples:
        outputs[source] = output.strip()
        golds.setdefault(source, []).append(gold.strip())
    return outputs, golds


def plain_bleu(examples, longest):
    outputs, golds = grouped(examples)
    product, length, expected = 1.0, 0, 0
    for source, output in outputs.items():
        tokens = output.split()
        length += len(tokens)
        expected += min((abs(len(gold.split()) - len(tokens)), len(gold.split())) for gold in golds[source])[1]
    for n in range(1, longest + 1):
        found = possible = 0
        for source, output in outputs.items():
            ngrams, *others = (Counter(zip(*(text.split()[i:] for i in range(n)))) for text in [output, *golds[source]])
            found += sum(min(times, max(other[ngram] for other in others)) for ngram, times in ngrams.items())
            possible += sum(ngrams.values())
        product *= (found + 1e-15) / (possible + 1e-9)
    ratio = (length + 1e-15) / (expected + 1e-9)
    return 100 * product ** (1 / longest) * (math.exp(1 - 1 / ratio) if ratio < 1 else 1)


def plain_lcs(one, other):
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
    return table[-1, -1]


def plain_rouge(examples):
    outputs, golds = grouped(examples)
    scores = []
    for source, output in outputs.items():
        tokens, texts = output.split(" "), [gold.split(" ") for gold in golds[source]]
        precision = max(plain_lcs(tokens, text) / len(tokens) for text in texts)
        recall = max(plain_lcs(tokens, text) / len(text) for text in texts)
        scores.append((1 + 1.44) * precision * recall / (recall + 1.44 * precision) if precision else 0)
    return 100 * np.mean(scores)


@given(EXAMPLES)
def test_bleu_and_rouge_are_their_formulas(examples):
    found = figures(examples, qg_tokenization="none")
    assert set(found) == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"}
    for longest in range(1, 5):
        assert found[f"bleu_{longest}"] == pytest.approx(plain_bleu(examples, longest))
    assert found["rouge_l"] == pytest.approx(plain_rouge(examples))


@given(EXAMPLES)
def test_bleu_and_rouge_are_coco_captions(examples):
    bleu, rouge = (pytest.importorskip(f"pycocoevalcap.{name}.{name}") for name in ("bleu", "rouge"))
    outputs, golds = grouped(examples)
    outputs = {source: [output] for source, output in outputs.items()}
    found = figures(examples, qg_tokenization="none")
    scores = bleu.Bleu(4).compute_score(golds, outputs, verbose=0)[0]
    assert [found[f"bleu_{n}"] for n in range(1, 5)] == pytest.approx([100 * score for score in scores])
    assert found["rouge_l"] == pytest.approx(100 * rouge.Rouge().compute_score(golds, outputs)[0])


def test_all_references_of_a_source_count_and_only_its_last_output():
    examples = [("A passage", "who", "what is it ?"), ("a passage ", "What is IT ?", "who is it ?")]
    assert figures(examples)["bleu_4"] == pytest.approx(100)
    assert figures(examples[::-1])["bleu_4"] < 1


@pytest.mark.parametrize(
    ("tokenization", "output", "reference"),
    [
        ("unilm", "What did Luna ##r do ?".replace(" ##", ""), "what did luna ##r do ?"),
        ("unilm", "When ( in 1 , 000 ) ?", "when ( in 1 , 000 ) ?"),
        ("du", "When ( in 1 , 000 ) ?", "when -lrb- in 1,000 -rrb- ?"),
        ("du", "Who isn ' t in AT & T ?", "who is n't in at &amp; t ?"),
    ],
)
def test_both_tokenizations(tokenization, output, reference):
    assert figures([("s", output, reference)], qg_tokenization=tokenization)["rouge_l"] == pytest.approx(100)


def test_without_sources():
    with pytest.raises(UserError, match="--source"):
        QuestionGeneration().examples(["a"], [["a"]])


def test_a_sample_is_scored_as_its_copy_would_be():
    examples = [("a", "what is it ?", "what was it ?"), ("b", "who ?", "who is he ?"), ("c", "", "when ?")]
    sources, hypotheses, references = zip(*examples)
    whole = QuestionGeneration().examples(hypotheses, [[text] for text in references], sources)
    assert whole.figures(np.array([0, 1])) == pytest.approx(figures(examples[:2]))
    assert whole.each()["rouge_l"][1] == pytest.approx(figures(examples[1:2])["rouge_l"])
    assert len(whole) == len(whole.each()["bleu_4"]) == 3


@pytest.mark.parametrize(("found", "message"), [(None, "needs Java"), ("/bin/false", "answered 0 of 1 times")])
def test_meteor_that_does_not_run_is_left_out_in_one_line(found, message, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(meteor.shutil, "which", lambda name: found)
    (tmp_path / "meteor.jar").touch()
    assert "meteor" not in figures([("a", "b", "b")], meteor_jar=tmp_path / "meteor.jar")
    (line,) = capfd.readouterr().err.strip().split("\n")
    assert "METEOR is left out" in line and message in line


def test_meteors_formula_by_hand():
    """Statistics of "a cat was sitting on a mat" beside "the cat sat on the mat", as the jar gives them."""
    exact, paraphrase = [2, 2, 1, 1], [1, 1, 1, 0]  # content words of both texts, function words of both
    statistics = np.array([7, 6, 4, 3, *exact, *[0] * 8, *paraphrase, 2, 5, 4], dtype=float)
    precision = (0.75 * (2 + 0.6) + 0.25 * (1 + 0.6)) / (0.75 * 3 + 0.25 * 4)
    recall = (0.75 * (2 + 0.6) + 0.25 * 1) / (0.75 * 3 + 0.25 * 3)
    mean = precision * recall / (0.85 * precision + 0.15 * recall)
    assert meteor.points(statistics) == pytest.approx(100 * mean * (1 - 0.6 * (2 / 4.5) ** 0.2))
    assert meteor.points(np.zeros((2, 23))).tolist() == [0, 0]


def test_meteor_is_its_jar(jar):
    scorer = pytest.importorskip("pycocoevalcap.meteor.meteor").Meteor()
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(WORDS, size=random.integers(0, 9))).strip() for _ in range(300)]
    examples = [(str(n % 70), text, texts[-n] if n % 4 else text) for n, text in enumerate(texts)]
    outputs, golds = grouped(examples)
    score, each = scorer.compute_score(golds, {source: [output] for source, output in outputs.items()})
    assert figures(examples, qg_tokenization="none")["meteor"] == pytest.approx(100 * score)
    found = meteor.measure(list(outputs.values()), list(golds.values()), jar=jar)
    assert found.each() == pytest.approx(100 * np.array(each))


def test_work_grows_with_the_number_of_lines():
    def score(lines):
        numbers = [(n % (lines // 2), n % 97) for n in range(lines)]
        examples = [(str(source), f"what is number {n} ?", f"which is number {n} ?") for source, n in numbers]
        assert 0 < figures(examples)["bleu_4"] < 100

    assert calls(lambda: score(2000)) < 2.2 * calls(lambda: score(1000))
