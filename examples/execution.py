"""Runs the commands of a stage, or of an experiment: each once, and shown before it runs."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Optional, Protocol

from recipes import EXAMPLES


class Run(Protocol):
    """What is run stage by stage: a recipe with a user's decisions."""

    @property
    def work(self) -> Path:
        """The folder of all that is made."""

    def commands(self, stage: str) -> Iterable[Sequence[str]]:
        """The commands of a stage."""

    def folder_of(self, stage: str) -> Path:
        """The folder of what a stage makes."""

    def remade(self, stage: str) -> Iterable[Path]:
        """Folders that an interrupted stage leaves and a new run of it cannot continue."""


def do(stage: str, run: Run, *, dry: bool) -> None:
    """Runs the commands of a stage, unless it is finished."""
    commands = [shlex.join(words) for words in run.commands(stage)]
    folder = run.folder_of(stage)
    finished = folder / f"{stage}.done"
    print(f"== {stage}" if folder == run.work else f"== {stage} in {folder.relative_to(run.work)}", flush=True)
    if not dry and is_finished(finished, commands):
        print(f"already finished; {finished} lists the commands")
        return
    if not dry:
        clear(stage, run)
    for line in commands:
        print(f"$ {line}", flush=True)
        if not dry:
            execute(line)
    if not dry:
        write_finished(finished, commands)


def is_finished(finished: Path, commands: list[str]) -> bool:
    """Whether a stage has been run with these commands; ends the program if it was run with different ones."""
    if not finished.exists():
        return False
    if finished.read_text(encoding="utf-8").splitlines() != commands:
        sys.exit(
            f"{finished.parent} was made with other options (see {finished.name}); name another --work, or remove it"
        )
    return True


def write_finished(finished: Path, commands: list[str]) -> None:
    """Records the commands of a finished stage, for :func:`is_finished`."""
    write_whole(finished, "".join(f"{line}\n" for line in commands))


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is complete as soon as it is there."""
    from s2sft_fairseq.common.atomic_files import write_text  # here: --list and --dry-run do not wait for torch

    write_text(path, text)


def clear(stage: str, run: Run) -> None:
    """Prepares the folder for a stage: removes what an interrupted run left and a new one cannot continue."""
    run.folder_of(stage).mkdir(parents=True, exist_ok=True)
    for folder in run.remade(stage):
        shutil.rmtree(folder, ignore_errors=True)


def execute(line: str, log: Optional[Path] = None) -> None:
    """Runs a command from the root of the repository, with this interpreter's programs first in PATH.

    Its output goes to ``log``, if given. If it fails, so does this program.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    words, environment, root = shlex.split(line), {**os.environ, "PATH": path}, EXAMPLES.parent
    with open(log, "a", encoding="utf-8") if log else nullcontext() as out:
        status = subprocess.run(words, cwd=root, env=environment, stdout=out, stderr=out, check=False).returncode
    if status:
        where = f"; its output is in {log}" if log else ""
        sys.exit(f"this command failed with status {status}{where}: {line}")
