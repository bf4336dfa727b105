"""Files that several parts of one command ask for are parsed once, as long as they do not change."""

import functools
from pathlib import Path
from typing import Callable, TypeVar

Content = TypeVar("Content")

KEPT = 4
"""How many files' contents are remembered: a command reads few, and a vocabulary of 250,000 tokens takes 30 MB."""


def parsed_once(parse: Callable[[Path], Content]) -> Callable[[Path], Content]:
    """A function that remembers what was in the last few files; callers must not change what they get.

    A file whose inode, size or time of change is another one is parsed again. Errors are not remembered.
    """

    @functools.lru_cache(maxsize=KEPT)
    def parse_state(file: Path, inode: int, size: int, changed: int) -> Content:
        return parse(file)

    @functools.wraps(parse)
    def parse_or_recall(file: Path) -> Content:
        try:
            state = file.stat()
        except OSError:  # the parser says what is wrong
            return parse(file)
        return parse_state(file.absolute(), state.st_ino, state.st_size, state.st_mtime_ns)

    return parse_or_recall
