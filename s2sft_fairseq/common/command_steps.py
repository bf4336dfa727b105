"""A longer work as steps of command lines: each is shown as one would type it; a finished step is not repeated."""

import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Iterable, List, Sequence

from .atomic_files import write_text
from .errors import UserError
from .text_lines import read_all_lines

SHOWN = re.compile(r"\| (WARNING|ERROR) \||rror:|\| train_inner \||\| valid \||\| s2sft_fairseq\.|\| Translated |%\|")
"""The lines of fairseq's commands that are shown; all of them are in the log."""

DATED = re.compile(r"\d{4}-\d\d-\d\d ")
"""The beginning of a message; lines without it belong to the message before."""


class Steps:
    """Runs steps, one after the other, and records each in a file when it is finished.

    Args:
        folder: for the records and for the logs.
        again: tells in error messages what to do when a step was finished with other commands.
    """

    def __init__(self, folder: Path, *, again: str) -> None:
        self.folder, self.again = folder, again
        self.lock = -1

    def __enter__(self) -> "Steps":
        """Locks the folder; the lock lasts as long as this process and the commands that it starts.

        Raises:
            UserError: another process has locked it: a second run, or a command that outlived a run that was killed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another process is still working in {self.folder.parent}; wait until it ends") from None
        return self

    def __exit__(self, *_: object) -> None:
        """Releases the lock, and waits until no command has it: an interrupted training's data workers end after it."""
        os.close(self.lock)
        with open(self.folder / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def work(self, name: str, key: Sequence[str], do: Callable[[], Sequence[str]]) -> None:
        """Does a step in this process, unless it is finished, and shows what it reports.

        Args:
            name: of the step.
            key: lines that differ whenever the step would do something else.
            do: does it, and returns the lines of its report.

        Raises:
            UserError: the step was finished with another key.
        """
        print(f"== {name}", flush=True)
        record = self.folder / f"{name}.done"
        if not self.is_finished(record, key):
            write_text(record, "".join(f"{line}\n" for line in (*key, "", *do())))
        report = read_all_lines(record)[len(key) + 1 :]
        print("\n".join(report), flush=True)

    def run(self, name: str, commands: Sequence[Sequence[str]], *, made: Sequence[Path] = ()) -> None:
        """Runs the commands of a step, unless it is finished.

        Args:
            name: of the step.
            commands: the words of each.
            made: folders that an interrupted run leaves and that its commands would not write again.

        Raises:
            UserError: a command failed, or the step was finished with other commands.
        """
        lines = [shlex.join(words) for words in commands]
        print(f"== {name}", flush=True)
        record = self.folder / f"{name}.done"
        finished = self.is_finished(record, lines)
        for folder in () if finished else made:
            shutil.rmtree(folder, ignore_errors=True)
        for line, words in zip(lines, commands):
            print(f"{'finished:' if finished else '$'} {line}", flush=True)
            if not finished:
                self.execute(words, self.folder / f"{name}.log")
        if not finished:
            write_text(record, "".join(f"{line}\n" for line in lines))

    def is_finished(self, record: Path, key: Sequence[str]) -> bool:
        """Whether a step is finished.

        Raises:
            UserError: it is, but with another key.
        """
        if not record.exists():
            return False
        if read_all_lines(record)[: len(key)] != list(key):
            raise UserError(f"{record} is of another run, with other options or other data; {self.again}")
        return True

    def execute(self, words: Sequence[str], log: Path) -> None:
        """Runs a command with the programs of this interpreter first in PATH; of fairseq's output, shows what matters.

        Raises:
            UserError: the command failed, or was interrupted.
        """
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        filtered = words[0].startswith("fairseq-")
        pipes: Dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if filtered else {}
        with subprocess.Popen(
            words, env={**os.environ, "PATH": path}, encoding="utf-8", errors="replace", pass_fds=[self.lock], **pipes
        ) as process:
            try:
                hidden = show(process.stdout, log) if process.stdout else []
                status = process.wait()
            except BaseException as error:
                process.terminate()
                if isinstance(error, KeyboardInterrupt):
                    raise UserError("interrupted; the same command goes on from here") from None
                raise
        if status:
            print("".join(hidden), end="", file=sys.stderr)
            where = f"; {log} has its output" if filtered else ""
            raise UserError(f"{words[0]} ended with status {status}{where}; the same command goes on from here")


def show(output: Iterable[str], log: Path) -> List[str]:
    """Writes lines to a log, and its :data:`SHOWN` lines to standard output; returns the last ones not shown."""
    hidden: Deque[str] = deque(maxlen=5)
    is_shown = False
    with open(log, "a", encoding="utf-8") as file:
        for line in output:
            file.write(line)
            is_shown = bool(SHOWN.search(line)) or (is_shown and not DATED.match(line))
            if is_shown:
                print(line, end="", flush=True)
                hidden.clear()
            else:
                hidden.append(line)
    return list(hidden)
