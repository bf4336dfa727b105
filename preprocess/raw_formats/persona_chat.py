"""Persona-Chat (Zhang et al., 2018): what a speaker is like and what was said are read.

As ParlAI publishes it: lines `NUMBER your persona: ...` and `NUMBER said<TAB>response<TAB>...`; a number that is not
above the one before begins a conversation. Or personachat_self_original.json: {"train": [{"personality": [...],
"utterances": [{"history": [...], "candidates": [..., response]}]}], "valid": ...}, whose valid split is the test split.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .files import SPLIT_NAMES, files, find, numbered_lines, only, read_json, require
from .records import Example, Records, expect

FILES = ("{}_self_original.txt", "{}_self_original_no_cands.txt", "{}*.txt")
JSON = "*persona*chat*.json"
LINE = re.compile(r"(\d+) (your persona: ?|partner's persona: ?)?(.*)", re.DOTALL)
EXCHANGE = 2  # columns: what is said and the response; candidates follow


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields every response with the persona and what was said before it."""
    published = files(raw, JSON)
    if published and not find(raw, FILES, split):
        yield from from_json(only(published), split, records)
    else:
        yield from from_lines(require(raw, FILES, split), records)


def from_lines(path: Path, records: Records) -> Iterator[Example]:
    """Yields the responses in ParlAI's lines."""
    persona: list[str] = []
    said: list[str] = []
    last = 0
    for place, line in numbered_lines(path):
        match = LINE.fullmatch(line)
        if match and int(match[1]) <= last:
            persona, said = [], []
        last = int(match[1]) if match else last
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


def from_json(path: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the responses in the JSON file."""
    content: Any = read_json(path)
    splits = SPLIT_NAMES["train" if split == "train" else "valid"]
    if split == "test" and isinstance(content, dict) and "test" in content:
        splits = SPLIT_NAMES[split]
    key = next((name for name in splits if isinstance(content, dict) and name in content), splits[0])
    for place, dialogue in records.items(str(path), content, key):
        for below, utterance in records.items(place, dialogue, "utterances"):
            yield from records.take(below, answered, dialogue, utterance)


def answered(dialogue: dict[str, Any], utterance: dict[str, Any]) -> Example:
    """The persona and what was said, and the last candidate, which is the response, as the target."""
    expect(utterance["candidates"], "no candidates; expected the response as the last one")
    return Example(" ".join(dialogue["personality"]), utterance["candidates"][-1], turns=tuple(utterance["history"]))
