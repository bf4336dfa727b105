"""A new fine-tuning method is one new file, the one that CONTRIBUTING shows: it trains, generates and is offered."""

import re
import shutil
from pathlib import Path

import pytest
from commands import ROOT, best, generate_command, run, train_command, weights

pytestmark = pytest.mark.slow

MARK = '@register_objective("span_masked")'


def example() -> str:
    """The file that CONTRIBUTING shows."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if MARK in block]
    return found


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """A copy of the package with one more file."""
    package = Path(shutil.copytree(ROOT / "s2sft_fairseq", tmp_path / "elsewhere" / "s2sft_fairseq"))
    (package / "objectives" / "finetuning" / "span_masked.py").write_text(example(), encoding="utf-8")
    return package


def test_one_file_is_a_fine_tuning_method(extended: Path, bert: Path, data: Path, tmp_path: Path) -> None:
    place = dict(cwd=tmp_path)  # away from the repository: the copy must be what is imported
    options = dict(user_dir=extended, finetune_method="span_masked", pretrained=bert, source_mask_prob="0.1")
    trained = run(train_command(data, tmp_path / "save", **options), **place)
    assert "'finetune_method': span_masked" in trained.out
    assert "grown from 46 to 47 rows by the mean of its rows" in trained.out + trained.err
    assert len(weights(tmp_path / "save" / "checkpoint_last.pt")["transformer.lm_head.bias"]) == 47
    generated = run(generate_command(data, tmp_path / "save" / "checkpoint_last.pt", user_dir=extended), **place)
    assert len(best(generated.out)) == 100
    offered = run(["python", "-m", "s2sft_fairseq"], cwd=extended.parent).out
    assert "span_masked" in offered
