"""The experiments: every command parses, a step is run once, and the tables say what `evaluate` says."""

import re
import statistics
from pathlib import Path
from typing import Dict, List

import experiment_table
import pytest
import yaml
from experiment_commands import Step, fine_tune, monolingual, prepare, pretrain
from experiment_report import groups, report
from experiment_table import Experiments, Trial
from experiments import do
from fairseq import options

from s2sft_fairseq.generate import arguments as generate_arguments
from s2sft_fairseq.metrics.report import Report
from s2sft_fairseq.metrics.rouge import Rouge

ALL = Experiments(Path("work"))
SYSTEMS = [trial for trial in ALL.trials() if trial.seed == 1]
REFERENCES = ["the cat sat on the mat", "a dog barks", "open the file and read it"]
OUTPUTS = {
    ("plain", 1): ["the cat sat", "a dog", "open it"],
    ("plain", 2): ["a cat", "a dog barks", "read"],
    ("better", 1): ["the cat sat on a mat", "a dog barks", "open the file"],
    ("better", 2): ["the cat on the mat", "dog barks", "open the file and read"],
}


@pytest.mark.parametrize("trial", SYSTEMS, ids=lambda trial: f"{trial.corpus.work.name}-{trial.system}")
def test_commands_understand_the_settings(trial: Trial) -> None:
    ((train, generate),) = (step.commands for step in fine_tune(trial))
    parsed = options.parse_args_and_arch(options.get_training_parser(), train[1:])
    assert parsed.finetune_method == trial.train["finetune-method"]
    assert parsed.seed == trial.seed
    assert int(parsed.total_num_update) == parsed.max_update == trial.train["max-update"]
    assert generate_arguments(generate[3:]).beam == trial.generate["beam"]


@pytest.mark.parametrize("name", ALL.starts)
def test_pretraining_understands_the_settings(name: str) -> None:
    ((train, _),) = (step.commands for step in pretrain(ALL.starts[name]))
    parsed = options.parse_args_and_arch(options.get_training_parser(), train[1:])
    assert (parsed.task, parsed.objective) == ("s2s_pretraining", "ernie_gen")
    assert len(parsed.data.split(":")) == len(ALL.starts[name].texts)


def test_what_is_read_has_been_made() -> None:
    made = "".join(
        map(str, (command for corpus in ALL.corpora.values() for step in prepare(corpus) for command in step))
    )
    start = ALL.starts["spans"]
    made += "".join(str(step.commands) for step in monolingual(start))
    assert all(f"--to', '{corpus.raw}" in made for corpus in ALL.corpora.values())
    assert all(str(path) in made for path in (*start.shards, start.spans))
    assert all((start.corpus.work / text).name in made for text in start.texts)


def test_contrasts_name_systems() -> None:
    for table in ALL.settings["tables"].values():
        for pattern in {pattern for pair in table["contrasts"].values() for pattern in pair}:
            assert any(re.fullmatch(pattern.replace("*", ".*"), system) for system in table["systems"]), pattern


def test_a_step_is_run_once_and_again_after_a_failure(tmp_path: Path) -> None:
    count = f"open(r'{tmp_path / 'count'}', 'a').write('x')"
    good, bad = (["python", "-c", program] for program in (count, "raise SystemExit(3)"))
    with pytest.raises(SystemExit, match=r"status 3; its output is in .*log\.txt: python"):
        do(Step(tmp_path / "one", [good, bad]), dry=False)
    for _ in range(2):
        do(Step(tmp_path / "one", [good]), dry=False)
    assert (tmp_path / "count").read_text() == "xx"
    with pytest.raises(SystemExit, match="was made with other options"):
        do(Step(tmp_path / "one", [bad]), dry=False)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiments:
    """One table of two systems, each with two seeds, and what they wrote."""
    table = {"corpora": ["pets"], "systems": {"plain": {}, "better": {}}, "contrasts": {"gain": ["bet*", "plain"]}}
    content = {
        "seeds": [1, 2, 3],
        "train": {},
        "generate": {},
        "corpora": {"pets": {"title": "Pets", "text": "", "encoder": "model"}},
        "pretraining": {"corpus": "pets", "texts": [], "train": {}, "starts": {}},
        "tables": {"small": table},
    }
    (tmp_path / "experiments.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setattr(experiment_table, "TABLES", tmp_path / "experiments.yaml")
    found = Experiments(tmp_path)
    for trial in found.trials():
        if (trial.system, trial.seed) in OUTPUTS:
            write(trial.outputs, OUTPUTS[trial.system, trial.seed])
    write(found.corpora["pets"].raw / "test.tgt", REFERENCES)
    write(found.corpora["pets"].raw / "test.src", [f"{line}. More of it." for line in REFERENCES])
    return found


def write(path: Path, lines: List[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def rouge(outputs: List[str]) -> Dict[str, float]:
    return Rouge().examples(outputs, [[line] for line in REFERENCES]).figures()


def test_report_gives_mean_and_deviation_over_the_seeds_that_are_there(small: Experiments) -> None:
    text = report(small.settings["tables"], groups([*small.trials()]))
    assert "### Pets" in text
    assert "| first sentence | 100.00 | 100.00 | 100.00 | |" in text
    for system in ("plain", "better"):
        found = [rouge(OUTPUTS[system, seed])["rouge_2"] for seed in (1, 2)]
        assert f"| {statistics.mean(found):.2f} ± {statistics.stdev(found):.2f} | " in text
    assert text.count("| 2 |") == 2


def test_contrast_of_one_seed_is_that_of_evaluate(small: Experiments) -> None:
    text = report(small.settings["tables"], groups([trial for trial in small.trials() if trial.seed == 1]))
    assert f"| {rouge(OUTPUTS['better', 1])['rouge_2']:.2f} | " in text
    ours, theirs = (
        Rouge().examples(OUTPUTS[system, 1], [[line] for line in REFERENCES]) for system in ("better", "plain")
    )
    found = Report("rouge", ours, theirs, resamples=1000).difference("rouge_l")
    assert found is not None
    cell = f"{found.value:+.2f} [{found.interval.low:+.2f}, {found.interval.high:+.2f}], {found.p:.3f}"
    assert f"| {cell} | {found.value:+.2f} |" in text


def test_picture_has_a_row_a_system(small: Experiments, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from experiment_picture import draw

    draw([*groups([*small.trials()])], tmp_path / "found.svg")
    text = (tmp_path / "found.svg").read_text()
    assert all(f">{label}<" in text for label in ("plain", "better", "Pets: ROUGE-L"))
