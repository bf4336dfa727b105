"""Reranking n-best lists: what the definitions choose, what the search itself would have chosen, and bad files."""

import math
from pathlib import Path
from typing import Any, Dict, List, Sequence

import pytest
from builders import METHODS
from commands import flags, generate_command, hypotheses, mistake, run, write_lines
from search_models import Hypothesis, decided_model, generate, some_sources

from s2sft_fairseq import rerank
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.search.nbest import NBestHypothesis, read_nbest

CALL = ["python", "-m", "s2sft_fairseq.rerank"]


def printed(number: int, hypotheses: Sequence[NBestHypothesis]) -> List[str]:
    """What fairseq-generate prints of an n-best list: scores in base 2, of the tokens to four places."""
    lines = []
    for text, log_probability, length in hypotheses:
        share = log_probability / length / math.log(2)
        tokens = " ".join([f"{share:.4f}"] * length)
        lines += [f"H-{number}\t{share}\t## {text}", f"D-{number}\t{share}\t{text}", f"P-{number}\t{tokens}"]
    return lines


def write_traces(path: Path, lists: Sequence[Sequence[NBestHypothesis]], references: Sequence[str] = ()) -> Path:
    """A file of n-best lists among lines of the log, the last input first."""
    blocks = [[f"S-{n}\tsource", *printed(n, hypotheses)] for n, hypotheses in enumerate(lists)]
    for number, reference in enumerate(references):
        blocks[number].insert(1, f"T-{number}\t{reference}")
    lines = [line for block in reversed(blocks) for line in block]
    return write_lines(path, ["2026-01-01 | INFO | fairseq_cli.generate | H-0", *lines, "Generate test with beam=5"])


def reranked(test: Path, **options: Any) -> List[str]:
    """The lines that the command writes."""
    output = test.parent / "out" / "test.hyp"
    rerank.main([str(word) for word in ["--test", test, "--output", output, *flags(options)]])
    assert list(output.parent.iterdir()) == [output]
    return output.read_text(encoding="utf-8").splitlines()


SHORT, MIDDLE, LONG = (
    NBestHypothesis("short", -2.0, 2),
    NBestHypothesis("of middle length", -3.0, 4),
    NBestHypothesis("a long one", -11.0, 13),
)


@pytest.mark.parametrize(
    ("options", "best"),
    [
        (dict(by="gnmt", weight=0), SHORT),
        (dict(by="gnmt", weight=1), SHORT),  # −2/1.167 = −1.71, −3/1.5 = −2, −11/3 = −3.67
        (dict(by="gnmt", weight="1.8"), MIDDLE),  # −1.52, −1.45, −1.52
        (dict(by="gnmt", weight="2.5"), LONG),  # −1.36, −1.09, −0.71
        (dict(by="length-reward", weight="0.4"), SHORT),  # −1.2, −1.4, −5.8
        (dict(by="length-reward", weight="0.6"), MIDDLE),  # −0.8, −0.6, −3.2
        (dict(by="length-reward", weight="1.1"), LONG),  # 0.2, 1.4, 3.3
        (dict(by="length-reward", weight="0.1", expected_length=13), SHORT),  # −3.1, −3.9, −11
        (dict(by="length-reward", weight="1", expected_length=4), MIDDLE),  # −4, −3, −20
        (dict(by="length-reward", weight="2", expected_length=13), LONG),  # −24, −21, −11
    ],
    ids=str,
)
def test_by_hand(tmp_path: Path, options: Dict[str, object], best: NBestHypothesis) -> None:
    """Three hypotheses of 2, 4 and 13 tokens, whatever their order."""
    lists = [[SHORT, MIDDLE, LONG], [LONG, MIDDLE, SHORT]]
    assert reranked(write_traces(tmp_path / "t", lists), **options) == [best.text] * 2


def test_what_is_read(tmp_path: Path) -> None:
    """Lists of different lengths, in the order of the inputs, with the references; the log is no trace."""
    lists = [[SHORT], [LONG, MIDDLE], [MIDDLE, SHORT, LONG]]
    found = read_nbest(write_traces(tmp_path / "t", lists, ["one", "", "three"]))
    assert found.references == ["one", "", "three"]
    for traces, expected in zip(found.hypotheses, lists):
        assert [(t.text, t.length) for t in traces] == [(t.text, t.length) for t in expected]
        assert [t.log_probability for t in traces] == pytest.approx([t[1] for t in expected], abs=1e-3)


@pytest.mark.parametrize(
    ("reference", "weight", "best"),
    [("short", 0.0, "short"), ("of middle length", 1.7, "of middle length"), ("a long one", 1.9, "a long one")],
)
def test_the_development_set_chooses_the_weight(
    tmp_path: Path, capsys: pytest.CaptureFixture, reference: str, weight: float, best: str
) -> None:
    """The smallest of the best weights, by references in the traces or beside them."""
    dev = write_traces(tmp_path / "dev", [[SHORT, MIDDLE, LONG]] * 3, [reference] * 3)
    test = write_traces(tmp_path / "test", [[MIDDLE, SHORT, LONG]] * 2)
    options = dict(by="gnmt", metric="rouge:rouge_1")
    assert reranked(test, dev=dev, **options) == [best] * 2
    told = capsys.readouterr().out
    assert f"by gnmt {weight:g}" in told and "gnmt 0.1: rouge:rouge_1" in told
    plain = write_traces(tmp_path / "plain", [[SHORT, MIDDLE, LONG]] * 3)
    references = write_lines(tmp_path / "references", [reference] * 3)
    assert reranked(test, dev=plain, dev_references=references, **options) == [best] * 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("alpha", [0.7, 1.6])
def test_offline_equals_online(tmp_path: Path, method: str, alpha: float) -> None:
    """Where both see the same hypotheses: a beam that holds all of them."""
    lists, best = [], []
    for seed in range(8):
        model = decided_model(method, seed=seed)
        sources = some_sources(model, count=4, seed=seed)
        wide: Dict[str, Any] = dict(beam_size=40, min_len=1, max_len_b=3)
        lists += map(traces, generate(model, sources, normalize_scores=False, **wide))
        best += map(traces, generate(model, sources, length_penalty_type="gnmt", len_penalty=alpha, **wide))
    online = [found[0].text for found in best]
    assert online != [found[0].text for found in lists], "the penalty changes nothing, so this tells nothing"
    assert reranked(write_traces(tmp_path / "t", lists), by="gnmt", weight=alpha) == online


def traces(found: Sequence[Hypothesis]) -> List[NBestHypothesis]:
    """Hypotheses with unnormalized scores as traces."""
    return [NBestHypothesis(" ".join(map(str, h.tokens)), h.score, len(h.tokens)) for h in found]


DAMAGED = [
    (["nothing", "of the kind"], "no H- lines"),
    (["H-0\t-1.0\ta", "P-0\t-1.0", "H-2\t-1.0\ta", "P-2\t-1.0"], "no hypothesis for input 1"),
    (["H-0\t-1.0\ta"], "has no P- line"),
    (["H-0\t-1.0\ta", "P-0\t-1.0 -0.5x"], "line 2 .* damaged: could not convert"),
    (["H-0\t-1.0\ta", "P-0\t"], "line 2 .* expected scores"),
    (["P-0\t-1.0", "H-0\t-1.0\ta"], "line 1 .* expected an H- line before it"),
    (["H-0\t-1.0"], "line 1 .* expected a score and a text"),
]


@pytest.mark.parametrize(("lines", "says"), DAMAGED, ids=lambda value: "" if isinstance(value, list) else value)
def test_damaged_traces(tmp_path: Path, lines: List[str], says: str) -> None:
    path = write_lines(tmp_path / "t", lines)
    with pytest.raises(UserError, match=says):
        reranked(path, by="gnmt", weight=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(), "either --weight W or --dev FILE"),
        (dict(weight=1, dev="{dev}"), "either --weight W or --dev FILE"),
        (dict(weight=1, expected_length=3), "--expected-length belongs to --by length-reward"),
        (dict(dev="{dev}"), "no T- lines"),
        (dict(dev="{dev}", dev_references="{short}"), "1 lines but .* for 2 inputs"),
        (dict(dev="{dev}", metric="rogue"), "no such metric; expected one of"),
        (dict(dev="{dev}", dev_references="{two}", metric="rouge:rouge9"), "no such figure; expected one of rouge_1"),
        (dict(dev="absent"), "absent"),
    ],
    ids=str,
)
def test_bad_flags(tmp_path: Path, options: Dict[str, Any], says: str) -> None:
    test = write_traces(tmp_path / "t", [[SHORT, LONG]] * 2)
    paths = dict(dev=test, short=write_lines(tmp_path / "short", ["a"]), two=write_lines(tmp_path / "two", ["a", "b"]))
    given = {name: str(value).format(**paths) for name, value in options.items()}
    with pytest.raises(UserError, match=says):
        reranked(test, **given)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_command(data: Path, imported: Dict[str, Path], tmp_path: Path) -> None:
    """From fairseq-generate's --results-path to a line for each input: as the search ranks its own list."""
    options = dict(beam=4, nbest=4, batch_size=32, unnormalized=True, results_path=tmp_path)
    run(generate_command(data, imported["infilling"], **options))
    run(generate_command(data, imported["infilling"], gen_subset="valid", **options))
    words = [
        "--dev",
        tmp_path / "generate-valid.txt",
        "--test",
        tmp_path / "generate-test.txt",
        "--by",
        "length-reward",
    ]
    assert "rouge:rouge_l" in run([*CALL, *words, "--output", tmp_path / "test.hyp"]).out
    lines = (tmp_path / "test.hyp").read_text().splitlines()
    listed = hypotheses((tmp_path / "generate-test.txt").read_text())
    assert len(lines) == 100
    assert all(line in [h.text for h in listed[number]] for number, line in enumerate(lines))
    wrong = [*CALL, *words, "--output", tmp_path / "x", "--metric", "rogue"]
    assert "no such metric" in mistake(wrong, fork=False)
    assert not (tmp_path / "x").exists()


def test_help_teaches(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="0"):
        rerank.main(["--help"])
    text = capsys.readouterr().out
    assert "--nbest 10 --unnormalized --results-path OUT" in text and "(default: rouge:rouge_l)" in text
