"""The project's pages in Markdown: their fenced blocks, links and headings, as GitHub sees them."""

import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Set

from commands import ROOT

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *DOCS]

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*?)\s*$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its page, relative to the root, its language, and what it says."""

    page: str
    language: str
    text: str


def name(page: Path) -> str:
    """A page's path, as a reader would write it."""
    return page.relative_to(ROOT).as_posix()


def text(page: Path) -> str:
    """What a page says."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> List[Block]:
    """The fenced blocks of a page, in their order."""
    return [Block(name(page), language, said) for language, said in FENCED.findall(text(page))]


def links(page: Path) -> List[str]:
    """Where a page's links and pictures point to."""
    return LINK.findall(FENCED.sub("", text(page)))


def anchors(page: Path) -> Set[str]:
    """The names that GitHub gives to a page's headings: what is repeated gets a number."""
    found: Set[str] = set()
    for heading in HEADING.findall(FENCED.sub("", text(page))):
        found.add(next(anchor for anchor in numbered(slug(heading)) if anchor not in found))
    return found


def numbered(anchor: str) -> Iterator[str]:
    """The anchor, and what it becomes where it is taken."""
    yield anchor
    yield from (f"{anchor}-{number}" for number in range(1, 100))


def slug(heading: str) -> str:
    """Lower case without punctuation, hyphens for spaces; of a link its text."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
