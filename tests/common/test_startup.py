"""The start-up hook: fairseq works on this Python, others' mistakes are still refused, start-up is free.

Every test starts a Python without site-packages (``-S``), so that it tries the hook of this checkout and not
an installed one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOOK = "import s2sft_startup, sys\n"
OLD_STYLE = """
from dataclasses import dataclass, field

@dataclass
class Inner:
    size: int = 1

@dataclass
class Outer:
    plain: Inner = Inner()
    wrapped: Inner = field(default=Inner())
"""
TYPES_BY_TEXT = """
def interpret_dc_type(field_type):
    return field_type.__args__[0] if str(field_type).startswith("typing.Optional") else field_type
"""
SPINS = """
import logging, os, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s", level="INFO")
print(os.environ.get("GOMP_SPINCOUNT"))
logging.getLogger("fairseq.tasks.text_to_speech").info("install tensorboardX")
"""
QUIET, LOUD = ["1000"], ["None", "install", "tensorboardX"]
"""What a package with these lines says when a command imports it, and in another program."""

USER_DIRS = (
    ["--user-dir", "s2sft_fairseq"],
    ["--user-dir=/elsewhere/s2sft_fairseq/"],
    ["common.user_dir=/elsewhere/s2sft_fairseq"],
)
needs_hook = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 and older take such defaults")


def python(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs code in a bare interpreter that sees this checkout and ``folder``."""
    command = [sys.executable, "-S", "-c", f"import sys\nsys.path[:0] = {[str(ROOT), str(folder)]!r}\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def package(folder: Path, name: str) -> Path:
    """A package whose config dataclasses are written the way fairseq writes them."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(OLD_STYLE)
    return folder


def test_fairseq_itself_imports(tmp_path: Path) -> None:
    done = python(HOOK + "import site; site.main(); import fairseq; print(fairseq.__version__)", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_shared_defaults_work_in_fairseq(tmp_path: Path) -> None:
    code = HOOK + "from fairseq import Outer; print(Outer().plain.size + Outer().wrapped.size)"
    assert python(code, package(tmp_path, "fairseq")).stdout.split() == ["2"]


@needs_hook
def test_without_the_hook_fairseq_is_refused(tmp_path: Path) -> None:
    assert "mutable default" in python("import fairseq", package(tmp_path, "fairseq")).stderr


@needs_hook
def test_a_mutable_default_elsewhere_is_still_refused(tmp_path: Path) -> None:
    package(tmp_path, "fairseq")
    done = python(HOOK + "import fairseq, fairseq_like", package(tmp_path, "fairseq_like"))
    assert "mutable default <class 'fairseq_like.Inner'>" in done.stderr


def test_each_import_is_awaited_once(tmp_path: Path) -> None:
    code = HOOK + "import fairseq\nprint(sorted(s2sft_startup._awaited))"
    assert "'fairseq'," not in python(code, package(tmp_path, "fairseq")).stdout


def test_a_finder_after_ours_still_gets_its_turn(tmp_path: Path) -> None:
    code = """
class Asked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        print("asked for", name)

sys.meta_path.insert(0, Asked)
import s2sft_startup, fairseq
"""
    assert "asked for fairseq" in python(code, package(tmp_path, "fairseq")).stdout


def test_start_up_imports_nothing_else(tmp_path: Path) -> None:
    """Nothing but ``os``, which ``site`` has imported before."""
    code = "import os\nbefore = set(sys.modules)\nimport s2sft_startup\nprint(*(set(sys.modules) - before))"
    assert python(code, tmp_path).stdout.split() == ["s2sft_startup"]


def test_a_missing_fairseq_is_reported_as_missing(tmp_path: Path) -> None:
    assert "No module named 'fairseq'" in python(HOOK + "import fairseq", tmp_path).stderr


def test_optional_types_are_recognized_however_they_are_printed(tmp_path: Path) -> None:
    """Python 3.14 prints ``Optional[int]`` as older ones print ``int | None``."""
    folder = package(tmp_path, "fairseq") / "fairseq" / "dataclass"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "utils.py").write_text(TYPES_BY_TEXT)
    asked = ["Optional[int]", "int | None", "None | int", "List[int]", "Dict[str, int]", "int | str", "int"]
    use = "from typing import *; from fairseq.dataclass.utils import interpret_dc_type as interpret"
    done = python(f"{HOOK}{use}; print(*map(interpret, [{', '.join(asked)}]), sep='; ')", tmp_path)
    assert done.stdout.strip().split("; ") == [
        *["<class 'int'>"] * 3,
        "typing.List[int]",
        "typing.Dict[str, int]",
        "int | str",
        "<class 'int'>",
    ], done.stderr


def test_fairseqs_own_function_is_mended(tmp_path: Path) -> None:
    use = "import site; site.main(); from fairseq.dataclass import utils; print(utils.interpret_dc_type(str | None))"
    assert python(HOOK + use, tmp_path).stdout.strip() == "<class 'str'>"


class TestCommands:
    """They spin briefly, and ask for nothing: before torch could read the variable, and fairseq write the line."""

    @pytest.fixture
    def said(self, tmp_path: Path) -> Callable[..., str]:
        """Runs ``python WORDS`` beside packages that print the variable when they are imported."""
        for name in ("s2sft_fairseq", "fairseq_cli"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(SPINS)
            (tmp_path / name / "train.py").write_text("")
        for script in ("preprocess/own.py", "examples/quickstart/own.py", "mine/own.py"):
            (tmp_path / "hook" / script).parent.mkdir(parents=True)
            (tmp_path / "hook" / script).write_text("import s2sft_fairseq\n")
        (tmp_path / "fairseq-train").write_text("import fairseq_cli.train\n")
        (tmp_path / "fairseq-worker").write_text("import s2sft_fairseq\n")
        (tmp_path / "program.py").write_text("import s2sft_fairseq, fairseq_cli\n")
        (tmp_path / "sitecustomize.py").write_text("import s2sft_startup\n")

        def run(*words: str, **variables: str) -> str:
            path = os.pathsep.join((str(tmp_path), str(tmp_path / "hook")))
            kept = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
            environment = {**kept, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **variables}
            command = [sys.executable, *words]
            return subprocess.run(
                command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
            ).stdout

        shutil.copy(ROOT / "s2sft_startup.py", tmp_path / "hook")
        return run

    def test_in_commands_of_the_plugin(self, said: Callable[..., str]) -> None:
        assert said("-m", "s2sft_fairseq.train", "-m", "pdb").split() == QUIET
        assert said("-um", "s2sft_fairseq.train").split() == QUIET

    def test_in_scripts_of_a_checkout(self, said: Callable[..., str]) -> None:
        assert said("hook/preprocess/own.py").split() == said("hook/examples/quickstart/own.py").split() == QUIET
        assert said("hook/mine/own.py").split() == LOUD

    @pytest.mark.parametrize("words", USER_DIRS, ids=" ".join)
    def test_in_fairseqs_commands_with_the_plugin(self, said: Callable[..., str], words: List[str]) -> None:
        assert said("fairseq-train", "data", *words, "--cpu").split() == QUIET
        assert said("fairseq-worker", "data", *words).split() == QUIET
        assert said("-m", "fairseq_cli.train", "data", *words).split() == QUIET

    def test_not_in_fairseqs_commands_without_it_nor_in_other_programs(self, said: Callable[..., str]) -> None:
        assert said("fairseq-train", "data", "--user-dir", "other").split() == LOUD
        assert said("program.py", "-m", "s2sft_fairseq.train").split() == LOUD * 2

    @pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
    def test_the_user_decides(self, said: Callable[..., str], name: str) -> None:
        expected = "7" if name == "GOMP_SPINCOUNT" else "None"
        assert said("-m", "s2sft_fairseq.train", **{name: "7"}).split() == [expected]
