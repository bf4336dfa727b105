"""python -m s2sft_fairseq.evaluate: tables, JSON, single scores, the paired test, and what a user may do wrong."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import sacrebleu
from commands import mistake, random_lines, run, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.common.text_lines import read_all_lines
from s2sft_fairseq.evaluate import main
from s2sft_fairseq.metrics import METRICS, bootstrap
from s2sft_fairseq.metrics.metric import Means

COMMAND = ["python", "-m", "s2sft_fairseq.evaluate"]
HYPOTHESES = ["the cat sat", "dogs bark loudly", "a bird"]
REFERENCES = ["the cat sat down", "the dogs bark", "no match here"]
Evaluate = Callable[..., Dict[str, Any]]


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    """Writes lines to files, scores them and returns what the JSON says."""

    def score(*options: object, hypothesis: Any = HYPOTHESES, reference: Any = REFERENCES) -> Dict[str, Any]:
        ours, theirs = write_lines(tmp_path / "hyp", hypothesis), write_lines(tmp_path / "ref", reference)
        words = ["--hypothesis", ours, "--reference", theirs, "--json", tmp_path / "found.json", *options]
        main([str(word) for word in words])
        found: Dict[str, Any] = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
        return found

    return score


def test_table_and_json(evaluate: Evaluate, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluate("--metric", "rouge")
    table = capsys.readouterr().out.splitlines()
    assert found["examples"] == 3 and found["metric"] == "rouge" and table[0] == "rouge, 3 examples"
    assert [row.split()[0] for row in table[2:]] == list(found["figures"])
    for row in table[2:]:
        figure = found["figures"][row.split()[0]]
        assert figure["low"] <= figure["value"] <= figure["high"]
        numbers = [float(cell.strip("[],")) for cell in row.split()[1:]]
        assert numbers == pytest.approx([figure[name] for name in ("value", "low", "high")], abs=0.0006)


def test_json_alone_on_standard_output(evaluate: Evaluate, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate("--metric", "rouge", "--resamples", 0)
    capsys.readouterr()
    main(f"--metric bleu --resamples 0 --json - --hypothesis {__file__} --reference {__file__}".split())
    assert json.loads(capsys.readouterr().out)["figures"]["bleu"]["value"] == pytest.approx(100)


def test_each(evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate("--metric", "rouge", "--each", tmp_path / "each.tsv")
    table = (tmp_path / "each.tsv").read_text(encoding="utf-8")
    capsys.readouterr()
    evaluate("--metric", "rouge", "--each", "-")
    assert capsys.readouterr().out == table
    header, *rows = [line.split("\t") for line in table.splitlines()]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    recall = header.index("rouge_1_recall")
    assert [float(row[recall]) for row in rows] == pytest.approx([75, 66.667, 0])


def test_compare(evaluate: Evaluate, tmp_path: Path) -> None:
    """A system that is always better is better beyond doubt; one is not better than itself."""
    references = random_lines(40, seed=1, shortest=4)
    write_lines(tmp_path / "worse", [line.replace("w1", "x") for line in references])
    found = evaluate("--metric", "rouge", "--compare", tmp_path / "worse", hypothesis=references, reference=references)[
        "differences"
    ]["rouge_1"]
    assert 0 < found["low"] <= found["value"] <= found["high"] and found["p"] < 0.01
    same = evaluate("--metric", "rouge", "--compare", tmp_path / "hyp", hypothesis=references, reference=references)
    assert same["differences"]["rouge_1"] == {"value": 0, "low": 0, "high": 0, "p": 1}


def test_the_difference_is_ours_minus_theirs(evaluate: Evaluate, tmp_path: Path) -> None:
    found = evaluate("--metric", "bleu", "--compare", write_lines(tmp_path / "other", REFERENCES))
    ours, theirs = (found[name]["bleu"]["value"] for name in ("figures", "other_figures"))
    assert found["differences"]["bleu"]["value"] == pytest.approx(ours - theirs) and ours < theirs


def test_samples_without_a_value_say_nothing_of_the_difference() -> None:
    ours, theirs = np.array([1.0, 2.0, np.nan, 4.0]), np.array([0.0, 4.0, 1.0, np.nan])
    assert bootstrap.difference(1.0, ours, theirs) == bootstrap.Difference(1.0, bootstrap.Interval(-2, 1), 1.0)
    for value, none in ((1.0, np.full(4, np.nan)), (np.nan, ours)):
        found = bootstrap.difference(value, ours, none)
        assert np.isnan([*found.interval, found.p]).all()


def test_a_figure_that_one_system_lacks(evaluate: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Predictions with fractions have no accuracy."""
    pytest.importorskip("sklearn")
    labels, fractions = ["1", "2", "3", "1"], write_lines(tmp_path / "fractions", ["1.5", "2", "3", "1"])
    found = evaluate("--metric", "glue", "--compare", fractions, hypothesis=labels, reference=labels)
    assert set(found["differences"]) == set(found["other_figures"]) == {"pearson", "spearman"}
    assert "accuracy" in found["figures"] and "accuracy" in capsys.readouterr().out


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_false_alarms_are_rare(seed: int) -> None:
    """Two systems of equal quality on 100 examples: p is seldom small, and the interval is about four errors wide."""
    ours, theirs = np.random.default_rng(seed).normal(size=(2, 100))
    systems = [Means({"score": values}) for values in (ours, theirs)]
    samples = [bootstrap.resampled(system, resamples=300)["score"] for system in systems]
    found = bootstrap.difference(float(ours.mean() - theirs.mean()), *samples)
    error = (ours - theirs).std() / 10
    assert found.interval.high - found.interval.low == pytest.approx(4 * error, rel=0.3)
    assert (found.p < 0.05) == (abs(found.value) > 2 * error) or 1.6 < abs(found.value) / error < 2.4


odd_lines = st.lists(st.text(alphabet="ab .,é中", max_size=12), min_size=3, max_size=3)


@given(odd_lines, odd_lines, odd_lines)
@settings(deadline=None)
def test_sacrebleu(hypotheses: List[str], first: List[str], second: List[str]) -> None:
    """Figures over all examples and over a sample of them are sacreBLEU's, with two references."""
    metrics = {"bleu": METRICS["bleu"](tokenize="13a"), "chrf": METRICS["chrf"]()}
    for name, reference in (("bleu", sacrebleu.corpus_bleu), ("chrf", sacrebleu.corpus_chrf)):
        examples = metrics[name].examples(hypotheses, list(zip(first, second)))
        rows = np.array([2, 0, 2])
        drawn = [[texts[row] for row in rows] for texts in (hypotheses, first, second)]
        assert examples.figures()[name] == pytest.approx(reference(hypotheses, [first, second]).score)
        assert examples.figures(rows)[name] == pytest.approx(reference(drawn[0], drawn[1:]).score)
        sentence = getattr(sacrebleu, f"sentence_{name}")
        alone = [sentence(text, list(texts)).score for text, texts in zip(hypotheses, zip(first, second))]
        assert examples.each()[name] == pytest.approx(alone)


def test_options_of_a_metric(evaluate: Evaluate) -> None:
    options = ("--metric", "bleu", "--resamples", 0)
    assert (
        evaluate(*options, "--lowercase", hypothesis=[r.upper() for r in REFERENCES])["figures"]["bleu"]["value"] > 99
    )
    assert evaluate(*options, hypothesis=[r.upper() for r in REFERENCES])["figures"]["bleu"]["value"] < 10


def test_what_fairseq_generate_wrote(evaluate: Evaluate) -> None:
    """The best detokenized output of each example, in the order of the input."""
    lines: List[str] = []
    for number in (2, 0, 1):
        lines += [f"S-{number}\tsource", f"T-{number}\ttarget", f"H-{number}\t-0.5\tpie ##ces"]
        lines += [f"D-{number}\t-0.5\t{HYPOTHESES[number]}", f"P-{number}\t-0.5 -0.5"]
        lines += [f"H-{number}\t-0.9\tsecond", f"D-{number}\t-0.9\tsecond best"]
    generated = evaluate("--metric", "rouge", hypothesis=["a line of the log", *lines, "Generate test"])
    assert generated["figures"] == evaluate("--metric", "rouge")["figures"]


def test_lines_of_a_file(tmp_path: Path) -> None:
    """Neither a byte order mark nor a carriage return is text; an empty line is an example."""
    (tmp_path / "text").write_bytes("\ufeffa\u2028b\r\n\r\n\nc".encode())
    assert read_all_lines(tmp_path / "text") == ["a\u2028b", "", "", "c"]


def test_sacrebleus_signature(evaluate: Evaluate, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluate("--metric", "bleu", "--lowercase")
    metric = sacrebleu.BLEU(lowercase=True)
    metric.corpus_score(HYPOTHESES, [REFERENCES])
    assert found["signature"] == str(metric.get_signature()) and found["signature"] in capsys.readouterr().out


def test_several_references(evaluate: Evaluate, tmp_path: Path) -> None:
    exact = write_lines(tmp_path / "exact", HYPOTHESES)
    found = evaluate("--metric", "chrf", "--reference", write_lines(tmp_path / "other", REFERENCES), exact)
    assert found["figures"]["chrf"]["value"] == pytest.approx(100)
    assert evaluate("--metric", "chrf")["figures"]["chrf"]["value"] < 80


def test_postprocess(evaluate: Evaluate) -> None:
    sentences = "one two three four five [X_SEP] six seven eight nine ten"
    reference = "six seven eight nine ten <S_SEP> one two three four five"
    found = evaluate("--metric", "rouge", "--postprocess", "cnndm", hypothesis=[sentences], reference=[reference])
    assert found["figures"]["rouge_lsum"]["value"] == 100 and found["figures"]["rouge_l"]["value"] == pytest.approx(50)
    cut = evaluate(
        "--metric", "rouge", "--postprocess", "cnndm", "--trunc-len", 5, hypothesis=[sentences], reference=[reference]
    )
    assert cut["figures"]["rouge_1_recall"]["value"] == pytest.approx(50)


def test_a_line_ends_at_a_line_feed_alone(evaluate: Evaluate) -> None:
    assert evaluate("--metric", "rouge", hypothesis=["a\u2028b\x0bc\x85d\r"], reference=["a b c d"])["examples"] == 1


MISTAKES = {
    "no such metric": (["--metric", "rogue"], None, "no such metric; expected one of .*rouge"),
    "line counts": ([], ["one"], "hyp has 1 lines but .*ref has 3; expected one line of each per example"),
    "nothing": ([], [], "hyp has 0 lines"),
    "output missing": ([], ["H-0\t-1\ta", "H-2\t-1\tb"], "no output for example 1"),
    "nothing to cut": (["--trunc-len", 5], None, "--trunc-len needs --postprocess STEP, whose result it cuts"),
    "no file to write": (["--each", "/"], None, "/ is not a file"),
    "no file": (["--compare", "nowhere"], None, "nowhere cannot be read: No such file"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, evaluate: Evaluate) -> None:
    options, hypothesis, message = MISTAKES[name]
    with pytest.raises(UserError, match=message) as error:
        evaluate("--metric", "rouge", *options, hypothesis=HYPOTHESES if hypothesis is None else hypothesis)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("option", ["--resamples", "--trunc-len"])
def test_numbers_below_zero(option: str, evaluate: Evaluate, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        evaluate("--metric", "rouge", "--postprocess", "wordpiece", option, -1)
    assert f"argument {option}: -1; expected at least 0" in capsys.readouterr().err


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "latin1").write_bytes("déjà\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin1: line 1 is not valid UTF-8 \(byte 0xe9"):
        main(f"--metric rouge --hypothesis {tmp_path / 'latin1'} --reference {tmp_path / 'latin1'}".split())


def test_help_lists_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["--metric", "rouge", "--help"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        told = capsys.readouterr().out
        assert end.value.code == 0 and all(metric.summary in told for metric in METRICS.values())
        assert ("--sentence-separator" in told) == (len(words) > 1)


@pytest.mark.slow
def test_as_a_command(tmp_path: Path) -> None:
    """10^5 lines pass, and a mistake is one line."""
    lines = write_lines(tmp_path / "lines", random_lines(100_000, seed=0))
    command = [*COMMAND, "--metric", "rouge", "--hypothesis", lines, "--reference"]
    assert "rouge_lsum " in run([*command, lines]).out
    assert "no such file" in mistake([*command, tmp_path / "nowhere"]).lower()


def test_what_has_no_value_is_null(evaluate: Evaluate, tmp_path: Path) -> None:
    """A correlation with a constant, in JSON that every reader takes."""
    pytest.importorskip("sklearn")
    found = evaluate("--metric", "glue", hypothesis=["1.5"] * 3, reference=["0.5", "1.5", "2.5"])
    assert found["figures"]["pearson"] == {"value": None, "low": None, "high": None}
    assert "NaN" not in (tmp_path / "found.json").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="does not score single examples"):
        evaluate("--metric", "glue", "--each", tmp_path / "each.tsv", hypothesis=["1.5"], reference=["1.5"])


def test_variety_has_no_interval(evaluate: Evaluate) -> None:
    """A response that is drawn twice would look like a repetition."""
    pytest.importorskip("nltk")
    responses = [f"word{number} and another one" for number in range(8)]
    figures = evaluate("--metric", "dialogue", hypothesis=responses, reference=responses)["figures"]
    assert set(figures["distinct_1"]) == {"value"}
    assert set(figures["length"]) == {"value", "low", "high"}
