"""Parses a file once, even if several parts of a command read it, unless it changes."""

import functools
from pathlib import Path
from typing import Callable, TypeVar

Content = TypeVar("Content")

KEPT = 4
"""Number of files whose contents are cached: a command reads few, and a vocabulary of 250,000 tokens takes 30 MB."""


def parsed_once(parse: Callable[[Path], Content]) -> Callable[[Path], Content]:
    """Caches the contents of the last few files; callers must not modify them.

    A file with a different inode, size or modification time is parsed again. Errors are not cached.
    """

    @functools.lru_cache(maxsize=KEPT)
    def parse_state(file: Path, inode: int, size: int, changed: int) -> Content:
        return parse(file)

    @functools.wraps(parse)
    def parse_or_recall(file: Path) -> Content:
        try:
            state = file.stat()
        except OSError:  # the parser reports what is wrong
            return parse(file)
        return parse_state(file.absolute(), state.st_ino, state.st_size, state.st_mtime_ns)

    return parse_or_recall
