"""In Python the package leaves everything else as it was; commands, and only they, are changed.

Every test starts an interpreter of its own, whose standard input is read more loosely than a command's would be.
"""

import json
import sys
from pathlib import Path
from typing import Dict, List, Optional

import pytest
from commands import BIN, ROOT, run

from s2sft_fairseq.common.host import FAIRSEQ_COMMANDS, fairseq_command

SUPPORT = ROOT / "tests" / "support"
LOOSE = {"PYTHONPATH": f"{ROOT}:{SUPPORT}", "PYTHONIOENCODING": "latin-1:surrogateescape"}
OTHERS = "fairseq.hub_utils, fairseq.models, fairseq.tasks, fairseq_cli.train, fairseq_cli.preprocess, torch, tqdm"
"""What a program may have imported before; fairseq sets up the root logger then, and torch adds filters of warnings."""

USE = """
from s2sft_fairseq import S2SModel
model = S2SModel.from_pretrained({checkpoint!r})
assert len(model.generate(["w1 w2", "w3"], beam=2)) == 2
model.score(["w1"], ["w2"])
"""
FAILED_COMMAND = """
from s2sft_fairseq import generate
from s2sft_fairseq.common.errors import UserError
try:
    generate.main(["--checkpoint", "absent.pt", "--input", {text!r}])
except UserError as error:
    assert "absent.pt" in str(error)
else:
    raise AssertionError("nothing raised")
"""
ASKED = """
import sys
from pathlib import Path
Path({answer!r}).write_text("not imported")

def ask():
    import s2sft_fairseq
    from s2sft_fairseq.common.fairseq_patches import apply_patches
    Path({answer!r}).write_text(f"{{sys.excepthook is not sys.__excepthook__}} {{apply_patches.cache_info().currsize}}")
"""
DIRECTLY = "ask()"
IN_A_PROCESS = """
if __name__ == "__main__":
    import multiprocessing
    process = multiprocessing.get_context({method!r}).Process(target=ask)
    process.start()
    process.join()
"""
PATCHED, AS_IT_WAS = "True 1", "False 0"


def changed_by(statements: str) -> List[str]:
    """What a program's statements change after it has imported fairseq and torch."""
    program = f"""
import json, {OTHERS}
from host_state import changes, host_state
before = host_state()
{statements}
print(json.dumps(changes(before, host_state())))
"""
    return list(json.loads(run(["python", "-c", program], env=LOOSE).out.splitlines()[-1]))


@pytest.mark.parametrize("statement", ["import s2sft_fairseq", "from s2sft_fairseq import S2SModel"])
def test_imports_change_nothing(statement: str) -> None:
    assert changed_by(statement) == []


@pytest.mark.slow
def test_a_trained_model_changes_nothing(imported: Dict[str, Path]) -> None:
    assert changed_by(USE.format(checkpoint=str(imported["masked"]))) == []


@pytest.mark.slow
def test_a_function_that_is_a_command_raises_and_changes_nothing(texts: Path) -> None:
    assert changed_by(FAILED_COMMAND.format(text=str(texts / "test.src"))) == []


def test_what_a_command_changes_is_seen() -> None:
    """The comparison is worth something: it sees every patch that a process keeps in a place of its own."""
    seen = changed_by("from s2sft_fairseq.common.fairseq_patches import apply_patches\napply_patches()")
    assert {"sys.excepthook", "sys.stdin", "warnings.filters", "safe types"} < set(seen)
    assert {"fairseq.file_io.PathManager.copy", "fairseq.checkpoint_utils.load_checkpoint_to_cpu"} < set(seen)


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("/usr/local/bin/fairseq-train", "train"),
        ("fairseq-hydra-train", "hydra_train"),
        ("/site-packages/fairseq_cli/eval_lm.py", "eval_lm"),
        ("/site-packages/fairseq_cli/__init__.py", None),
        ("/home/me/fairseq-serve", None),
        ("/home/me/fairseq-train.py", None),
        ("/usr/bin/pytest", None),
        ("ipykernel_launcher.py", None),
        ("-c", None),
        ("-m", None),
        ("", None),
    ],
)
def test_the_program_tells(monkeypatch: pytest.MonkeyPatch, program: str, command: Optional[str]) -> None:
    monkeypatch.setattr(sys, "argv", [program, "fairseq-train"])
    assert fairseq_command() == command


@pytest.mark.slow
class TestPrograms:
    """What is patched in a process, by the program that it belongs to."""

    @staticmethod
    def answer(folder: Path, launcher: List[object], name: str, body: str) -> str:
        """Starts a program that imports the package, and returns whether it was patched."""
        answer, program = folder / "answer.txt", folder / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(ASKED.format(answer=str(answer)) + body)
        run([*launcher, program], env=LOOSE)
        return answer.read_text()

    @pytest.mark.parametrize(
        "launcher",
        [
            ["python"],
            ["python", "-m", "cProfile", "-o", "/dev/null"],
            ["torchrun", "--nproc_per_node", 1, "--master_port", 0, "--rdzv_backend", "c10d"],
        ],
        ids=["python", "profiler", "torchrun"],
    )
    def test_a_command(self, tmp_path: Path, launcher: List[object]) -> None:
        assert self.answer(tmp_path, launcher, "fairseq-train", DIRECTLY) == PATCHED

    def test_a_module_of_fairseq_cli(self, tmp_path: Path) -> None:
        assert self.answer(tmp_path, ["python"], "fairseq_cli/generate.py", DIRECTLY) == PATCHED

    @pytest.mark.parametrize("method", ["spawn", "forkserver"])
    def test_a_process_that_a_command_starts(self, tmp_path: Path, method: str) -> None:
        assert self.answer(tmp_path, ["python"], "fairseq-train", IN_A_PROCESS.format(method=method)) == PATCHED

    def test_a_script_that_imports_commands(self, tmp_path: Path) -> None:
        body = f"import {OTHERS}\n{DIRECTLY}"
        assert self.answer(tmp_path, ["python"], "serve.py", body) == AS_IT_WAS

    def test_a_process_that_a_script_starts(self, tmp_path: Path) -> None:
        assert self.answer(tmp_path, ["python"], "serve.py", IN_A_PROCESS.format(method="spawn")) == AS_IT_WAS


def test_installed_scripts_are_known() -> None:
    """fairseq's own scripts, as they lie beside this interpreter."""
    scripts = sorted(path.name for path in BIN.glob("fairseq-*"))
    assert scripts == sorted(f"fairseq-{name.replace('_', '-')}" for name in FAIRSEQ_COMMANDS)
