"""Files appear whole or not at all, and a failure leaves what was there before."""

from pathlib import Path
from typing import Callable, Dict, Iterator

import pytest

from s2sft_fairseq.common.atomic_files import (
    growing,
    whole_files,
    whole_lines,
    whole_texts,
    write_line_files,
    write_text,
)
from s2sft_fairseq.common.errors import UserError


def contents(folder: Path) -> Dict[str, str]:
    """All that is in a folder, temporary files and folders included."""
    return {path.name: path.read_bytes().decode() for path in folder.iterdir()}


def in_folder(folder: Path, fail: Callable[[], None]) -> None:
    with whole_files(folder) as workshop:
        for name in ("a", "b"):
            (workshop / name).write_text("new\n")
        fail()


def side_by_side(folder: Path, fail: Callable[[], None]) -> None:
    with whole_texts([folder / "a", folder / "b"]) as files:
        for file in files:
            file.write("new\n")
        fail()


def line_by_line(folder: Path, fail: Callable[[], None]) -> None:
    with whole_lines(folder / "a") as write_first, whole_lines(folder / "b") as write_second:
        write_first(["new"])
        write_second(["new"])
        fail()


WRITERS = {"folder": in_folder, "side by side": side_by_side, "line by line": line_by_line}


@pytest.mark.parametrize("name", WRITERS)
class TestWhole:
    def test_complete(self, name: str, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "folder"
        WRITERS[name](folder, lambda: None)
        assert contents(folder) == {"a": "new\n", "b": "new\n"}

    def test_nothing_has_its_name_before_the_end(self, name: str, tmp_path: Path) -> None:
        there = []
        WRITERS[name](tmp_path, lambda: there.extend(path for path in tmp_path.iterdir() if path.is_file()))
        assert there == []

    def test_failure_leaves_what_was_there(self, name: str, tmp_path: Path) -> None:
        def fail() -> None:
            raise RuntimeError("interrupted")

        (tmp_path / "a").write_text("old\n")
        with pytest.raises(RuntimeError):
            WRITERS[name](tmp_path, fail)
        assert contents(tmp_path) == {"a": "old\n"}


class TestText:
    def test_file(self, tmp_path: Path) -> None:
        write_text(tmp_path / "new" / "text", "é\r\n")
        assert (tmp_path / "new" / "text").read_bytes() == "é\r\n".encode()

    def test_directory(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=f"^{tmp_path} is not a file; expected the name of a file to write$"):
            write_text(tmp_path, "text")


class TestGrowing:
    def interrupted(self, path: Path) -> Path:
        """Writes a window of two lines and a half of the next, and is stopped."""
        with pytest.raises(RuntimeError), growing(str(path), stamp="s", resume=False, window=2) as text:
            text.write(["1", "2"])
            text.write(["3"])
            raise RuntimeError("interrupted")
        return path.with_name("text.s.partial")

    def test_goes_on_after_whole_windows(self, tmp_path: Path) -> None:
        partial = self.interrupted(tmp_path / "text")
        assert contents(tmp_path) == {partial.name: "1\n2\n3\n"}
        with growing(str(tmp_path / "text"), stamp="s", resume=True, window=2) as text:
            assert text.kept == 2
            text.write(["3", "4"])
        assert contents(tmp_path) == {"text": "1\n2\n3\n4\n"}

    @pytest.mark.parametrize("options", [{"stamp": "s", "resume": False}, {"stamp": "other", "resume": True}])
    def test_begins_anew(self, options: Dict, tmp_path: Path) -> None:
        self.interrupted(tmp_path / "text")
        with growing(str(tmp_path / "text"), window=2, **options) as text:
            assert text.kept == 0
            text.write(["new"])
        assert contents(tmp_path)["text"] == "new\n"

    def test_nothing_written_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError), growing(str(tmp_path / "text"), stamp="s", resume=True, window=2):
            raise RuntimeError("interrupted")
        assert contents(tmp_path) == {}


def test_interrupted_writing_leaves_what_was_there(tmp_path: Path) -> None:
    def failing() -> "Iterator[str]":
        yield "new"
        raise RuntimeError("interrupted")

    write_line_files({tmp_path / "a": ["old"], tmp_path / "b": ["old"]})
    with pytest.raises(RuntimeError):
        write_line_files({tmp_path / "a": ["new"], tmp_path / "b": failing()})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old\n", "b": "old\n"}


def test_refusal_of_the_system_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^\S*file\S*: cannot be written: [^\n]*$"):
        write_line_files({tmp_path / "file" / "below": ["line"]})
