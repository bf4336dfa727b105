"""Runs commands in forks of a process that has imported torch, which takes longer than most commands on tiny models.

A fork has the command's arguments, directory, environment, standard streams and exit status, and imports fairseq and
this package itself. As a program this is the process that forks; :class:`ForkServer` is the other end.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

IMPORTED = ("torch._dynamo", "torch.distributed.fsdp", "hydra", "sacrebleu")
"""What fairseq and the optimizers import, and what those do not configure."""


class Done(NamedTuple):
    """A finished command."""

    status: int
    out: str
    err: str


class ForkServer:
    """The process that forks; it ends with this one, when its requests end."""

    def __init__(self) -> None:
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = subprocess.Popen([sys.executable, __file__], **pipes)
        atexit.register(self.process.communicate)

    def run(self, words: Sequence[str], *, stdin: bytes, cwd: Path, env: Dict[str, str]) -> Done:
        """Runs a command: ``python`` with a module or a script, or a script that is installed beside ``python``."""
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder, name) for name in ("in", "out", "err")]
            for path, content in zip(streams, (stdin, b"", b"")):
                path.write_bytes(content)
            request = dict(words=words, cwd=str(cwd), env=env, streams=[str(path) for path in streams])
            print(json.dumps(request), file=self.process.stdin, flush=True)
            status = int(self.process.stdout.readline())
            return Done(status, *(path.read_text(encoding="utf-8", errors="replace") for path in streams[1:]))


def become(*, words: List[str], cwd: str, env: Dict[str, str], streams: List[str]) -> int:
    """Runs a command in this process, and returns its exit status."""
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    try:
        call(words)
    except SystemExit as end:
        return status_of(end)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def call(words: List[str]) -> None:
    """Runs what the interpreter would run, with its ``sys.argv`` and ``sys.path[0]``."""
    if words[:2] == ["python", "-m"]:
        sys.argv, sys.path[0] = words[2:], os.getcwd()
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    else:
        script = words[1:] if words[0] == "python" else [str(Path(sys.executable).with_name(words[0])), *words[1:]]
        sys.argv, sys.path[0] = script, str(Path(script[0]).resolve().parent)
        runpy.run_path(script[0], run_name="__main__")


def status_of(end: SystemExit) -> int:
    """What the interpreter makes of ``sys.exit(…)``."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def main() -> None:
    """Serves until the requests end. Forks end without taking the interpreter apart, which would take 0.3 s."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # else each fork's collections would copy all of it
    for line in requests:
        child = os.fork()
        if not child:
            status = become(**json.loads(line))
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


if __name__ == "__main__":
    main()
