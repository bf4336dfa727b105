"""What an installation holds: the plugin, the start-up module, and the line that starts it; nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Set

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "LICENSE",
    "MANIFEST.in",
    "s2sft_startup.py",
    "s2sft_startup.pth",
)
STARTED = "import site, sys; site.addsitedir(sys.argv[1]); print('s2sft_startup' in sys.modules)"

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy to build in: setuptools leaves its ``build`` folder, and packs what an older one holds."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "s2sft_fairseq", copy / "s2sft_fairseq", ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    return copy


def build(checkout: Path, kind: str) -> zipfile.ZipFile:
    """Builds with the backend that pip would call, in this environment: nothing is downloaded."""
    code = f"from setuptools import build_meta; build_meta.build_{kind}('.')"
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    (built,) = checkout.glob("*.whl")
    return zipfile.ZipFile(built)


def python_files(folder: Path) -> Set[str]:
    """The Python files of the plugin, relative to the folder that holds it."""
    return {path.relative_to(folder).as_posix() for path in (folder / "s2sft_fairseq").rglob("*.py")}


def test_the_wheel_holds_the_plugin_and_the_hook_and_nothing_else(checkout: Path) -> None:
    with build(checkout, "wheel") as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == python_files(checkout) | {"s2sft_startup.py", "s2sft_startup.pth"}


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_an_installation_starts_the_hook(checkout: Path, tmp_path: Path, kind: str) -> None:
    with build(checkout, kind) as wheel:
        wheel.extractall(tmp_path / "site-packages")
    command = [sys.executable, "-S", "-c", STARTED, str(tmp_path / "site-packages")]
    assert subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout.split() == ["True"]


def test_the_source_archive_can_be_built_again(checkout: Path, tmp_path: Path) -> None:
    code = "from setuptools import build_meta; build_meta.build_sdist('.')"
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    (archive,) = checkout.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    (source,) = (tmp_path / "unpacked").iterdir()
    with build(source, "wheel") as wheel:
        assert "s2sft_startup.pth" in wheel.namelist()
