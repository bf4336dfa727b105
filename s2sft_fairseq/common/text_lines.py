"""Reads UTF-8 texts, line by line or as a whole; a file that cannot be read is reported in one clear line.

Files compressed by gzip, bzip2 or xz are read as what they contain.

Only a line feed ends a line, so line n of the sources matches line n of the targets, whatever characters they contain.
The line feed is not part of the line, and neither is a carriage return before it.
"""

import json
import sys
import unicodedata
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ContextManager, Dict, Iterable, Iterator, List, Union

from .compressed_files import open_decompressed
from .errors import UserError
from .utf8 import explain_bad_utf8

STANDARD = "-"
"""Stands for standard input or output on command lines; a ``Path`` always names a file."""

UNPRINTABLE = {"Cc", "Cs"}
"""Unicode categories: control characters, lone surrogates."""

STANDARD_INPUT = "standard input"
"""The name of standard input in error messages."""


def read_lines(path: Union[str, Path]) -> Iterator[str]:
    """Yields the lines of a file or of standard input (the string ``-``) one at a time, in constant memory.

    A byte order mark counts as text, as in fairseq-interactive and fairseq-preprocess.

    Raises:
        UserError: the file cannot be read, or is not UTF-8.
    """
    name = STANDARD_INPUT if path == STANDARD else str(path)
    try:
        with open_bytes(path) as lines:
            yield from decoded_lines(lines, name)
    except OSError as error:
        raise UserError(cannot_be_read(name, error)) from None


def open_bytes(path: Union[str, Path]) -> ContextManager[Iterable[bytes]]:
    """The lines of a file or of standard input, which is not closed."""
    return nullcontext(sys.stdin.buffer) if path == STANDARD else open_decompressed(path)


def decoded_lines(lines: Iterable[bytes], name: str) -> Iterator[str]:
    """Decodes lines; ``name`` is the file's name in error messages."""
    for number, line in enumerate(lines, start=1):
        try:
            yield without_end(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise UserError(explain_bad_utf8(f"{name}: line {number}", error)) from None


def without_end(line: str) -> str:
    """A line without its final LF or CRLF; the last line of a file may have none."""
    line = line[:-1] if line.endswith("\n") else line
    return line[:-1] if line.endswith("\r") else line


def on_one_line(text: str) -> str:
    r"""A text with each run of whitespace, line separators of any kind included, replaced by one space.

    Control characters and lone surrogates, which UTF-8 cannot encode, are dropped, so that a line remains one line both
    for readers that split at line feeds and for those that use ``str.splitlines``.

    >>> on_one_line(" two\r\nlines,\u2028or three\x00 ")
    'two lines, or three'
    """
    text = " ".join(text.split())
    if text.isprintable():
        return text
    return " ".join("".join(c for c in text if unicodedata.category(c) not in UNPRINTABLE).split())


def count_lines(path: Union[str, Path]) -> int:
    """The number of lines in a file, all of which are decoded.

    Raises:
        UserError: the file cannot be read, or is not UTF-8.
    """
    return sum(1 for _ in read_lines(path))


def check_line_counts(paths: Iterable[Union[str, Path]]) -> None:
    """Raises UserError unless files, line n of which belong together, have the same number of lines."""
    counts = {path: count_lines(path) for path in paths}
    if len(set(counts.values())) > 1:
        found = " and ".join(f"{path} has {count:,} lines" for path, count in counts.items())
        raise UserError(f"{found}; expected one line of each per pair")


def read_text(path: Path) -> str:
    """The whole content of a file, without a byte order mark.

    Raises:
        UserError: the file cannot be read, or is not UTF-8.
    """
    try:
        with open_decompressed(path) as file:
            content = file.read()
    except OSError as error:
        raise UserError(cannot_be_read(str(path), error)) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(explain_bad_utf8(f"{path}: line {line}", error)) from None


def split_lines(text: str) -> List[str]:
    r"""The lines of a text; only LF and CRLF end a line.

    >>> split_lines("one\u2028and\x0cone\r\n\ntwo")
    ['one\u2028and\x0cone', '', 'two']
    """
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [without_end(line) for line in lines]


def read_all_lines(path: Path) -> List[str]:
    """All lines of a file at once, without a byte order mark.

    Raises:
        UserError: the file cannot be read, or is not UTF-8.
    """
    return split_lines(read_text(path))


def read_json(path: Path) -> Dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UserError: the file cannot be read, is not JSON, or holds something else.
    """
    content = parse_json(path)
    if not isinstance(content, dict):
        found = type(content).__name__
        raise UserError(f"{path} contains a JSON {found}; expected an object, {{...}}")
    return content


def parse_json(path: Path) -> Any:
    """The content of a JSON file, of any type.

    Raises:
        UserError: the file cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:  # the latter: brackets in brackets without end
        raise UserError(f"{path} is not valid JSON: {error}; copy it again") from None


def cannot_be_read(name: str, error: OSError) -> str:
    """One line about a file that does not exist, is a directory or may not be opened."""
    return f"{name} cannot be read: {error.strerror or error}"
