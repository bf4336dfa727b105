"""Processes of their own: the peak memory of a function, the time and memory of a command."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from .results import NotMeasuredError

ROOT = Path(__file__).resolve().parents[1]
USAGE = ROOT / "benchmarks" / "usage.py"
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # man 5 proc: "reset the peak resident set size to the process's current value"


def in_fresh_process(function: Callable[..., Any], *args: Any) -> Any:
    """The result of a function of this package, called in a process that has done nothing else."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


class Peak:
    """Memory of some work, in MB: what was there ``before`` it, and ``mb`` more at most, once it is over."""

    before: float
    mb: float


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Watches the resident memory of this process.

    Raises:
        NotMeasuredError: this is no Linux.
    """
    if not STATUS.exists():
        raise NotMeasuredError("memory is read from /proc, which only Linux has")
    CLEAR.write_text(RESET_PEAK)
    peak = Peak()
    peak.before = status_mb("VmRSS")
    yield peak
    peak.mb = status_mb("VmHWM") - peak.before


def status_mb(field: str) -> float:
    """A field of this process's status, in MB (2 ** 20 bytes)."""
    found = re.search(rf"^{field}:\s+(\d+) kB", STATUS.read_text(), flags=re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


class Usage(NamedTuple):
    """What a command took: seconds on the clock, seconds of all its cores, and MB at its peak."""

    wall: float
    cpu: float
    peak: float


def script(name: str) -> str:
    """A command that is installed beside the interpreter."""
    return str(Path(sys.executable).parent / name)


def run(command: Sequence[object]) -> Usage:
    """Runs a command in the root of the repository.

    Raises:
        subprocess.CalledProcessError: it failed; its last lines are shown.
    """
    words = [str(word) for word in (sys.executable, USAGE, *command)]
    start = time.perf_counter()
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    wall = time.perf_counter() - start
    if done.returncode:
        print(done.stdout[-2000:], file=sys.stderr)
        done.check_returncode()
    return Usage(wall, **json.loads(done.stdout.splitlines()[-1]))
