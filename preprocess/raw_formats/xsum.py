"""XSum (Narayan et al., 2018): a file ID.summary for each article, with the sections FIRST-SENTENCE and RESTBODY.

The split of an article is the list of ids in XSum-TRAINING-DEV-TEST-SPLIT-90-5-5.json that has its id (train,
validation, test), or the folder it lies in.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from .files import SPLIT_NAMES, find, missing, read_json, read_text
from .records import Example, Records, expect

SECTIONS = re.compile(r"\[SN\]FIRST-SENTENCE\[SN\](.*?)\[SN\]RESTBODY\[SN\](.*)", re.DOTALL)
LISTS = "*SPLIT*.json"
FOLDERS = ("*{}*/**/*.summary",)


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the articles of a split."""
    lists = sorted(raw.rglob(LISTS))
    paths = listed(raw, lists[0], split, records) if lists else iter(find(raw, FOLDERS, split))
    first = next(paths, None)
    if first is None:
        missing(raw, (LISTS, *FOLDERS), split)
    for path in (first, *paths):
        if path is not None:
            yield from records.take(str(path), article, read_text(path))


def listed(raw: Path, lists: Path, split: str, records: Records) -> Iterator[Path]:
    """Yields the file of each id of a split; one that is not there is reported."""
    found = {path.stem: path for path in raw.rglob("*.summary")}
    content = read_json(lists)
    key = next((name for name in SPLIT_NAMES[split] if isinstance(content, dict) and name in content), split)
    for place, name in records.items(str(lists), content, key):
        if str(name) in found:
            yield found[str(name)]
        else:
            records.report(place, f"no file {name}.summary")


def article(text: str) -> Example:
    """The body, and the first sentence as the target."""
    parts = SECTIONS.search(text)
    expect(parts, "expected the sections [SN]FIRST-SENTENCE[SN] and [SN]RESTBODY[SN]")
    assert parts is not None
    return Example(parts[2], parts[1])
