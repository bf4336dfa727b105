"""The start-up hook: fairseq imports on this Python, others' mistakes are still refused, start-up is free.

Every test starts a Python without site-packages (``-S``), so that it tries the hook of this checkout and not
an installed one.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOOK = "import s2sft_startup, sys\n"
FINDERS = "[getattr(finder, '__name__', '') for finder in sys.meta_path]"
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


@needs_hook
def test_the_finder_waits_for_fairseq_and_then_goes(tmp_path: Path) -> None:
    code = HOOK + f"first = {FINDERS}\nimport fairseq\nprint(first[0], '_FairseqFinder' in {FINDERS})"
    assert python(code, package(tmp_path, "fairseq")).stdout.split() == ["_FairseqFinder", "False"]


def test_a_finder_behind_ours_still_gets_its_turn(tmp_path: Path) -> None:
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
    code = "before = set(sys.modules)\nimport s2sft_startup\nprint(*(set(sys.modules) - before))"
    assert python(code, tmp_path).stdout.split() == ["s2sft_startup"]


def test_a_missing_fairseq_is_reported_as_missing(tmp_path: Path) -> None:
    assert "No module named 'fairseq'" in python(HOOK + "import fairseq", tmp_path).stderr
