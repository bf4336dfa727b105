"""A new fine-tuning method is one new file in ``objectives/``: it trains, generates and is offered."""

import shutil
from pathlib import Path

import pytest
from commands import ROOT, best, generate_command, run, train_command, weights

pytestmark = pytest.mark.slow

SPAN_MASKED = '''
"""Span-masked fine-tuning: one span of the target gives way to a token of the method's own, and is predicted."""

import numpy as np
import torch
from torch import Tensor

from ..dictionary import PretrainedDictionary
from ..segments import Segments
from ..slots import IGNORE, Blocks, Convention
from .objective import Objective, register_objective


@register_objective("span_masked")
class SpanMasked(Objective):
    """The tokens from a random first to a random last one are masked; decoding is that of ``masked``."""

    extra_tokens = ("[SPAN]",)

    @classmethod
    def prediction_layout(cls, dictionary: PretrainedDictionary, segments: Segments) -> Convention:
        return super().prediction_layout(dictionary, segments)._replace(query=dictionary.index("[SPAN]"))

    def train_blocks(self, source: Tensor, target: Tensor, rng: np.random.Generator) -> Blocks:
        first, last = sorted(rng.integers(len(target), size=2))
        order = torch.arange(len(target))
        chosen = (order >= first) & (order <= last)
        given, known, query = self.evaluate(source, target)
        token = known.token.masked_fill(chosen, self.convention.query)
        label = target.masked_fill(~chosen, IGNORE).unsqueeze(0)
        return Blocks(given, known._replace(token=token, label=label), query.columns(0, 0))
'''


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """A copy of the package with one more file."""
    package = Path(shutil.copytree(ROOT / "s2sft_fairseq", tmp_path / "elsewhere" / "s2sft_fairseq"))
    (package / "objectives" / "span_masked.py").write_text(SPAN_MASKED.lstrip())
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
