"""The files of a data set's split, by the names under which they are published."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from text_files import read_lines

SPLIT_NAMES = {"train": ("train", "training"), "valid": ("valid", "dev", "val", "validation"), "test": ("test",)}


def find(raw: Path, patterns: tuple[str, ...], split: str) -> list[Path]:
    """The files that fit the first pattern that any fits; ``{}`` in it stands for the split by any of its names."""
    for pattern in patterns:
        for name in SPLIT_NAMES[split]:
            found = sorted(path for path in raw.rglob(pattern.replace("{}", name)) if path.is_file())
            if found:
                return found
    return []


def require(raw: Path, patterns: tuple[str, ...], split: str) -> Path:
    """The file of a split; ends the program with one line if there is none."""
    found = find(raw, patterns, split)
    if not found:
        missing(raw, patterns, split)
    return found[0]


def missing(raw: Path, patterns: tuple[str, ...], split: str) -> None:
    """Ends the program with one line that says what was expected."""
    expected = " or ".join(pattern.replace("{}", SPLIT_NAMES[split][0]) for pattern in patterns)
    sys.exit(f"{raw} has no {split} split; expected {expected} in it or below")


def numbered_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields each line with its place."""
    return ((f"{path}, line {number}", line) for number, line in enumerate(read_lines(path), 1))


def read_text(path: Path) -> str:
    """The text of a file."""
    return "\n".join(read_lines(path))


def read_json(path: Path) -> Any:
    """What a JSON file holds; the program ends with one line if it is none."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        sys.exit(f"{path} is no valid JSON: {error}")
