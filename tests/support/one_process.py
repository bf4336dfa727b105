"""Runs many commands in one process: importing fairseq takes longer than any of them on a tiny model.

As a program it reads a command a line (JSON) and answers each with what it printed; :class:`Session` is the other end.
"""

import contextlib
import importlib
import io
import json
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Iterator, List, Sequence, TextIO

from commands import ROOT, environment

MODULES = {f"fairseq-{name}": f"fairseq_cli.{name}" for name in ("preprocess", "train", "generate")}


def call(command: List[str]) -> None:
    """Calls what the command's start-up script calls: an entry point of fairseq's, or a module's ``main``."""
    if command[:2] == ["python", "-m"]:
        sys.argv = command[2:]
        module = importlib.import_module(command[2])
        importlib.import_module("s2sft_fairseq.common.fairseq_patches").run_command(module.main)
    else:
        sys.argv = command
        importlib.import_module(MODULES[command[0]]).cli_main()


@contextlib.contextmanager
def capture() -> Iterator[io.StringIO]:
    """Collects what is printed and logged."""
    printed = io.StringIO()
    handler = logging.StreamHandler(printed)
    handler.setFormatter(logging.Formatter("%(name)s | %(message)s"))
    logging.getLogger().addHandler(handler)
    with contextlib.redirect_stdout(printed):
        yield printed
    logging.getLogger().removeHandler(handler)


def answer(command: List[str]) -> List[Any]:
    """Whether a command succeeded, and what it printed or how it failed."""
    with capture() as printed:
        try:
            call(command)
        except (Exception, SystemExit):
            return [False, traceback.format_exc()]
    return [True, printed.getvalue()]


class Session:
    """A process that runs one command after another; as a context it ends with the block."""

    def __enter__(self) -> "Session":
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.process = subprocess.Popen([sys.executable, __file__], cwd=ROOT, env=environment(), **pipes)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def run(self, command: Sequence[object]) -> str:
        """Runs a command that must succeed, and returns what it printed."""
        print(json.dumps([str(word) for word in command]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, f"the process died of {command}"
        succeeded, text = json.loads(line)
        assert succeeded, f"{command} failed:\n{text[-3000:]}"
        return text


def main(requests: TextIO, answers: TextIO) -> None:
    """Serves until the requests end; the commands have an empty stdin of their own."""
    sys.path.insert(0, str(Path.cwd()))
    logging.basicConfig(level=logging.INFO, handlers=[logging.NullHandler()])  # fairseq's would keep the first stdout
    with open(os.devnull) as sys.stdin, contextlib.redirect_stdout(sys.stderr):
        for line in requests:
            print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
