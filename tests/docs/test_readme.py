"""The README's commands for own data run as they stand, but for the size of the model and the number of updates."""

import re
import subprocess
from pathlib import Path

import pytest
from commands import ROOT, environment

SMALLER = {
    r"\. \.venv/bin/activate\n": "",
    "/path/to/bert-base-uncased": "BERT",
    "--total-num-update 30000 --max-update 30000": "--total-num-update 4 --max-update 4",
    "--warmup-updates 1000": "--warmup-updates 1",
    "--fp16": "--cpu",
}


def own_data_commands() -> str:
    """The README's code block under "Your own data", made small."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Your own data", 1)[1]
    block = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert block is not None
    commands = block[1]
    for pattern, small in SMALLER.items():
        commands, count = re.subn(pattern, small, commands)
        assert count, f"the README has no {pattern} any more"
    return commands


@pytest.mark.slow
def test_own_data(bert: Path, tmp_path: Path) -> None:
    for folder in ("preprocess", "s2sft_fairseq"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "BERT").symlink_to(bert)
    (tmp_path / "raw").mkdir()
    for split in ("train", "valid", "test"):
        for side in ("src", "tgt"):
            (tmp_path / "raw" / f"{split}.{side}").write_text("w1 w2 w3\nw4\nw5 w6\n" * 5, encoding="utf-8")
    script = f"set -e\n{own_data_commands()}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = (tmp_path / "results" / "generate-test.txt").read_text(encoding="utf-8")
    assert len(re.findall(r"^D-", results, re.MULTILINE)) == 15
    assert "D-0" in done.stdout, "fairseq-interactive answered nothing"
