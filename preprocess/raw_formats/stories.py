"""CNN/DailyMail (See et al., 2017): files *.story, an article and its highlights, each behind a line @highlight.

The split of a story is that of its address in all_train.txt, all_val.txt and all_test.txt (or wayback_training_urls.txt
and so on, one for each newspaper), where a story is named after the SHA-1 of its address; or else the folder it lies in
(train, val, test, or a part of such a name).
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from .files import files, find, missing, numbered_lines, read_text
from .records import SENTENCE_END, Example, Records, expect

HIGHLIGHT = re.compile(r"^[ \t]*@highlight\b", re.MULTILINE)
LISTS = ("all_{}.txt", "*{}_urls.txt", "mapping_{}.txt")
FOLDERS = ("*{}*/**/*.story",)


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields the stories of a split, those of lists in their order."""
    lists = find(raw, LISTS, split)
    stories = listed_stories(raw, lists, records) if lists else iter(find(raw, FOLDERS, split))
    first = next(stories, None)
    if first is None and not lists:
        missing(raw, (*LISTS, *FOLDERS), split)
    for path in (first, *stories):
        if path is not None:
            yield from records.take(str(path), story, read_text(path))


def listed_stories(raw: Path, lists: list[Path], records: Records) -> Iterator[Path]:
    """Yields the story of each address or name in lists; one that is not there is reported."""
    stories = {path.stem: path for path in files(raw, "*.story")}
    for place, line in (numbered for path in lists for numbered in numbered_lines(path)):
        address = line.strip()
        names = (hashlib.sha1(address.encode("utf-8", "replace")).hexdigest(), address.removesuffix(".story"))
        found = next((stories[name] for name in names if name in stories), None)
        if found:
            yield found
        else:
            records.report(place, f"no file {names[0]}.story for {address!r}")


def story(text: str) -> Example:
    """The article, and its highlights as the sentences of the target: each line below the first @highlight is one."""
    article, *highlights = HIGHLIGHT.split(text)
    expect(highlights, "no highlight; expected lines @highlight below the article")
    sentences = filter(None, (line.strip() for part in highlights for line in part.split("\n")))
    return Example(article, f" {SENTENCE_END} ".join(sentences))
