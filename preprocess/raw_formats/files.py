"""The files of a data set's split, by the names under which they are published, and what is in them."""

import functools
import gzip
import json
import os
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SPLIT_NAMES = {"train": ("train", "training"), "valid": ("valid", "dev", "val", "validation"), "test": ("test",)}
ARCHIVE_REMAINS = "__MACOSX"
COMPRESSED = ".gz"
PAIRS = "SPLIT.tsv, .csv or .jsonl, or SPLIT.src with SPLIT.tgt"


def find(raw: Path, patterns: tuple[str, ...], split: str) -> list[Path]:
    """The files that fit the first pattern that any fits; ``{}`` in it stands for the split by any of its names."""
    for pattern in patterns:
        for name in SPLIT_NAMES[split]:
            found = files(raw, pattern.replace("{}", name))
            if found:
                return found
    return []


def files(raw: Path, pattern: str) -> list[Path]:
    """The files in a folder and below that fit a pattern, or would without ``.gz``.

    In the pattern a star stands for a part of a name, two stars for any folders between.
    """
    words = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    fits = re.compile(f"(?:.*/)?{words}(?:{re.escape(COMPRESSED)})?", re.DOTALL).fullmatch
    return [raw / name for name in listed(raw) if fits(name)]


@functools.lru_cache
def listed(raw: Path) -> list[str]:
    """All files in a folder and below, linked folders too, but hidden ones and what archives of Macs leave.

    The folder is looked through once in a process: CNN/DailyMail has 312,085 files.
    """
    found, seen = [], set()
    for folder, folders, names in os.walk(raw, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = filter(is_data, folders)
        found += [os.path.join(folder, name) for name in filter(is_data, names)]
    return sorted(Path(path).relative_to(raw).as_posix() for path in found if os.path.isfile(path))


def is_data(name: str) -> bool:
    """Whether a file or folder may be a part of a data set."""
    return not name.startswith(".") and name != ARCHIVE_REMAINS


def kind(path: Path) -> str:
    """The ending of a name, that of compression aside."""
    return Path(path.name.removesuffix(COMPRESSED)).suffix


def require(raw: Path, patterns: tuple[str, ...], split: str) -> Path:
    """The file of a split; ends the program with one line if there is none."""
    found = find(raw, patterns, split)
    if not found:
        missing(raw, patterns, split)
    return only(found)


def only(found: list[Path]) -> Path:
    """The first file, with a word on standard error of others that would do as well."""
    if found[1:]:
        print(f"reads {found[0]}, not {', '.join(map(str, found[1:]))}", file=sys.stderr)
    return found[0]


def missing(raw: Path, patterns: tuple[str, ...], split: str) -> None:
    """Ends the program with one line that says what was expected."""
    expected = " or ".join(pattern.replace("{}", SPLIT_NAMES[split][0]) for pattern in patterns)
    sys.exit(f"{raw} has no {split} split; expected {expected} in it or below (or pairs: {PAIRS})")


def read_lines(path: Path) -> Iterator[str]:
    """Yields the lines of a file, which may be compressed, without their ends.

    Only a line feed ends one; CRLF and a byte order mark are taken. A file that cannot be read ends the program with
    one line. This is not the package's reader, which ends at a byte that is not UTF-8: here such bytes become lone
    surrogates, by which :class:`records.Records` knows a malformed record, counts it and goes on.
    """
    opened = gzip.open if path.suffix == COMPRESSED else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
            for line in lines:
                yield line.rstrip("\r\n")
    except (OSError, EOFError, zlib.error) as error:
        sys.exit(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")


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
    except (json.JSONDecodeError, RecursionError) as error:
        sys.exit(f"{path} is no valid JSON: {error}")
