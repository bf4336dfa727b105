"""--retain-dropout: noise of the seed in the search and in scores, of the chosen modules, or one line."""

from typing import Any, List

import pytest
import torch
from builders import METHODS, VOCABULARY, padded, random_model, random_pairs, shifted
from torch import Tensor

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.precision import PRECISIONS
from s2sft_fairseq.models.retained_dropout import apply_retained_dropout
from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.search.generator import S2SFTGenerator

RATES = dict(dropout=0.3, attention_dropout=0.3)


def retaining(method: str = "masked", *, modules: Any = None, precision: str = "float32", **options: Any) -> S2SFTModel:
    """A random model in a precision of inference, with its dropout at work."""
    model = random_model(method, dtype=torch.float32, **{**RATES, **options})
    PRECISIONS[precision](model.transformer)
    apply_retained_dropout(model.transformer, retain=True, modules=modules)
    return model


def scored(model: S2SFTModel, *, seed: int) -> Tensor:
    """The logits of ragged targets, as fairseq's scorers ask for them."""
    source, target = padded(random_pairs(model.layout, count=5, seed=1))
    torch.manual_seed(seed)
    return model(source, None, shifted(target))[0]


def searched(model: S2SFTModel, *, seed: int) -> List[float]:
    """The scores of the best hypotheses."""
    source, _ = padded(random_pairs(model.layout, count=5, seed=1))
    lengths = source.ne(model.layout.pad).sum(1)
    torch.manual_seed(seed)
    generator = S2SFTGenerator([model], VOCABULARY, beam_size=3, max_len_b=8)
    found = generator.generate([model], {"net_input": {"src_tokens": source, "src_lengths": lengths}})
    return [float(hypotheses[0]["score"]) for hypotheses in found]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_results_are_those_of_the_seed(method: str, precision: str) -> None:
    model = retaining(method, precision=precision)
    assert searched(model, seed=1) == searched(model, seed=1)
    assert searched(model, seed=1) != searched(model, seed=2)
    assert scored(model, seed=1).equal(scored(model, seed=1))
    assert not scored(model, seed=1).allclose(scored(model, seed=2), atol=1e-2)


@torch.no_grad()
def test_without_it_the_seed_counts_for_nothing() -> None:
    model = random_model("masked", dtype=torch.float32, **RATES)
    apply_retained_dropout(model.transformer, retain=False)
    assert searched(model, seed=1) == searched(model, seed=2)
    assert scored(model, seed=1).equal(scored(model, seed=2))


@pytest.mark.parametrize("modules", ["Embeddings", "['Layer']", ["SelfAttention"]])
@torch.no_grad()
def test_chosen_modules(modules: Any) -> None:
    """Each alone has an effect on the search and on scores; it is the noise of these modules, and of no others."""
    model = retaining(modules=modules)
    assert searched(model, seed=1) != searched(model, seed=2)
    assert not scored(model, seed=1).allclose(scored(model, seed=2), atol=1e-3)
    owners = {type(m).__name__ for m in model.modules() if getattr(getattr(m, "dropout", None), "retained", False)}
    assert owners == {str(modules).strip("[]'")}


@torch.no_grad()
def test_it_is_the_noise_of_training() -> None:
    """The same masks from the same seed give what a model in training gives."""
    retained, training = retaining(), random_model("masked", dtype=torch.float32, **RATES).train()
    assert scored(retained, seed=3).equal(scored(training, seed=3))


@pytest.mark.parametrize(
    ("options", "modules", "says"),
    [
        ({}, "TransformerEncoder", "expected some of Embeddings,Layer,SelfAttention"),
        ({}, "", "expected some of Embeddings,Layer,SelfAttention"),
        (dict(dropout=0.0, attention_dropout=0.0), None, "trained without dropout"),
        (dict(attention_dropout=0.0), "SelfAttention", "trained without dropout there"),
    ],
)
def test_mistakes(options: Any, modules: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        retaining(modules=modules, **options)


def test_modules_alone() -> None:
    model = random_model("masked", **RATES)
    with pytest.raises(UserError, match="--retain-dropout-modules Layer needs --retain-dropout"):
        apply_retained_dropout(model.transformer, retain=False, modules="Layer")
