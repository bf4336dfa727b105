"""What commands change in fairseq and around it: each test fails without the patch that it is about."""

import ast
import re
import shutil
import sys
from pathlib import Path
from typing import Dict, Iterator, List

import pytest
import torch
from commands import (
    IMPORT,
    PLUGIN,
    ROOT,
    attempt,
    generate_command,
    mistake,
    preprocess_command,
    run,
    torchrun,
    train_command,
    write_lines,
)

from s2sft_fairseq import S2SModel
from s2sft_fairseq.common import fairseq_patches
from s2sft_fairseq.common.errors import UserError

slow = pytest.mark.slow

CUT_SHORT = """
import os, shutil
from pathlib import Path

def cut_short(source, destination):
    Path(destination).write_bytes(Path(source).read_bytes()[:100])
    if (Path(source).name, Path(destination).name[:15]) == ("checkpoint_1_2.pt", "checkpoint_last"):
        os._exit(9)
    return whole(source, destination)

whole, shutil.copyfile = shutil.copyfile, cut_short
from fairseq_cli.train import cli_main
cli_main()
"""
"""fairseq-train, killed while it copies its second checkpoint to checkpoint_last.pt."""

NAMEDTUPLE = ("_asdict", "_replace")
"""Public, in spite of the underscore that keeps them apart from fields."""


@pytest.fixture
def broken(imported: Dict[str, Path], tmp_path: Path) -> Path:
    """The first half of a checkpoint."""
    path = tmp_path / "broken.pt"
    path.write_bytes(imported["masked"].read_bytes()[:20_000])
    return path


@slow
class TestUserErrors:
    """report_user_errors"""

    @pytest.mark.parametrize("fork", [True, False])
    def test_command_of_the_package(self, tmp_path: Path, fork: bool) -> None:
        line = mistake([*IMPORT, "--from", tmp_path, "--to", tmp_path / "imported"], fork=fork)
        assert "no vocabulary in" in line

    @pytest.mark.parametrize("fork", [True, False])
    def test_command_of_fairseq(self, imported: Dict[str, Path], tmp_path: Path, fork: bool) -> None:
        line = mistake(generate_command(tmp_path / "absent", imported["masked"]), fork=fork)
        assert "no data directory" in line

    def test_other_errors_keep_their_traceback(self) -> None:
        program = "from s2sft_fairseq.common.fairseq_patches import run_command\nrun_command(lambda: 1 / 0)"
        done = attempt(["python", "-c", program])
        assert done.status == 1
        assert "Traceback" in done.err and done.err.endswith("ZeroDivisionError: division by zero\n")


@slow
def test_warnings_that_nobody_can_act_on_are_not_shown(data: Path, tmp_path: Path) -> None:
    """ignore_warnings"""
    done = run(train_command(data, tmp_path / "save", encoder_layers=1, max_update=1))
    assert "Warning" not in done.err


@slow
def test_input_in_the_c_locale_is_read_strictly(data: Path, imported: Dict[str, Path]) -> None:
    """refuse_bad_input"""
    command = ["fairseq-interactive", data, *PLUGIN, "--path", imported["masked"], "--cpu"]
    assert "not valid UTF-8" in mistake(command, stdin=b"w1 w2\nw\xe91\n", env={"LC_ALL": "C"})


@slow
class TestCheckpointTypes:
    """allow_checkpoint_types"""

    def test_an_imported_checkpoint(self, data: Path, imported: Dict[str, Path]) -> None:
        assert run(generate_command(data, imported["masked"]), fork=False).out

    def test_two_processes_resume(self, data: Path, tmp_path: Path) -> None:
        """What fairseq-train itself writes one process can read, but it has to send it to the other."""
        for updates in (1, 2):
            run(torchrun(data, tmp_path / "save", encoder_layers=1, max_update=updates))
        state = torch.load(tmp_path / "save" / "checkpoint_last.pt", weights_only=True)
        assert state["optimizer_history"][-1]["num_updates"] == 2


@slow
def test_a_kill_leaves_the_last_checkpoint_whole(data: Path, tmp_path: Path) -> None:
    """copy_whole_files"""
    script, save = write_lines(tmp_path / "fairseq-train", CUT_SHORT.splitlines()), tmp_path / "save"
    saves = dict(max_update=2, save_interval_updates=1, no_epoch_checkpoints=True)
    _, *arguments = train_command(data, save, encoder_layers=1, **saves)
    done = attempt(["python", script, *arguments], env={"PYTHONPATH": str(ROOT)})
    assert done.status == 9, done.err[-3000:]
    state = torch.load(save / "checkpoint_last.pt", weights_only=True)
    assert state["optimizer_history"][-1]["num_updates"] == 1


@slow
class TestUnreadableCheckpoints:
    """execute_no_checkpoint"""

    def test_fairseq_reads_a_model(self, data: Path, broken: Path) -> None:
        assert f"{broken} cannot be read" in mistake(generate_command(data, broken))

    def test_fairseq_reads_an_ensemble(self, data: Path, imported: Dict[str, Path], broken: Path) -> None:
        assert f"{broken} cannot be read" in mistake(generate_command(data, f"{imported['masked']}:{broken}"))

    def test_training_resumes(self, data: Path, broken: Path, tmp_path: Path) -> None:
        last = tmp_path / "save" / "checkpoint_last.pt"
        last.parent.mkdir()
        shutil.copy(broken, last)
        assert f"{last} cannot be read" in mistake(train_command(data, last.parent, encoder_layers=1))

    def test_training_resumes_without_the_pretrained_weights(self, data: Path, broken: Path, tmp_path: Path) -> None:
        """Here the task reads the checkpoint, to learn the sizes."""
        last = tmp_path / "save" / "checkpoint_last.pt"
        last.parent.mkdir()
        shutil.copy(broken, last)
        command = train_command(data, last.parent, pretrained=tmp_path / "gone")
        assert f"{last} cannot be read" in mistake(command)


@slow
def test_in_python_an_unreadable_checkpoint_is_a_clear_exception(imported: Dict[str, Path], broken: Path) -> None:
    """Without any patch, for a model alone and for a later one of an ensemble."""
    for path in (broken, f"{imported['masked']}:{broken}"):
        with pytest.raises(UserError, match=f"{broken} cannot be read"):
            S2SModel.from_pretrained(path)


@slow
class TestTexts:
    """check_texts_first"""

    @pytest.mark.parametrize("command", [["fairseq-preprocess"], ["python", "-m", "fairseq_cli.preprocess"]])
    @pytest.mark.parametrize("fork", [True, False])
    def test_before_anything_is_written(self, bert: Path, tmp_path: Path, command: List[str], fork: bool) -> None:
        write_lines(tmp_path / "train.src", ["w1", "w2"])
        write_lines(tmp_path / "train.tgt", ["w1"])
        _, *arguments = preprocess_command(tmp_path, tmp_path / "bin", bert)
        assert "train.src has 2 lines" in mistake([*command, *arguments], fork=fork)
        assert not (tmp_path / "bin").exists()


@slow
class TestLineFeeds:
    """More in tests/commands/test_odd_line_ends.py."""

    def test_binarizing(self, bert: Path, tmp_path: Path) -> None:
        """end_lines_at_line_feeds"""
        write_lines(tmp_path / "train.src", ["w1\rw2", "w3"])
        write_lines(tmp_path / "train.tgt", ["w1", "w2"])
        said = run(preprocess_command(tmp_path, tmp_path / "bin", bert))
        assert "train.src: 2 sents, 5 tokens" in said.out + said.err

    def test_interactive(self, data: Path, imported: Dict[str, Path]) -> None:
        """read_input_by_line_feeds"""
        command = ["fairseq-interactive", data, *PLUGIN, "--path", imported["masked"], "--cpu"]
        assert run(command, stdin=b"w1\rw2\nw3\n").out.count("\nH-") == 2


@slow
class TestFlags:
    """check_flags_first"""

    @pytest.mark.parametrize("command", [["fairseq-train"], ["python", "-m", "fairseq_cli.train"]])
    def test_bf16_asks_for_no_tpu(self, data: Path, tmp_path: Path, command: List[str]) -> None:
        _, *arguments = train_command(data, tmp_path / "save", encoder_layers=1, max_update=1, bf16=True)
        run([*command, *arguments])

    def test_what_cannot_work_is_refused(self, data: Path, tmp_path: Path) -> None:
        assert "torch_xla" in mistake(train_command(data, tmp_path / "save", tpu=True))


def test_every_patch_has_a_test() -> None:
    """The docstrings of the tests above name the patches."""
    applied = re.findall(r"^ {4,}(\w+)\(\)$", source_of("apply_patches"), re.MULTILINE)
    assert len(applied) == 11
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in applied if f'"""{name}"""' not in tests] == []


def source_of(function: str) -> str:
    """The text of a function of the patches."""
    text = Path(fairseq_patches.__file__).read_text(encoding="utf-8")
    found = next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == function)
    return ast.get_source_segment(text, found) or ""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, data workers have never been forked")
def test_commands_fork_data_workers(tmp_path: Path) -> None:
    """fork_data_workers"""
    script = "import multiprocessing as m{}; from s2sft_fairseq.common.fairseq_patches import apply_patches as patch; "
    script += "patch(); print(m.get_start_method())"
    for chosen, method in (("forkserver", "fork"), ("spawn", "spawn")):
        assert run(["python", "-c", script.format(f"; m.set_start_method('{chosen}')")]).out.strip() == method


def test_private_members_of_others_are_listed() -> None:
    """The package's own names have no leading underscore, so that each such name belongs to somebody else."""
    used = {name for file in (ROOT / "s2sft_fairseq").rglob("*.py") for name in private_names(file)}
    listed = set(re.findall(r"\b(_[a-zA-Z]\w+)`", fairseq_patches.__doc__ or ""))
    assert used == listed


def private_names(file: Path) -> Iterator[str]:
    """Names with one leading underscore that a file reads, sets, defines or imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [getattr(node, field, None) for field in ("attr", "name")]
        for name in names:
            if isinstance(name, str) and re.match("_[a-zA-Z]", name) and name not in NAMEDTUPLE:
                yield name
