"""Steps of command lines: what is shown of fairseq's output."""

from pathlib import Path

import pytest

from s2sft_fairseq.common.command_steps import Steps, show

LOG = """2026-01-01 00:00:00 | INFO | fairseq_cli.train | S2SFTModel(
  (transformer): Transformer(
2026-01-01 00:00:01 | INFO | s2sft_fairseq.pretrained.initialization | BERT:
    loaded                       74 tensors of a bert model
2026-01-01 00:00:02 | INFO | fairseq.trainer | begin training epoch 1
s2sft_fairseq: error: found, expected, mend
"""


def test_messages_of_several_lines_are_shown_whole_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = LOG.splitlines(keepends=True)
    hidden = show(lines, tmp_path / "log")
    shown = capsys.readouterr().out
    assert shown == "".join(lines[2:4] + lines[5:])
    assert hidden == [] and (tmp_path / "log").read_text() == LOG


def test_steps_end_after_all_that_they_started(tmp_path: Path) -> None:
    """A command may leave processes that go on for a while, such as data workers; a new run must not meet them."""
    left = "import time; time.sleep(2); open('ended', 'w')"
    leave = f"import os, subprocess, sys; os.chdir({str(tmp_path)!r}); "
    leave += f"subprocess.Popen([sys.executable, '-c', {left!r}], close_fds=False)"
    with Steps(tmp_path / "steps", again="") as steps:
        steps.run("leave", [["python", "-c", leave]])
    assert (tmp_path / "ended").exists()
    with Steps(tmp_path / "steps", again=""):
        pass
