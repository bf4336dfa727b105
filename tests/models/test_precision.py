"""Generating in bfloat16 and in eight-bit integers: nearly the same scores, through the same commands."""

import sys
from pathlib import Path
from typing import Dict, Optional

import pytest
import torch
from builders import METHODS, padded, random_model, random_pairs, shifted
from commands import best, generate_command, run
from torch import Tensor

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.precision import PRECISIONS
from s2sft_fairseq.search import options as search_options

ROUNDED = sorted(set(PRECISIONS) - {"float32"})


def scores(method: str, precision: Optional[str]) -> Tensor:
    """Log-probabilities of random targets [B, T, V]; without a precision, those of the model as it is trained."""
    model = random_model(method, dtype=torch.float32)
    source, target = padded(random_pairs(model.layout, count=5, seed=1))
    if precision:
        PRECISIONS[precision](model.transformer)
    with torch.no_grad():
        return model(source, None, shifted(target))[0].float().log_softmax(-1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", ROUNDED)
def test_scores_hardly_change(method: str, precision: str) -> None:
    """And yet they do: the weights are rounded."""
    exact, rounded = scores(method, "float32"), scores(method, precision)
    assert not exact.equal(rounded)
    difference = (exact - rounded).abs().mean()
    assert difference < 0.05 * exact.std()


@pytest.mark.parametrize("method", METHODS)
def test_float32_is_only_laid_out_anew(method: str) -> None:
    """The same weights in another order of memory: those of layers that do not widen lie column by column."""
    model = random_model(method, dtype=torch.float32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    PRECISIONS["float32"](model.transformer)
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    layer = model.transformer.layers[0]
    assert layer.ffn_out.weight.t().is_contiguous() and layer.attention.query.weight.t().is_contiguous()
    assert layer.ffn_in.weight.is_contiguous()
    torch.testing.assert_close(scores(method, "float32"), scores(method, None), atol=1e-5, rtol=0)


def test_int8_leaves_the_embeddings() -> None:
    model = random_model("masked", dtype=torch.float32)
    before = model.transformer.embeddings.token.weight.clone()
    PRECISIONS["int8"](model.transformer)
    assert model.transformer.embeddings.token.weight.equal(before)
    assert model.transformer.dtype is torch.float32


def test_int8_without_torch_ao(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch has announced that it will drop it: one line instead of a traceback."""
    monkeypatch.setitem(sys.modules, "torch.ao.quantization", None)
    with pytest.raises(UserError, match=r"int8 needs torch\.ao, which torch .* no longer has; use bfloat16"):
        PRECISIONS["int8"](random_model("masked", dtype=torch.float32).transformer)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ROUNDED)
def test_generating(data: Path, imported: Dict[str, Path], precision: str) -> None:
    """One line out for one line in, most of them those of full precision."""
    options = {"beam": 2, "max_len_b": 6}
    exact = best(run(generate_command(data, imported["infilling"], **options)).out)
    rounded = best(run(generate_command(data, imported["infilling"], inference_precision=precision, **options)).out)
    assert len(rounded) == len(exact) == 100
    assert sum(one == other for one, other in zip(exact, rounded)) >= 50


def test_the_flag_names_the_models_precisions() -> None:
    """The search options stand below the models, and so list the names themselves."""
    assert set(map(str, search_options.PRECISIONS)) == set(PRECISIONS)
