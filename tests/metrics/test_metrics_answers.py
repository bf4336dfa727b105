"""CoQA's and SQuAD's figures against plainly written definitions, hand-computed cases and the official file formats."""

import json
import re
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from commands import write_lines
from growth import calls
from hypothesis import given, settings
from hypothesis import strategies as st

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.evaluate import main
from s2sft_fairseq.metrics.coqa import DOMAINS, IN_DOMAIN, OUT_DOMAIN, Coqa
from s2sft_fairseq.metrics.squad import Squad
from s2sft_fairseq.metrics.texts import Files

WORDS = ["the", "a", "An", "cat", "Cat,", "dogs", "ate", "1,000", "'s", "l'été", "中文", "…", "THE", "!", "\u00a0"]
LINES = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
ANSWERS = st.lists(LINES, max_size=4)
PAIRS = st.lists(st.tuples(LINES, ANSWERS), min_size=1, max_size=8)


def plain_words(text):
    """The official scripts' normalization, step by step."""
    kept = "".join(sign for sign in text.lower() if sign not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def plain_f1(answer, expected):
    given_words, gold = Counter(plain_words(answer)), Counter(plain_words(expected))
    if not given_words or not gold:
        return float(given_words == gold)
    common = sum(min(count, gold[word]) for word, count in given_words.items())
    return 2 * common / (sum(given_words.values()) + sum(gold.values()))


def plain_exact(answer, expected):
    return float(plain_words(answer) == plain_words(expected))


def tabbed(answers):
    return ["\t".join(answers)]


def plain_coqa(answer, golds):
    """CoQA's script: with several human answers, each human left out in turn."""
    golds = golds or [""]
    rounds = [golds[:i] + golds[i + 1 :] for i in range(len(golds))] if len(golds) > 1 else [golds]
    return [np.mean([max(f(answer, g) for g in kept) for kept in rounds]) for f in (plain_exact, plain_f1)]


@given(PAIRS)
def test_coqa_is_the_mean_over_humans_left_out(pairs):
    figures = Coqa().examples([answer for answer, _ in pairs], [tabbed(golds) for _, golds in pairs]).figures()
    exact, f1 = 100 * np.mean([plain_coqa(*pair) for pair in pairs], axis=0)
    assert figures == pytest.approx({"em": exact, "f1": f1})


def test_coqa_by_hand():
    examples = Coqa().examples(["a white cat"], [["white cat\tthe cat\tdog"]])
    # Without "white cat": F1 with "cat" is 2/3. Without either other: exact.
    assert examples.figures() == pytest.approx({"em": 100 * 2 / 3, "f1": 100 * (2 / 3 + 1 + 1) / 3})


def test_several_reference_files_are_several_answers():
    together = Coqa().examples(["white cat"], [["white cat\tcat"]]).figures()
    assert Coqa().examples(["white cat"], [["white cat", "cat"]]).figures() == together


@given(PAIRS)
def test_squad_takes_the_best_answer(pairs):
    golds = [[gold for gold in golds if gold.strip()] for _, golds in pairs]
    usable = [[gold for gold in kept if plain_words(gold)] or [""] for kept in golds]
    figures = Squad().examples([answer for answer, _ in pairs], [tabbed(golds) for _, golds in pairs]).figures()
    exact = [max(plain_exact(answer, gold) for gold in kept) for (answer, _), kept in zip(pairs, usable)]
    f1 = [max(plain_f1(answer, gold) for gold in kept) for (answer, _), kept in zip(pairs, usable)]
    assert figures["exact"] == pytest.approx(100 * np.mean(exact))
    assert figures["f1"] == pytest.approx(100 * np.mean(f1))
    for name, kind in (("HasAns", True), ("NoAns", False)):
        chosen = [value for value, kept in zip(f1, golds) if bool(kept) == kind]
        assert (f"{name}_f1" in figures) == bool(chosen)
        assert not chosen or figures[f"{name}_f1"] == pytest.approx(100 * np.mean(chosen))


def test_the_first_version_has_its_own_corner():
    """Where both answers consist of articles only, the scripts of 1.1 and 2.0 differ."""
    assert Squad(squad_version="1.1").examples(["the"], [["a"]]).figures() == {"exact_match": 100, "f1": 0}
    assert Squad().examples(["the"], [["a"]]).figures()["f1"] == 100


@given(PAIRS)
@settings(max_examples=30)
def test_the_first_version_takes_the_best_answer(pairs):
    """The script of 1.1 counts shared words only, so that answers without any have no F1."""
    golds = [[gold for gold in golds if gold.strip()] or [""] for _, golds in pairs]
    figures = Squad(squad_version="1.1").examples([answer for answer, _ in pairs], [tabbed(g) for g in golds]).figures()
    exact = [max(plain_exact(answer, gold) for gold in kept) for (answer, _), kept in zip(pairs, golds)]
    f1 = [
        max(plain_f1(answer, gold) if plain_words(answer) else 0 for gold in kept)
        for (answer, _), kept in zip(pairs, golds)
    ]
    assert figures == pytest.approx({"exact_match": 100 * np.mean(exact), "f1": 100 * np.mean(f1)})


def test_options_on_the_command_line(tmp_path, capsys):
    """Answers in lines; one of two questions is unanswerable, and only a low threshold withholds the answer to it."""
    answers, doubts = write_lines(tmp_path / "answers", ["cat", "dog"]), write_lines(tmp_path / "doubts", ["0.1", "1"])
    golds = write_lines(tmp_path / "golds", ["dog\tcat", ""])
    command = f"--hypothesis {answers} --reference {golds} --resamples 0 --json -".split()
    expected = {
        "coqa": {"em": 25, "f1": 25},
        "squad --squad-version 1.1": {"exact_match": 50, "f1": 50},
        f"squad --na-probs {doubts}": {"exact": 50, "NoAns_f1": 0, "best_exact": 100, "best_f1_thresh": 0.1},
        f"squad --na-probs {doubts} --na-prob-threshold 0.5": {"exact": 100, "NoAns_f1": 100, "HasAns_exact": 100},
    }
    for metric, figures in expected.items():
        main(["--metric", *metric.split(), *command])
        found = json.loads(capsys.readouterr().out)["figures"]
        assert {name: found[name]["value"] for name in figures} == figures


def test_where_no_answer_is_worth_giving(tmp_path):
    figures = Squad(na_probs=write_lines(tmp_path / "doubts", ["0.5"])).examples(["cat"], [[""]]).figures()
    assert figures["best_exact"] == 100 and figures["best_exact_thresh"] == 0


def plain_best_threshold(scores, answers, answerable, na_probs):
    """Every threshold tried by itself: questions above it count as unanswered."""
    found = []
    for threshold in [-1.0, *na_probs]:
        total = sum(
            not can if doubt > threshold else (score if can else not answer)
            for score, answer, can, doubt in zip(scores, answers, answerable, na_probs)
        )
        found.append(total)
    return 100 * max(found) / len(scores)


@given(st.lists(st.tuples(LINES, ANSWERS), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_best_threshold_is_the_best_of_all(tmp_path_factory, pairs, random):
    file = tmp_path_factory.getbasetemp() / "doubts"
    doubts = random.sample(range(1, 100), len(pairs))
    file.write_text("".join(f"{doubt / 100}\n" for doubt in doubts))
    answers, references = [answer for answer, _ in pairs], [tabbed(golds) for _, golds in pairs]
    examples = Squad(na_probs=file).examples(answers, references)
    figures = examples.figures()
    answerable = [any(gold.strip() for gold in golds) for _, golds in pairs]
    for name in ("exact", "f1"):
        best = plain_best_threshold(examples.raw[name], answers, answerable, np.array(doubts) / 100)
        assert figures[f"best_{name}"] == pytest.approx(best)
        threshold = figures[f"best_{name}_thresh"]
        reached = Squad(na_probs=file, na_prob_threshold=threshold).examples(answers, references).figures()[name]
        assert (
            reached >= best - 1e-9
        )  # more, where an answer of articles only is no answer: the script counts it as one


def test_a_threshold_withholds_doubtful_answers(tmp_path):
    (tmp_path / "doubts").write_text("0.9\n0.9\n0.1\n")
    examples = Squad(na_probs=tmp_path / "doubts", na_prob_threshold=0.5).examples(
        ["cat", "cat", "cat"], [["cat"], [""], ["cat"]]
    )
    assert list(examples.each()["exact"]) == [0, 100, 100]
    assert examples.figures(np.array([1, 2, 2]))["exact"] == 100


def test_every_sample_has_the_same_figures():
    examples = Squad().examples(["cat", ""], [["cat"], [""]])
    sample = examples.figures(np.array([1, 1]))
    assert set(sample) == set(examples.figures())
    assert sample["NoAns_f1"] == sample["f1"] == 100 and np.isnan(sample["HasAns_f1"])


@pytest.mark.parametrize("content", ["0.5\n", "0.5\nmuch\n"])
def test_probabilities_that_do_not_fit(tmp_path, content):
    (tmp_path / "doubts").write_text(content)
    with pytest.raises(UserError, match="doubts"):
        Squad(na_probs=tmp_path / "doubts").examples(["a", "b"], [["a"], ["b"]])


def test_probabilities_by_name_need_names(tmp_path):
    (tmp_path / "doubts.json").write_text('{"q1": 0.5}')
    with pytest.raises(UserError, match="probabilities for 0 of 1 questions"):
        Squad(na_probs=tmp_path / "doubts.json").examples(["a"], [["a"]])


def test_a_file_of_probabilities_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"nowhere cannot be read: No such file or directory$"):
        Squad(na_probs=tmp_path / "nowhere").examples(["a"], [["a"]])


def written(folder: Path, **contents) -> Files:
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return Files(folder / "predictions.json", (folder / "dataset.json",), None)


def squad_question(name, *answers):
    return {"id": name, "question": "?", "answers": [{"text": text, "answer_start": 0} for text in answers]}


def test_squad_reads_the_official_files(tmp_path):
    questions = [squad_question("q1", "cat", "the white\tcat"), squad_question("q2"), squad_question("q3", "dog")]
    files = written(
        tmp_path,
        dataset={
            "data": [{"paragraphs": [{"context": "", "qas": questions[:2]}, {"context": "", "qas": questions[2:]}]}]
        },
        predictions={"q3": "dog", "q1": "white cat", "q2": ""},
        doubts={"q3": 0.9, "q2": 0.8, "q1": 0.1, "other": 0},
    )
    metric = Squad(na_probs=tmp_path / "doubts.json")
    figures = metric.examples(*metric.read(files)).figures()
    assert {name: figures[name] for name in ("exact", "HasAns_f1", "NoAns_f1", "best_f1", "best_f1_thresh")} == {
        "exact": 100,
        "HasAns_f1": 100,
        "NoAns_f1": 100,
        "best_f1": 100,
        "best_f1_thresh": 0.9,
    }


def test_coqa_reads_the_official_files(tmp_path):
    def turns(*texts):
        return [{"input_text": text, "turn_id": number} for number, text in enumerate(texts, 1)]

    story = {"id": "s", "answers": turns("yes", "a cat"), "additional_answers": {"0": turns("no", "white cat")}}
    story["source"] = "cnn"
    predictions = [{"id": "s", "turn_id": 2, "answer": "cat"}, {"id": "s", "turn_id": 1, "answer": "Yes."}]
    files = written(tmp_path, dataset={"data": [story]}, predictions=predictions)
    texts = Coqa().read(files)
    assert list(texts.hypotheses) == ["Yes.", "cat"]
    assert [list(golds) for golds in texts.references] == [["yes", "no"], ["a cat", "white cat"]]
    figures = Coqa().examples(*texts).figures()
    assert figures["news_f1"] == figures["in_domain_f1"] == figures["f1"]
    assert not {"out_domain_f1", "science_f1"} & set(figures)


@given(st.lists(st.tuples(LINES, ANSWERS, st.sampled_from(sorted(DOMAINS))), min_size=1, max_size=8))
def test_coqa_by_domain_is_coqa_of_each_domain(triples):
    answers, golds, sources = zip(*triples)
    figures = Coqa().examples(answers, [tabbed(several) for several in golds], sources).figures()
    kinds = {name: {source} for source, name in DOMAINS.items()} | {"in_domain": IN_DOMAIN, "out_domain": OUT_DOMAIN}
    for kind, members in kinds.items():
        chosen = [number for number, source in enumerate(sources) if source in members]
        assert (f"{kind}_f1" in figures) == bool(chosen)
        if chosen:
            alone = Coqa().examples([answers[n] for n in chosen], [tabbed(golds[n]) for n in chosen]).figures()
            assert {name: figures[f"{kind}_{name}"] for name in alone} == pytest.approx(alone)


def test_the_names_of_domains():
    """Those of the official script; a sample without a domain has no figure for it."""
    sources = ["mctest", "gutenberg", "race", "cnn", "wikipedia", "reddit", "science"]
    names = ["children_stories", "literature", "mid-high_school", "news", "wikipedia", "reddit", "science"]
    examples = Coqa().examples(["a b"] * 7, [["b"]] * 7, sources)
    kinds = [*names, "in_domain", "out_domain"]
    assert list(examples.figures()) == ["em", "f1", *(f"{kind}_{name}" for kind in kinds for name in ("em", "f1"))]
    sample = examples.figures(np.array([0, 0]))
    assert sample["children_stories_em"] == 100 and np.isnan([sample["news_f1"], sample["out_domain_em"]]).all()


def test_other_sources_are_no_domains():
    examples = Coqa().examples(["cat", "dog"], [["cat"], ["cat"]], ["a story [SEP] who ?", "cnn"])
    assert set(examples.figures()) == {"em", "f1"}


@pytest.mark.parametrize(
    ("dataset", "predictions", "message"),
    [
        ({"data": [{"paragraphs": [{"qas": [squad_question("q1", "cat")]}]}]}, {}, "no answer to 1 of the 1 questions"),
        ([], {}, "is not a dataset of SQuAD"),
        ({"data": [{"title": "x"}]}, {}, "is not a dataset of SQuAD"),
        ({"data": []}, ["cat"], "is not a JSON object"),
    ],
)
def test_official_files_that_do_not_fit(tmp_path, dataset, predictions, message):
    with pytest.raises(UserError, match=message):
        Squad().read(written(tmp_path, dataset=dataset, predictions=predictions))


def test_several_datasets_are_a_mistake(tmp_path):
    for metric in (Squad(), Coqa()):
        with pytest.raises(UserError, match="expected a single file if it is JSON"):
            metric.read(Files(tmp_path / "out", (tmp_path / "one.json", tmp_path / "two.json")))


@pytest.mark.parametrize("metric", [Squad(), Coqa()])
def test_work_grows_with_the_number_of_lines(metric):
    def score(lines):
        answers = [f"the answer number {number % 97} of many" for number in range(lines)]
        references = [[f"answer {number % 13}\tnumber {number % 97}"] for number in range(lines)]
        assert 0 < metric.examples(answers, references).figures()["f1"] < 100

    assert calls(lambda: score(2000)) < 2.2 * calls(lambda: score(1000))
