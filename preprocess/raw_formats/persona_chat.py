"""Persona-Chat (Zhang et al., 2018) as ParlAI publishes it: what a speaker is like and what was said are read.

Lines `NUMBER your persona: ...` and `NUMBER said<TAB>response<TAB>...`; the number 1 begins a conversation.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from .files import numbered_lines, require
from .records import Example, Records, expect

FILES = ("{}_self_original.txt", "{}_self_original_no_cands.txt", "{}*.txt")
LINE = re.compile(r"(\d+) (your persona: |partner's persona: )?(.*)", re.DOTALL)
EXCHANGE = 2  # columns: what is said and the response; candidates follow


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields every response with the persona and what was said before it."""
    persona: list[str] = []
    said: list[str] = []
    for place, line in numbered_lines(require(raw, FILES, split)):
        match = LINE.fullmatch(line)
        if match and match[1] == "1":
            persona, said = [], []
        if match and match[2]:
            persona += [match[3]] if match[2].startswith("your") else []
            continue
        yield from records.take(place, response, persona, said, match[3] if match else "")
        said += match[3].split("\t")[:EXCHANGE] if match else []


def response(persona: list[str], said: list[str], exchange: str) -> Example:
    """The persona and what was said, and the response as the target."""
    cells = exchange.split("\t")
    expect(len(cells) >= EXCHANGE, "expected NUMBER TEXT, a tab and the response")
    return Example(" ".join(persona), cells[1], turns=(*said, cells[0]))
