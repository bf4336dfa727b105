"""Links lead somewhere, a newcomer's page stays one page, and every page can be found from it."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import List, Tuple
from urllib.parse import urlsplit

import pytest
from commands import ROOT
from pages import DOCS, PAGES, README, anchors, links, name, slug, text

EXAMPLES = [*sorted((ROOT / "examples").glob("**/README.md")), ROOT / "examples" / "RESULTS.md"]
LINKED = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks" / "results" / "results.md",
    *EXAMPLES,
]
EXTERNAL = re.compile(r"https?://[\w.-]+\.[a-z]{2,}(/[\w./~%#?=&+-]*)?")
OWN_FILE = re.compile(r"(?<![\w./-])((?:s2sft_fairseq|preprocess|examples|benchmarks|tests|docs)/[\w./-]*\w)")
OWN_MODULE = re.compile(r"python -m (s2sft_fairseq[\w.]*)")
MOST_LINES, WIDTH = 150, 120

ALL_LINKS: List[Tuple[Path, str]] = [(page, link) for page in LINKED for link in links(page)]


@pytest.mark.parametrize("page, link", ALL_LINKS, ids=lambda part: part if isinstance(part, str) else name(part))
def test_link_leads_somewhere(page: Path, link: str) -> None:
    """To a file and, in a page, to a heading; what is on other sites is only looked at."""
    if urlsplit(link).scheme:
        assert EXTERNAL.fullmatch(link), "no address of a web page"
        return
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    assert target.exists(), f"{target} does not exist"
    assert target.is_relative_to(ROOT), "leads out of the repository"
    assert not anchor or anchor in anchors(target), f"{name(target)} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_and_modules_exist(page: Path) -> None:
    """Those that a page names by their path in the repository, or for ``python -m``."""
    assert [path for path in OWN_FILE.findall(text(page)) if not (ROOT / path).exists()] == []
    assert [module for module in OWN_MODULE.findall(text(page)) if find_spec(module) is None] == []


def test_readme_is_one_page() -> None:
    assert len(text(README).splitlines()) <= MOST_LINES


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_lines_are_short(page: Path) -> None:
    """But for tables, whose rows cannot be wrapped."""
    long = [line for line in text(page).splitlines() if len(line) > WIDTH and not line.startswith("| ")]
    assert not long


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_readme_leads_to_every_page(page: Path) -> None:
    assert name(page) in {link.partition("#")[0] for link in links(README)}


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_page_begins_with_its_question(page: Path) -> None:
    """A title, and in one line what the page answers."""
    title, empty, question, *_ = text(page).splitlines()
    assert title.startswith("# ") and not empty
    assert re.fullmatch(r"\*.+\?.*\*", question)


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Your own data", "your-own-data"),
        ("5. Generate", "5-generate"),
        ("Data in fairseq's classical way", "data-in-fairseqs-classical-way"),
        ("`pieces.py`, and [fairseq](https://x.org)", "piecespy-and-fairseq"),
        ("Python docstrings → their summary lines", "python-docstrings--their-summary-lines"),
        ("what_is × this", "what_is--this"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor
