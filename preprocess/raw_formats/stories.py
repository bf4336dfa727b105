"""CNN/DailyMail (See et al., 2017): files *.story, an article and its highlights, each behind a line @highlight.

The split of a story is the folder it lies in (train, val, test, or a part of such a name), or that of its address in
all_train.txt, all_val.txt and all_test.txt, where a story is named after the SHA-1 of its address.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from text_files import read_lines

from .files import find, missing, read_text
from .records import SENTENCE_END, Example, Records, expect

HIGHLIGHT = "@highlight"
LISTS = ("all_{}.txt", "{}_urls.txt")
FOLDERS = ("*{}*/**/*.story",)


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the stories of a split, those of a list in its order."""
    listed = find(raw, LISTS, split)
    stories = listed_stories(raw, listed[0], records) if listed else iter(find(raw, FOLDERS, split))
    first = next(stories, None)
    if first is None:
        missing(raw, (*LISTS, *FOLDERS), split)
    for path in (first, *stories):
        if path is not None:
            yield from records.take(str(path), story, read_text(path))


def listed_stories(raw: Path, addresses: Path, records: Records) -> Iterator[Path]:
    """Yields the story of each address of a list; one that is not there is reported."""
    stories = {path.stem: path for path in raw.rglob("*.story")}
    for number, address in enumerate(read_lines(addresses), 1):
        name = hashlib.sha1(address.strip().encode("utf-8")).hexdigest()
        if name in stories:
            yield stories[name]
        else:
            records.report(f"{addresses}, line {number}", f"no file {name}.story for {address}")


def story(text: str) -> Example:
    """The article, and its highlights as the sentences of the target."""
    article, *highlights = text.split(HIGHLIGHT)
    expect(highlights, f"no highlight; expected lines {HIGHLIGHT} below the article")
    return Example(article, f" {SENTENCE_END} ".join(filter(None, map(str.strip, highlights))))
