"""finetune: one command from a table to scores; interrupted, it goes on; a mistake ends it in one line."""

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

import pytest
from commands import attempt, environment, make_bert, mistake, random_lines, run, write_lines

COMMAND = ["python", "-m", "s2sft_fairseq.finetune"]
FEW = ["--max-update", "4", "--eval-sentences", "2"]


def table(path: Path, count: int, *, seed: int) -> Path:
    sources, targets = random_lines(count, seed=seed), random_lines(count, seed=seed + 1, longest=4)
    rows: List[Dict[str, object]] = [{"id": n, "text": a, "title": b} for n, (a, b) in enumerate(zip(sources, targets))]
    rows[1]["title"] = None
    return write_lines(path, map(json.dumps, rows))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bert(tmp_path_factory.mktemp("encoder") / "bert")


def words(folder: Path, bert: Path, *, counts: "tuple[int, ...]" = (20, 4, 5)) -> List[object]:
    found: List[object] = [*COMMAND, "--pretrained", bert, "--to", folder / "run"]
    for seed, (split, count) in enumerate(zip(("train", "valid", "test"), counts)):
        found += [f"--{split}", table(folder / f"{split}.jsonl", count, seed=seed)]
    return found


@pytest.mark.slow
def test_from_a_table_to_scores_and_again(bert: Path, tmp_path: Path) -> None:
    command = [*words(tmp_path, bert), *FEW]
    done = run(command)
    assert f"{tmp_path / 'train.jsonl'}, text -> title: 20 rows, 1 left out (title is empty: row 2)" in done.out
    assert "--max-update 4" in done.out and "$ fairseq-train" in done.out
    to = tmp_path / "run"
    rows = [json.loads(line) for line in (to / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["row"] for row in rows] == [1, 3, 4, 5]
    scores = json.loads((to / "test.json").read_text())
    assert "rouge_l" in json.dumps(scores)
    generated = run(["python", "-m", "s2sft_fairseq.generate", "--checkpoint", to, "--cpu"], stdin=b"w1 w2\n")
    assert generated.out.count("\n") == 1

    checkpoint = (to / "checkpoint_best.pt").stat().st_mtime_ns
    again = run(command)
    assert "finished: fairseq-train" in again.out and "$ " not in again.out
    assert (to / "checkpoint_best.pt").stat().st_mtime_ns == checkpoint
    assert "train.done is of another run" in mistake([*command, "--lr", "1"])
    assert "pairs.done is of another run" in mistake([*words(tmp_path, bert, counts=(20, 4, 6)), *FEW])


@pytest.mark.slow
def test_special_tokens_as_text_in_a_folder_with_a_space(bert: Path, tmp_path: Path) -> None:
    lines = [write_lines(tmp_path / name, ["w1 [SEP] w2", "w3 w4"]) for name in ("rows.src", "rows.tgt")]
    command = [*COMMAND, "--pretrained", bert, "--to", tmp_path / "a run", "--train", *lines, "--valid", *lines]
    done = run([*command, "--test", *lines, "--special-tokens", "text", *FEW])
    assert "contain special tokens" not in done.err
    assert "[SEP]" not in (tmp_path / "a run" / "data" / "pieces" / "train.tgt").read_text()
    shown = done.out.splitlines()[-1].partition("to write with it: ")[2]
    assert "--special-tokens text" in shown
    texts = tmp_path / "texts"
    texts.write_text("w1 [SEP] w2\n")
    assert run([*shlex.split(shown)[:-1], texts, "--cpu"]).out.count("\n") == 1


@pytest.mark.slow
@pytest.mark.long
def test_interrupted_it_goes_on(bert: Path, tmp_path: Path) -> None:
    command = [*map(str, words(tmp_path, bert)), "--max-update", "100000", "--save-interval-updates", "2"]
    process = subprocess.Popen([sys.executable, *command[1:]], env=environment(), stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "run" / "checkpoint_last.pt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.wait()
    assert checkpoint.exists() and not (tmp_path / "run" / "steps" / "train.done").exists()
    done = run([*command[:-4], "--max-update", "8"])
    assert "Loaded checkpoint" in (tmp_path / "run" / "steps" / "train.log").read_text() and "rouge_l" in done.out


@pytest.mark.slow
def test_a_second_process_waits_for_nothing(bert: Path, tmp_path: Path) -> None:
    """Two runs in one folder would write over each other; the lock also lasts as long as a command of a killed run."""
    (tmp_path / "run" / "steps").mkdir(parents=True)
    holder = "import fcntl, sys; fcntl.flock(f := open(sys.argv[1], 'w'), fcntl.LOCK_EX); print(flush=True); input()"
    lock = str(tmp_path / "run" / "steps" / "lock")
    with subprocess.Popen([sys.executable, "-c", holder, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline()
        assert "another process is still working" in mistake(words(tmp_path, bert))
        other.kill()


def test_mistakes(bert: Path, tmp_path: Path) -> None:
    command = words(tmp_path, bert)
    assert "--no-such-flag" in mistake([*command, "--no-such-flag", "1"])
    assert "--save-dir is set by this command" in mistake([*command, "--save-dir", "x"])
    assert "no column 'doc'; it has id, text, title" in mistake([*command, "--source-column", "doc"])
    assert "expected a pretrained model" in mistake([*command, "--pretrained", tmp_path / "none"])
    assert "cannot be read" in mistake([*command, "--test", tmp_path / "none.jsonl"])
    assert "not the name of a table" in mistake([*command, "--test", tmp_path / "none.doc"])
    assert "named as tables" in mistake([*command, "--test", tmp_path / "train.jsonl", tmp_path / "valid.jsonl"])
    assert "Not a directory" in mistake([*command, "--to", tmp_path / "train.jsonl" / "run"])
    texts = [write_lines(tmp_path / name, ["text"]) for name in ("test.src", "test.tgt")]
    assert "have no columns" in mistake([*command, "--source-column", "text", "--test", *texts])
    assert not (tmp_path / "run" / "data").exists()


def test_help_teaches() -> None:
    done = attempt([*COMMAND, "--help"])
    assert done.status == 0 and "--source-column document" in done.out
