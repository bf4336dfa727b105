"""Runs what the pages say, as a reader would, on a tiny encoder: blocks in bash and in Python, made small."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Collection, Dict, List, Optional, Tuple

from commands import environment, run
from pages import PAGES, Block, blocks

NOT_RUN: Dict[Tuple[str, str], str] = {
    ("README.md", "bash examples/quickstart/run.sh"): "installs and trains for minutes; and these tests themselves",
    ("docs/installing.md", "bash install.sh\n"): "installs; every run of the tests by tests/run.sh begins with it",
    ("docs/installing.md", "bash install.sh --cpu"): "installs",
    ("docs/installing.md", 'pip install --no-deps "fairseq==0.12.2"'): "installs",
    ("docs/own-data.md", "python preprocess/package_descriptions.py"): "fetches the system's lists of packages",
    ("docs/own-data.md", "torchrun"): "needs several GPUs; tests of distributed training run it on CPUs",
    ("docs/speed.md", "python benchmarks/run.py"): "takes two minutes; the benchmarks have tests of their own",
}  # fmt: skip
"""Blocks that are not run here, by their page and how they begin, and why."""

SMALLER = {
    r"^\. \.venv/bin/activate\n": "",
    r"^BERT=/path/to/bert-base-uncased\n": "",
    r"\$BERT\b": "BERT",
    r"--total-num-update 30000": "--total-num-update 4",
    r"--max-update 30000": "--max-update 4",
    r"--warmup-updates 1000": "--warmup-updates 1",
    r"--fp16 --fp16-no-flatten-grads": "--cpu",
    r"--fp16": "--cpu",
    r"--to run$": "--to run --max-update 4",
    r"--to docstrings$": "--to docstrings --packages tqdm jinja2 networkx",
}
"""What is changed before a block is run: where the encoder lies, how long it trains and on what, how much text."""

LOOP = re.compile(r"^for (\w+) in (.*); do\n(.*?)^done\n", re.MULTILINE | re.DOTALL)
STATEMENT = re.compile(r".*?(?<![\\|])(?:\n|\Z)", re.DOTALL)
OPERATORS = set("|&;<>()")


def excuse(block: Block) -> Optional[Tuple[str, str]]:
    """The entry of NOT_RUN that a block answers to, if it has one."""
    return next((key for key in NOT_RUN if key[0] == block.page and block.text.startswith(key[1])), None)


def all_blocks() -> List[Block]:
    """The fenced blocks of all pages."""
    return [block for page in PAGES for block in blocks(page)]


def runnable(page: Path) -> List[Block]:
    """A page's blocks that are to be run, in their order."""
    return [block for block in blocks(page) if block.language and excuse(block) is None]


def smaller(commands: str) -> str:
    """The commands for a tiny encoder and few updates, without a GPU."""
    for pattern, small in SMALLER.items():
        commands = re.sub(pattern, small, commands, flags=re.MULTILINE)
    return commands


def run_block(block: Block, folder: Path, *, done: Collection[str] = ()) -> None:
    """Runs a block in bash from a folder, statement by statement, but for those that were run there before."""
    for statement in statements(block):
        if statement not in done:
            run_statement(statement, folder)


def statements(block: Block) -> List[str]:
    """What a block has bash do, made small: loops unrolled, each statement as it is written."""
    flat = LOOP.sub(unrolled, smaller(block.text))
    return [statement for statement in STATEMENT.findall(flat) if statement.strip()]


def unrolled(loop: "re.Match[str]") -> str:
    """The body of a loop, once for each of its words."""
    variable, words, body = loop.groups()
    return "".join(re.sub(rf"\${variable}\b", word, body) for word in words.split())


def run_statement(statement: str, folder: Path) -> None:
    """Runs one in a fork if it is a single command, else in bash."""
    words = single_command(statement)
    if words is not None:
        run(words, cwd=folder)
        return
    script = ["bash", "-c", f"set -eo pipefail\n{statement}"]
    done = subprocess.run(script, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{statement}\n{done.stderr[-3000:]}"


def single_command(statement: str) -> Optional[List[str]]:
    """The words of a command, none of a comment; None if only a shell understands it."""
    lexer = shlex.shlex(statement.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    return None if "$" in statement or any(word and set(word) <= OPERATORS for word in words) else words
