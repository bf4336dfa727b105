"""The README's example of the Python API runs as it stands."""

import re
from pathlib import Path

import pytest
from commands import ROOT, make_bert

from s2sft_fairseq import import_pretrained

MARK = "from s2sft_fairseq import S2SModel"


def test_python_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a checkpoint that is all there is in the directory that it names."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if MARK in block]
    imported = tmp_path / "imported"
    import_pretrained.main(["--from", str(make_bert(tmp_path / "bert")), "--to", str(imported)])
    (tmp_path / "checkpoints").mkdir()
    (imported / "model.pt").rename(tmp_path / "checkpoints" / "checkpoint_best.pt")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(compile(example, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 5
