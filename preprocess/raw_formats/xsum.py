"""XSum (Narayan et al., 2018): a file for each article, its sections named between [SN] or, in older files, [XSUM].

ID.summary has the sections FIRST-SENTENCE and RESTBODY, ID.data has INTRODUCTION and RESTBODY. The split of an article
is the list of ids in XSum-TRAINING-DEV-TEST-SPLIT-90-5-5.json that has its id (train, validation, test), or the folder
it lies in.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .files import SPLIT_NAMES, files, find, missing, only, read_json, read_text
from .records import Example, Records, expect

SECTION = re.compile(r"^[ \t]*\[(?:SN|XSUM)\]([A-Z-]+)\[(?:SN|XSUM)\]", re.MULTILINE)
SUMMARIES = ("FIRST-SENTENCE", "INTRODUCTION")
LISTS = "*SPLIT*.json"
FOLDERS = ("*{}*/**/*.summary", "*{}*/**/*.data")


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the articles of a split."""
    lists = files(raw, LISTS)
    paths = listed(raw, only(lists), split, records) if lists else iter(find(raw, FOLDERS, split))
    first = next(paths, None)
    if first is None and not lists:
        missing(raw, (LISTS, *FOLDERS), split)
    for path in (first, *paths):
        if path is not None:
            yield from records.take(str(path), article, read_text(path))


def listed(raw: Path, lists: Path, split: str, records: Records) -> Iterator[Path]:
    """Yields the file of each id of a split; one that is not there is reported."""
    found = {path.stem: path for pattern in ("*.data", "*.summary") for path in files(raw, pattern)}
    content: Any = read_json(lists)
    key = next((name for name in SPLIT_NAMES[split] if isinstance(content, dict) and name in content), split)
    for place, name in records.items(str(lists), content, key):
        if str(name) in found:
            yield found[str(name)]
        else:
            records.report(place, f"no file {name}.summary")


def article(text: str) -> Example:
    """The body, and the first sentence as the target."""
    _, *parts = SECTION.split(text)
    sections = dict(zip(parts[::2], parts[1::2]))
    summary = next((sections[name] for name in SUMMARIES if name in sections), None)
    expect(
        summary is not None and "RESTBODY" in sections,
        f"found the sections {', '.join(sections) or 'none'}; expected {' or '.join(SUMMARIES)}, and RESTBODY",
    )
    return Example(sections["RESTBODY"], str(summary))
