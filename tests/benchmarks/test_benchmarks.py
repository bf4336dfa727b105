"""The harness of the benchmarks: its arithmetic, its turns, its report; and all of it once, on the smallest load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import ROOT
from commands import run as run_command
from methods import METHODS
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import cases, results
from benchmarks.caches import megabytes
from benchmarks.curves import Curve, exponent
from benchmarks.processes import peak_memory, run
from benchmarks.protocol import Side, Spread, alternate, ratio
from benchmarks.results import Result, Row, Target, markdown, memory_row, speed_row
from benchmarks.shapes import TINY, Lengths, Shape, decoding_flops, head_flops, layer_flops, training_flops
from benchmarks.texts import fill_up
from s2sft_fairseq.text.dictionary import PretrainedDictionary


def test_all_sides_are_warmed_and_then_take_turns() -> None:
    turns = []
    sides = [Side(name, lambda name=name: turns.append(name), amount=2) for name in "ab"]
    rates = alternate(sides, rounds=3, title="")
    assert turns == [*"ab"] * 4
    assert {name: len(values) for name, values in rates.items()} == {"a": 3, "b": 3}


def test_a_log_shows_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Where standard error is no terminal, as here."""
    alternate([Side("ours", lambda: None, amount=1)], rounds=2, title="train")
    assert capsys.readouterr().err.splitlines() == [f"train: {step} of 3" for step in (1, 2, 3)]


def test_ratios_are_taken_within_a_round() -> None:
    """The machine was three times as slow in the second round: across rounds, nothing could be said."""
    rates = {"ours": [30.0, 10.0, 32.0], "peer": [20.0, 5.0, 16.0]}
    assert ratio(rates, "ours", "peer") == Spread(median=2.0, low=1.5, high=2.0)


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0])
def test_exponent_of_a_power_is_the_power(power: float) -> None:
    x = [8, 16, 32, 64]
    assert exponent(x, [7 * size**power for size in x]) == pytest.approx(power, abs=1e-9)


def test_end_of_a_curve_shows_what_its_start_hides() -> None:
    """A fixed cost flattens the start of quadratic growth."""
    x = [1, 10, 100, 1000]
    curve = Curve("", "", "", x, [1000 + size**2 for size in x], [size**2 for size in x], "")
    assert curve.exponent < 1.1 < 1.9 < curve.end_exponent
    assert curve.expected_exponent == pytest.approx(2)


@pytest.mark.parametrize(
    ("target", "met", "missed"), [(Target(1.3), [1.3, 2], [1.29]), (Target(300, at_least=False), [300, 1], [301])]
)
def test_a_target_bounds_from_one_side(target: Target, met: list, missed: list) -> None:
    assert all(target.met_by(value) for value in met)
    assert not any(target.met_by(value) for value in missed)


def test_a_row_is_judged_by_its_ratio_and_without_one_by_its_figure() -> None:
    rates = {"ours": [30.0], "peer": [20.0]}
    assert speed_row("", "", rates, "ours", "peer", Target(1.4)).met is True
    assert speed_row("", "", rates, "ours", "peer", Target(1.6)).met is False
    assert memory_row("", {"ours": 3.0, "peer": 2.0}, "ours", "peer", Target(1.4, at_least=False)).met is False
    assert Row("", "MB", 250, target=Target(300, at_least=False)).met is True
    assert Row("", "MB", 250).met is None


def test_the_report_shows_figures_spread_target_and_what_was_not_measured() -> None:
    row = Row("beam 5", "sentences/s", 12.345, 1234.5, "BART", Spread(0.01, 0.005, 0.02), Target(1.6))
    report = markdown({"a": Result("A", [row], notes=["Remark."]), "b": Result("B", skipped="no GPU")}, {"cores": "2"})
    assert "| beam 5 | sentences/s | 12.3 | 1,234 (BART) | 0.01× (0.01 to 0.02) | ≥ 1.6 | **no** |" in report
    assert "- cores: 2" in report and "\n\nRemark.\n" in report and "Not measured: no GPU" in report


def test_results_survive_json() -> None:
    curve = Curve("t", "x", "y", [1, 2], [1, 2], [1, 2], "why")
    found = Result("A", [Row("w", "u", 1, target=Target(2))], [curve]).as_json()
    assert json.loads(json.dumps(found)) == found
    assert found["rows"][0]["met"] is False and found["curves"][0]["exponent"] == pytest.approx(1)


def test_operations_are_those_that_torch_counts() -> None:
    from transformers import BertConfig, BertForMaskedLM

    shape, batch, length = Shape(layers=3, hidden=32, heads=4, vocabulary=50), 2, 7
    config = BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
    )
    bert = BertForMaskedLM._from_config(config, attn_implementation="eager").eval()
    with FlopCounterMode(display=False) as counter:
        bert(torch.ones(batch, length, dtype=torch.int64))
    one = layer_flops(shape, rows=length, pairs=length**2) + head_flops(shape, length)
    assert counter.get_total_flops() == batch * one


def test_training_takes_three_forward_passes_and_decoding_reads_the_source_once() -> None:
    source = layer_flops(TINY, rows=5, pairs=25)
    assert training_flops(TINY, source=5, rest=0, labels=2) == 3 * (source + head_flops(TINY, 2))
    one, three = (decoding_flops(TINY, source=5, length=4, beam=beam) for beam in (1, 3))
    assert three - source == 3 * (one - source)


def test_shared_memory_counts_once() -> None:
    block = torch.zeros(2**18)  # 1 MB
    assert megabytes({"a": [block, block[:4]], "b": (block.view(2, -1),)}) == 1
    assert megabytes([block, block.clone()]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_peak_memory_is_that_of_its_block_though_freed() -> None:
    with peak_memory() as first:
        torch.ones(64 * 2**18)  # 64 MB, gone at once
    with peak_memory() as second:
        torch.ones(16 * 2**18)
    assert 60 < first.mb < 100
    assert second.mb < 40


def test_a_command_is_measured_and_its_failure_shown(capsys: pytest.CaptureFixture) -> None:
    used = run([sys.executable, "-c", "block = bytearray(300 * 2**20); print('done')"])
    assert 300 < used.peak < 400
    assert 0 < used.cpu <= used.wall * 2
    with pytest.raises(subprocess.CalledProcessError):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"])
    assert "no such thing" in capsys.readouterr().err


def test_a_filled_up_vocabulary_keeps_its_ids(tmp_path: Path) -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word"]
    before = PretrainedDictionary(tokens)
    path = tmp_path / "dict.src.txt"
    before.save(str(path))
    fill_up([path], 20)
    after = PretrainedDictionary.load(path)
    assert len(after) == 20 and after.symbols[: len(tokens)] == tokens


def test_every_case_is_listed_and_says_what_it_measures() -> None:
    files = {path.stem for path in Path(cases.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == set(cases.CASES) >= set(cases.MAIN_CASES)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*METHODS, "BERT2BERT", "BART"])
def test_contestants_learn_and_write_as_many_tokens_as_they_are_told(name: str) -> None:
    from benchmarks import contestants
    from benchmarks.ours import builder_of_batches, random_sample

    lengths = Lengths(source=12, target=9)
    method = name if name.islower() else "causal"
    sample = random_sample(builder_of_batches(TINY, method, lengths), source=12, target=9, size=3)
    assert sample["net_input"]["src_tokens"].shape == (3, 12) and sample["target"].shape == (3, 9)
    one = contestants.build(name, TINY, lengths)
    before = one.loss(sample).item()
    optimizer = torch.optim.AdamW(one.model.parameters(), lr=1e-2)
    contestants.train(one, [sample] * 20, optimizer)
    assert one.loss(sample).item() < before
    one.model.eval()
    found = one.decode(sample, 2, 6)
    written = [best[0]["tokens"] for best in found] if isinstance(found, list) else found[:, 1:]
    assert [len(tokens) for tokens in written] == [6] * 3


@pytest.mark.slow
@pytest.mark.long
def test_the_command_measures_every_case_and_names_no_path(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    command = [sys.executable, "benchmarks/run.py", "--smallest", "--to", tmp_path / "found"]
    said = run_command(command, fork=False).err
    assert all(f", {name}: " in said for name in cases.CASES)
    text = (tmp_path / "found" / "results.json").read_text()
    found = json.loads(text)
    assert list(found["cases"]) == list(cases.CASES)
    for name, case in found["cases"].items():
        assert case["rows"] or case["curves"] or case["skipped"], name
        for row in case["rows"]:
            assert row["ours"] > 0 or name in ("startup", "vocabulary"), row
    report = (tmp_path / "found" / "results.md").read_text()
    assert not any(part in text + report for part in (str(ROOT), str(Path.home()), str(tmp_path)))
    plots = {path.name for path in (tmp_path / "found").glob("*.svg")}
    assert {"train-ratios.svg", "decode-ratios.svg", "growth-curves.svg"} <= plots


def test_a_case_that_cannot_run_here_is_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.cases import FULL, Settings, gpu

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(results.NotMeasuredError, match="beam 5 at batch 64"):
        gpu.measure(Settings(FULL, 1))
