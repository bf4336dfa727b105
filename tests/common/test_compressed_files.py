"""Compressed texts are read as what they contain; those that cannot be are refused in one line, never misread."""

import bz2
import gzip
import lzma
import os
import threading
import zipfile
from pathlib import Path
from typing import Callable

import pytest
from commands import mistake, preprocess_command, run, write_lines

from s2sft_fairseq.common.compressed_files import compression_of
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.common.fairseq_patches import plain
from s2sft_fairseq.common.text_lines import count_lines, read_all_lines, read_lines

TEXT = "ein Wörtchen\n\nand a line\n" * 500
COMPRESS = [gzip.compress, bz2.compress, lzma.compress]
READERS = [read_all_lines, lambda path: list(read_lines(path))]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("compress", [*COMPRESS, bytes])
@pytest.mark.parametrize("name", ["text.gz", "text"])
def test_the_content_counts(compress: Callable, read: Callable, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(compress(TEXT.encode()))
    assert read(tmp_path / name) == TEXT.split("\n")[:-1]
    assert count_lines(tmp_path / name) == 1500


@pytest.mark.parametrize("compress", COMPRESS)
def test_nothing_is_an_empty_text(compress: Callable, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(compress(b""))
    assert read_all_lines(tmp_path / "text") == []


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("compress", COMPRESS)
def test_damage_is_one_line(compress: Callable, read: Callable, tmp_path: Path) -> None:
    whole = compress(TEXT.encode())
    for content in (whole[:-12], whole[:20] + b"damaged" + whole[27:]):
        (tmp_path / "text").write_bytes(content)
        with pytest.raises(UserError, match=r"text (is compressed \(\w+\), but|cannot be read)") as caught:
            read(tmp_path / "text")
        assert "None" not in str(caught.value)


def test_other_compressions_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "text.zip", "w") as archive:
        archive.writestr("text", TEXT)
    (tmp_path / "text.zst").write_bytes(b"\x28\xb5\x2f\xfd and so on")
    for suffix, kind in (("zip", "zip"), ("zst", "zstd")):
        with pytest.raises(UserError, match=rf"is compressed \({kind}\); expected text"):
            read_all_lines(tmp_path / f"text.{suffix}")


@pytest.mark.parametrize("start", ["BZh is text", "PK", "\x1f"])
def test_text_that_begins_alike(start: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "text", [start])
    assert compression_of(tmp_path / "text") is None and read_all_lines(tmp_path / "text") == [start]


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(gzip.compress(TEXT.encode()),))
    writer.start()
    assert len(read_all_lines(tmp_path / "pipe")) == 1500
    writer.join()


def test_fairseq_preprocess_reads_plain_text_only(tmp_path: Path) -> None:
    (tmp_path / "train.src").write_bytes(gzip.compress(TEXT.encode()))
    with pytest.raises(UserError, match=r"train.src is compressed \(gzip\), which fairseq-preprocess does not read"):
        plain(str(tmp_path / "train.src"))


@pytest.mark.slow
def test_commands(bert: Path, tmp_path: Path) -> None:
    """Metrics read compressed texts; fairseq's own commands refuse them in one line."""
    for name, compress in (("hypothesis.gz", gzip.compress), ("reference.xz", lzma.compress)):
        (tmp_path / name).write_bytes(compress(b"the very same words\nand some others\n"))
    files = ["--hypothesis", tmp_path / "hypothesis.gz", "--reference", tmp_path / "reference.xz"]
    assert "100.0" in run(["python", "-m", "s2sft_fairseq.evaluate", "--metric", "rouge", *files]).out
    for side in ("src", "tgt"):
        (tmp_path / f"train.{side}").write_bytes(gzip.compress(b"w1\n"))
    assert "is compressed (gzip)" in mistake(preprocess_command(tmp_path, tmp_path / "bin", bert))
