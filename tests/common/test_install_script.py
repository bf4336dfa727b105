"""install.sh chooses the build of torch, and asks for the room that it takes. Its Python and pip only take notes."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, List, NamedTuple

import pytest
from commands import ROOT

PYTHON = """#!/usr/bin/env bash
case "$1 $2" in
    "--version ") echo Python 3.14.0 ;;
    "-m venv") mkdir -p "$3"/bin "$3"/lib/python3.14/site-packages && cp "$0" "$3/bin/python" ;;
    "-m pip")
        echo "${*:3}" >>"$NOTES/pip"
        case "$*" in
            *" uninstall "*) rm "$NOTES/build" ;;
            *" --index-url "*) [ -z "$UNREACHABLE" ] && echo cpu >"$NOTES/build" ;;
            *" --no-deps "*) ;;
            *) [ -e "$NOTES/build" ] || echo "$PLAIN" >"$NOTES/build" ;;
        esac ;;
    "- ") if grep -q importlib.metadata; then cat "$NOTES/build"; fi ;;
esac
"""
"""Lacks nothing; the file ``build`` is which build of torch is installed."""

DF = "#!/bin/sh\necho Filesystem\necho / 1 1 $((FREE_GB * 1024 * 1024))\n"
DRIVER, NO_DRIVER, NO_GPU = "echo GPU 0: a GPU", "exit 127", "echo No devices were found"
needs_no_driver = pytest.mark.skipif(os.path.exists("/proc/driver/nvidia/version"), reason="there is a driver here")


class Installed(NamedTuple):
    """What a run of install.sh came to: its exit status, what it said, and what it asked of pip."""

    status: int
    said: str
    pip: List[str]

    @property
    def from_cpu_index(self) -> bool:
        """Whether pip was sent to the index of CPU builds."""
        return any("--index-url https://download.pytorch.org/whl/cpu" in call for call in self.pip)


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Installed]:
    """Runs install.sh in a checkout with a stand-in for what it finds on the machine."""
    checkout, stubs = tmp_path / "checkout", tmp_path / "stubs"
    (checkout / "s2sft_fairseq").mkdir(parents=True)
    stubs.mkdir()
    for name in ("install.sh", "setup.cfg", "setup.py", "constraints.txt", "s2sft_startup.py"):
        shutil.copy(ROOT / name, checkout)

    def stub(name: str, program: str) -> None:
        (stubs / name).write_text(program)
        (stubs / name).chmod(0o755)

    def run(
        *flags: str,
        driver: str = NO_DRIVER,
        system: str = "Linux",
        plain: str = "cuda",
        free: int = 9,
        offline: bool = False,
    ) -> Installed:
        for name, program in (("python3", PYTHON), ("df", DF), ("uname", f"#!/bin/sh\necho {system}\n")):
            stub(name, program)
        stub("nvidia-smi", f"#!/bin/sh\n{driver}\n")
        (tmp_path / "pip").write_text("")
        facts = {"NOTES": str(tmp_path), "PLAIN": plain, "FREE_GB": str(free), "UNREACHABLE": "1" if offline else ""}
        path = os.pathsep.join((str(stubs), os.environ["PATH"]))
        environment = {**os.environ, **facts, "PATH": path, "PYTHON": "python3", "S2SFT_VENV": str(tmp_path / "venv")}
        command = ["bash", str(checkout / "install.sh"), *flags]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return Installed(done.returncode, done.stdout + done.stderr, (tmp_path / "pip").read_text().splitlines())

    return run


@needs_no_driver
@pytest.mark.parametrize("driver", [NO_DRIVER, NO_GPU, "exit 9"])
def test_without_a_driver_the_cpu_build(install: Callable[..., Installed], driver: str) -> None:
    done = install(driver=driver)
    assert done.status == 0 and done.from_cpu_index, done.said
    assert "--index-url" not in done.pip[-1], "the rest comes from the usual index"
    assert install(driver=driver).pip == [], "the second run has nothing to do"


def test_with_a_driver_what_pip_chooses(install: Callable[..., Installed]) -> None:
    done = install(driver=DRIVER)
    assert done.status == 0 and not done.from_cpu_index, done.said


def test_only_on_linux_is_there_a_choice(install: Callable[..., Installed]) -> None:
    assert not install("--cpu", system="Darwin", plain="cpu").from_cpu_index


def test_flags_have_the_last_word(install: Callable[..., Installed]) -> None:
    assert install("--cpu", driver=DRIVER).from_cpu_index
    assert install(driver=DRIVER).pip == [], "what was asked for stays"
    changed = install("--cuda", driver=NO_DRIVER)
    assert "uninstall -y torch" in changed.pip[0] and not changed.from_cpu_index
    assert install("--cpu").from_cpu_index


def test_an_index_out_of_reach_is_said_in_one_line(install: Callable[..., Installed]) -> None:
    done = install("--cpu", offline=True)
    assert done.status == 0, done.said
    (line,) = [line for line in done.said.splitlines() if "no CPU build" in line]
    assert "5 GB on disk (8 while installing)" in line
    assert install().pip == [], "the second run has nothing to do"


@pytest.mark.parametrize(
    ("flag", "free", "needed"), [("--cpu", 2, 3), ("--cuda", 7, 8), ("--cpu", 3, None), ("--cuda", 8, None)]
)
def test_room_for_the_build_that_was_chosen(
    install: Callable[..., Installed], flag: str, free: int, needed: object
) -> None:
    done = install(flag, free=free)
    assert done.status == (1 if needed else 0), done.said
    assert (f"{free * 1024} MB free" in done.said and f"{needed} GB needed" in done.said) == bool(needed)
    assert len(done.said.splitlines()) == 1 or not needed


def test_no_room_for_what_comes_instead(install: Callable[..., Installed]) -> None:
    done = install("--cpu", free=5, offline=True)
    assert done.status == 1 and "8 GB needed" in done.said.splitlines()[-1]
