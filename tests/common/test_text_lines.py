"""Reading of text files: what ends a line, what a byte order mark is, and one wording of what cannot be read."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2sft_fairseq.common import text_lines
from s2sft_fairseq.common.errors import UserError, one_line
from s2sft_fairseq.common.text_lines import (
    count_lines,
    on_one_line,
    parse_json,
    read_all_lines,
    read_json,
    read_lines,
    read_text,
    split_lines,
)

READERS = {"lines": lambda path: list(read_lines(path)), "all lines": read_all_lines, "text": read_text}
CONVERT = "convert it first, for instance with `iconv -f LATIN1 -t UTF-8 FILE`"


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("read", [lambda path: list(read_lines(path)), read_all_lines], ids=["lines", "all lines"])
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"\n\n", ["", ""]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\rb\x0bc\x0cd\n", ["a\rb\x0bc\x0cd"]),
        ("a\u2028b\u2029c\x85d\n \n".encode(), ["a\u2028b\u2029c\x85d", " "]),
    ],
)
def test_only_a_line_feed_ends_a_line(read: Callable, content: bytes, lines: list, tmp_path: Path) -> None:
    path = written(tmp_path / "text", content)
    assert read(path) == lines
    assert count_lines(path) == len(lines)


@given(st.text())
def test_both_readers_agree(text: str) -> None:
    streamed = list(text_lines.decoded_lines(io.BytesIO(text.encode()), "text"))
    assert streamed == split_lines(text)


def test_byte_order_mark(tmp_path: Path) -> None:
    """A stream keeps it, as fairseq does; what is read whole is without it."""
    path = written(tmp_path / "text", b"\xef\xbb\xbfa\n")
    assert list(read_lines(path)) == ["\ufeffa"]
    assert read_all_lines(path) == ["a"] and read_text(path) == "a\n"


def test_lines_are_read_one_by_one(tmp_path: Path) -> None:
    lines = read_lines(written(tmp_path / "text", b"good\n\xe9\n"))
    assert next(lines) == "good"
    with pytest.raises(UserError):
        next(lines)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a\n\xe9\n")))
    lines = read_lines("-")
    assert next(lines) == "a"
    with pytest.raises(UserError, match=r"^standard input: line 2 is not valid UTF-8"):
        next(lines)


@pytest.mark.parametrize("name", READERS)
def test_not_utf8(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "text", "one\ntwo\ndéjà\n".encode("latin-1"))
    with pytest.raises(UserError) as error:
        READERS[name](path)
    expected = f"{path}: line 3 is not valid UTF-8 (byte 0xe9: invalid continuation byte); {CONVERT}"
    assert str(error.value) == expected


def test_uncaught_error_is_worded_alike() -> None:
    with pytest.raises(UnicodeDecodeError) as error:
        b"d\xe9j".decode("utf-8")
    expected = f"the input is not valid UTF-8 (byte 0xe9: invalid continuation byte); {CONVERT}"
    assert one_line(error.value) == expected


@pytest.mark.parametrize("name", READERS)
def test_what_cannot_be_read(name: str, tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "nowhere", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(UserError) as error:
            READERS[name](path)
        assert str(error.value) == f"{path} cannot be read: {reason}"


class TestJson:
    def test_content(self, tmp_path: Path) -> None:
        assert read_json(written(tmp_path / "object", b'\xef\xbb\xbf{"a": 1}')) == {"a": 1}
        assert parse_json(written(tmp_path / "list", b"[1]")) == [1]

    def test_no_json(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"text is not valid JSON: .*line 1"):
            parse_json(written(tmp_path / "text", b"{"))

    def test_no_object(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="text contains a JSON list; expected an object"):
            read_json(written(tmp_path / "text", b"[]"))


def test_a_path_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(Path("-"), b"of the file\n")
    assert list(read_lines(Path("-"))) == ["of the file"]


@given(st.text())
def test_one_line_is_one_line_to_every_reader(text: str) -> None:
    line = on_one_line(text)
    assert len(f"{line}\n".splitlines()) == 1
    assert "\t" not in line and line == line.strip() == on_one_line(line)
    assert line.encode("utf-8").decode("utf-8") == line


@pytest.mark.parametrize("separator", ["\r\n", *"\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"])
def test_separators_become_spaces(separator: str) -> None:
    assert on_one_line(f" a{separator}b{separator}") == "a b"
