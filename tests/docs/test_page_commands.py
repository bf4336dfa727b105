"""Every command of README.md and docs/ runs as it stands, but for sizes and paths; what is not run is listed."""

import os
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from blocks_run import NOT_RUN, SMALLER, all_blocks, excuse, run_block, runnable, statements
from pages import PAGES, README, Block, name
from workplaces import own_data


def known_by(block: Block) -> str:
    """The page and the beginning of a block."""
    return f"{block.page}: {block.text[:40]}"


@pytest.fixture
def inside(workplace: Path) -> Iterator[Path]:
    """The workplace as the current directory."""
    before = Path.cwd()
    os.chdir(workplace)
    yield workplace
    os.chdir(before)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name)
def test_commands_of_a_page(page: Path, inside: Path) -> None:
    """In their order, each page after the README's commands for own data alone."""
    for block in runnable(page):
        if block.language == "python":
            exec(compile(block.text, block.page, "exec"), {})
        else:
            run_block(block, inside, done=statements(own_data()))


@pytest.mark.slow
def test_own_data_is_generated(workplace: Path) -> None:
    results = (workplace / "results" / "generate-test.txt").read_text(encoding="utf-8")
    assert len(re.findall(r"^D-", results, re.MULTILINE)) == 15


@pytest.mark.slow
def test_python_example_prints_its_answers(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two summaries, the best of two lists, and two probabilities in a line."""
    (example,) = [block for block in runnable(README) if block.language == "python"]
    exec(compile(example.text, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.parametrize("block", [block for block in all_blocks() if block.language == "bash"], ids=known_by)
def test_bash_understands_it(block: Block) -> None:
    subprocess.run(["bash", "-n", "-c", block.text], check=True)


@pytest.mark.parametrize("block", all_blocks(), ids=known_by)
def test_no_command_hides_from_the_tests(block: Block) -> None:
    """A block says that it is bash or Python, or has no command in it."""
    assert block.language in ("bash", "python", "")
    assert block.language or not re.search(r"^(\$ )?(fairseq-|python |bash |pip )", block.text, re.MULTILINE)


@pytest.mark.parametrize("key", NOT_RUN, ids=": ".join)
def test_what_is_not_run_is_there(key: "tuple[str, str]") -> None:
    """Once, and with a reason."""
    assert sum(excuse(block) == key for block in all_blocks()) == 1, "take it out of NOT_RUN, or tell the blocks apart"
    assert NOT_RUN[key]


@pytest.mark.parametrize("pattern", SMALLER)
def test_what_is_made_smaller_is_there(pattern: str) -> None:
    found = [block for block in all_blocks() if re.search(pattern, block.text, re.MULTILINE)]
    assert found, "no page says this any more; take it out of SMALLER"
