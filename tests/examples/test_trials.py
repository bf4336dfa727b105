"""Several trainings of a recipe: points and seeds, what the development set chooses, means, and going on."""

import itertools
import json
import re
import shlex
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Tuple

import commands
import execution
import pytest
import run as driver
from fairseq import options
from raw_records import publish
from recipes import choose, recipes, tasks
from stages import ALL_STAGES, Setting, schedule
from trials import Figures, Point, averaged, best, grid_rows, points

from s2sft_fairseq.training.validation_options import check_validation

RATES = ("1e-2", "1e-5")


def setting(folder: Path, **given: object) -> Setting:
    recipe = choose("gigaword-fr")
    return Setting(recipe, folder / "raw", folder / "model", folder / "work", **given)  # type: ignore[arg-type]


def write_figures(run: Setting, **values: float) -> None:
    run.figures.parent.mkdir(parents=True, exist_ok=True)
    run.figures.write_text(json.dumps({"figures": {name: {"value": value} for name, value in values.items()}}))


def on_development(grid: List[Point], values: Dict[str, List[float]]) -> None:
    """Writes ROUGE-L for each point's trainings."""
    for point in grid:
        for trial, value in zip(point.runs, values[point.name]):
            write_figures(replace(trial, split="valid"), rouge_l=value, rouge_1=value + 1)


def test_points_are_all_combinations(tmp_path: Path) -> None:
    grid = points(setting(tmp_path, seed=3), ["lr=1e-4,2e-4", "epochs=5,7"], runs=2)
    assert [point.name for point in grid] == [
        f"lr {rate}, epochs {epochs}" for rate, epochs in itertools.product(("1e-4", "2e-4"), (5, 7))
    ]
    for point in grid:
        assert [trial.seed for trial in point.runs] == [3, 4]
    (words,) = ALL_STAGES["train"](grid[1].runs[1])
    assert words[words.index("--lr") + 1] == "1e-4"
    assert words[words.index("--seed") + 1] == "4"
    assert words[words.index("--save-dir") + 1].endswith("trials/lr-1e-4_epochs-7/seed-4/checkpoints")
    assert schedule(grid[1].runs[0])["max-update"] == 7 * -(-500_000 // 64)


def test_the_grid_of_the_paper(tmp_path: Path) -> None:
    assert len(points(setting(tmp_path), [], runs=1)) == 3 * 4 * 4
    assert len(points(setting(tmp_path, epochs=1), [], runs=1)) == 3 * 4


def test_runs_alone_are_one_point(tmp_path: Path) -> None:
    (point,) = points(setting(tmp_path), None, runs=3)
    assert [trial.trial for trial in point.runs] == [tmp_path / "work" / "trials" / f"seed-{n}" for n in (1, 2, 3)]
    assert best([point]) is point


@pytest.mark.parametrize("word", ["lr", "lr=", "lr=1e-5,", "speed=3", "epochs=many", "epochs=0"])
def test_mistakes_end_with_one_line(tmp_path: Path, word: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(f"--grid {word}; expected")):
        points(setting(tmp_path), [word], runs=1)


def test_a_paper_without_a_grid(tmp_path: Path) -> None:
    run = replace(setting(tmp_path), recipe=choose("gigaword", paper="unilm"))
    with pytest.raises(SystemExit, match="unilm names no values to choose from; name them: --grid lr=2e-5,3e-5"):
        points(run, [], runs=1)


def test_the_best_mean_on_the_development_set_is_chosen(tmp_path: Path) -> None:
    """Not the best training, and not the first or the last point."""
    grid = points(setting(tmp_path), ["lr=1e-4,2e-4,3e-4"], runs=2)
    on_development(grid, {"lr 1e-4": [10.0, 50.0], "lr 2e-4": [35.0, 33.0], "lr 3e-4": [20.0, 21.0]})
    chosen = best(grid)
    assert chosen.name == "lr 2e-4"
    head, *rows = "\n".join(grid_rows(grid, chosen)).strip().splitlines()
    assert head == "gigaword-fr, development set: rouge_l chooses"
    assert rows[0].split() == ["rouge_l", "rouge_1", "rouge_2"]
    assert rows[1].split() == ["lr", "1e-4", *["30.000", "±", "28.284", "31.000", "±", "28.284", "not", "scored"]]
    assert rows[2].split() == ["*", "lr", "2e-4", *["34.000", "±", "1.414", "35.000", "±", "1.414", "not", "scored"]]
    assert len({len(row) for row in rows}) == 1


def test_means_are_of_the_figures_that_all_have() -> None:
    found: List[Figures] = [{"f": {"value": 1.0}, "g": {"value": 3.0}}, {"f": {"value": 2.0}}, {"f": {"value": 6.0}}]
    assert averaged(found) == {"f": {"value": 3.0, "deviation": pytest.approx(statistics.stdev([1, 2, 6]))}}
    assert averaged(found[:1]) == {"f": {"value": 1.0}, "g": {"value": 3.0}}


def test_choosing_needs_all_figures(tmp_path: Path) -> None:
    grid = points(setting(tmp_path), ["lr=1e-4,2e-4"], runs=1)
    with pytest.raises(SystemExit, match=r"figures.valid.json is missing; expected the figures of this training"):
        best(grid)


def test_the_mean_stands_beside_what_was_published(tmp_path: Path) -> None:
    figures = {"rouge_1": {"value": 40.5, "deviation": 0.25}, "rouge_2": {"value": 20.0, "deviation": 0.0}}
    _, _, head, *rows = driver.comparison(setting(tmp_path), figures).splitlines()
    assert [row.split() for row in rows] == [
        ["rouge_1", "57.950", "40.500", "±", "0.250"],
        ["rouge_2", "41.300", "20.000", "±", "0.000"],
        ["rouge_l", "54.540", "not", "scored"],
    ]
    assert len({len(row) for row in (head, *rows)}) == 1


@pytest.mark.parametrize(("best_one", "name"), [(True, "best"), (False, "last")])
def test_checkpoint_of_the_development_set(tmp_path: Path, best_one: bool, name: str) -> None:
    """Validation generates for it, and what is kept is what generates."""
    run = setting(tmp_path, best=best_one)
    (train,), (generate,) = ALL_STAGES["train"](run), ALL_STAGES["generate"](run)
    assert generate[generate.index("--checkpoint") + 1].endswith(f"checkpoint_{name}.pt")
    assert ("--eval-metric" in train) == ("--maximize-best-checkpoint-metric" in train) == best_one
    if best_one:
        assert train[train.index("--best-checkpoint-metric") + 1] == "rouge_l"
        assert json.loads(train[train.index("--eval-metric-args") + 1]) == {"rouge": {"words": "any"}}
        assert json.loads(train[train.index("--eval-generation-args") + 1]) == {"beam": 1, "max_len_b": 47}


@pytest.mark.parametrize("task", tasks())
def test_training_accepts_the_figure_that_chooses(task: str, tmp_path: Path) -> None:
    """It is logged at validation, and is among those of the final scores."""
    for recipe in recipes(task):
        (words,) = ALL_STAGES["train"](replace(setting(tmp_path), recipe=recipe))
        parsed = options.parse_args_and_arch(options.get_training_parser(), words[1:])
        check_validation(parsed, logged=["loss", "nll_loss"])
        assert recipe.chosen_by in recipe.expected


def drive(monkeypatch: pytest.MonkeyPatch, folder: Path, encoder: Path, *more: str) -> None:
    """Runs the driver in this process."""
    files = ["--raw", folder / "raw", "--pretrained", encoder, "--work", folder / "work"]
    less = ["--limit", 8, "--epochs", 2, "--cpu"]
    monkeypatch.setattr("sys.argv", list(map(str, ["run.py", "gigaword-fr", *files, *less, *more])))
    driver.main()


@pytest.mark.parametrize("more", [(), ("--runs", "2")])
def test_without_a_grid_nothing_is_to_be_chosen(
    more: Tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        drive(monkeypatch, tmp_path, tmp_path, "--stage", "develop", *more)
    assert capsys.readouterr().err.strip().endswith("on the development set; add --grid")


def figures_in(work: Path, rate: str, name: str) -> List[Figures]:
    """The figures of every training with a learning rate that has such a file."""
    found = sorted((work / "trials" / f"lr-{rate}").glob(f"*/{name}"))
    return [json.loads(path.read_text())["figures"] for path in found]


@pytest.mark.slow
def test_a_grid_of_two_points_and_two_runs(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four trainings; the best point alone is tested; interrupted, it goes on where it was."""
    publish("headlines-fr", tmp_path / "raw")
    ran: List[str] = []

    def execute(line: str) -> None:
        ran.append(line)
        if len(ran) == 9:
            raise KeyboardInterrupt
        commands.run(shlex.split(line))

    monkeypatch.setattr(execution, "execute", execute)
    asked = ("--grid", f"lr={','.join(RATES)}", "--runs", "2")
    drive(monkeypatch, tmp_path, bert, *asked, "--dry-run")
    shown = capsys.readouterr().out
    assert not ran and "== 4 trainings: 2 points, 2 seeds each" in shown
    assert (shown.count("$ fairseq-train "), shown.count("== develop in"), shown.count("== evaluate in")) == (4, 4, 2)
    with pytest.raises(KeyboardInterrupt):
        drive(monkeypatch, tmp_path, bert, *asked)
    drive(monkeypatch, tmp_path, bert, *asked)
    assert len(ran) == len(set(ran)) + 1, "only what was interrupted ran twice"
    check_tables(capsys.readouterr().out, tmp_path / "work" / choose("gigaword-fr").name)


def check_tables(said: str, work: Path) -> None:
    """The chosen point has the best mean on the development set; it alone was tested, and its means are shown."""
    means = {}
    for rate in RATES:
        developed = [one["rouge_l"]["value"] for one in figures_in(work, rate, "figures.valid.json")]
        assert len(developed) == 2
        means[rate] = statistics.fmean(developed)
        assert re.search(
            rf"^[* ] lr {rate} +{means[rate]:.3f} ± {statistics.stdev(developed):.3f} ", said, re.MULTILINE
        )
    chosen = max(RATES, key=lambda rate: means[rate])
    assert re.search(rf"^\* lr {chosen} ", said, re.MULTILINE)
    assert [len(figures_in(work, rate, "figures.json")) for rate in RATES] == [2 * (rate == chosen) for rate in RATES]
    values = [one["rouge_1"]["value"] for one in figures_in(work, chosen, "figures.json")]
    shown = f"{statistics.fmean(values):.3f} ± {statistics.stdev(values):.3f}"
    assert re.search(rf"^rouge_1 +57\.950 +{shown}$", said, re.MULTILINE)
    report = json.loads((work / "report.json").read_text())
    assert report["chosen"] == f"lr {chosen}" and set(report["development"]) == {f"lr {rate}" for rate in RATES}
    assert report["figures"]["rouge_1"]["value"] == pytest.approx(statistics.fmean(values))
