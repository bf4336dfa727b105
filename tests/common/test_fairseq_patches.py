"""What the plugin mends in fairseq."""

import shutil
from pathlib import Path

import pytest
from fairseq.file_io import PathManager

import s2sft_fairseq  # noqa: F401  (mends it)


def test_a_copied_checkpoint_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that is cut short leaves what was there before."""
    new, last = tmp_path / "checkpoint_1_4.pt", tmp_path / "checkpoint_last.pt"
    new.write_text("new")
    assert PathManager.copy(str(new), str(last), overwrite=True)
    assert last.read_text() == "new"

    def cut_short(_: str, destination: str) -> None:
        Path(destination).write_text("n")
        raise KeyboardInterrupt

    last.write_text("old")
    monkeypatch.setattr(shutil, "copyfile", cut_short)
    with pytest.raises(KeyboardInterrupt):
        PathManager.copy(str(new), str(last), overwrite=True)
    assert last.read_text() == "old"
