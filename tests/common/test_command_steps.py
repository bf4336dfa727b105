"""Steps of command lines: what is shown of fairseq's output."""

from pathlib import Path

import pytest

from s2sft_fairseq.common.command_steps import show

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
