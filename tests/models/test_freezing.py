"""Frozen embeddings and layers, and activations that the backward pass computes again."""

from typing import Any, Dict, List, Optional, Set, Tuple

import pytest
import torch
from builders import METHODS, padded, random_model, random_pairs, shifted
from torch import Tensor
from torch.nn.functional import cross_entropy

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.freezing import apply_freezing
from s2sft_fairseq.models.layers.chunked_cross_entropy import linear_cross_entropy
from s2sft_fairseq.models.seq2seq_model import S2SFTModel


def model_with(method: str = "masked", **options: Any) -> S2SFTModel:
    """A model in training, as the options want it."""
    model = random_model(method, dropout=0.3, attention_dropout=0.2, encoder_layers=3, **options)
    apply_freezing(model.transformer, model.cfg)
    return model.train()


def loss_of(model: S2SFTModel) -> Tensor:
    """The loss of a ragged batch, with the dropout of a fixed seed."""
    torch.manual_seed(0)
    source, target = padded(random_pairs(model.layout, count=5, seed=1))
    return cross_entropy(model(source, None, shifted(target))[0].flatten(0, 1), target.flatten())


def frozen(**options: Any) -> Set[str]:
    """Names of what gets no gradient."""
    model = model_with(**options)
    loss_of(model).backward()
    return {name for name, parameter in model.transformer.named_parameters() if parameter.grad is None}


def names(*prefixes: str) -> Set[str]:
    """The parameters under these names."""
    return {n for n, _ in model_with().transformer.named_parameters() if n.startswith(prefixes)}


@pytest.mark.parametrize(
    ("options", "prefixes"),
    [
        ({}, []),
        ({"freeze_embeddings": True}, ["embeddings."]),
        ({"freeze_layers": 2}, ["layers.0.", "layers.1."]),
        ({"freeze_layers": 3, "freeze_embeddings": True}, ["layers.", "embeddings."]),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_what_is_frozen(options: Dict[str, Any], prefixes: List[str], again: bool) -> None:
    """And all else is trained, recomputed or not."""
    expected = names(*prefixes) if prefixes else set()
    assert frozen(checkpoint_activations=again, **options) == expected


@pytest.mark.parametrize("number", [-1, 4])
def test_more_layers_than_there_are(number: int) -> None:
    with pytest.raises(UserError, match=rf"--freeze-layers is {number}; expected 0 to 3, the layers of the model"):
        random_model("masked", encoder_layers=3, freeze_layers=number)


@pytest.mark.parametrize("method", METHODS)
def test_recomputed_activations_change_nothing(method: str) -> None:
    """The same loss and gradients bit for bit, dropout included."""
    models = [model_with(method, checkpoint_activations=again, relative_buckets=8) for again in (False, True)]
    losses = [loss_of(model) for model in models]
    assert losses[0].equal(losses[1])
    for loss in losses:
        loss.backward()
    for (name, one), other in zip(models[0].named_parameters(), models[1].parameters()):
        assert one.grad is not None and other.grad is not None, name
        assert one.grad.equal(other.grad), name


def kept(model: S2SFTModel) -> int:
    """Bytes that the forward pass keeps for the backward pass."""
    sizes: Dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = loss_of(model)  # noqa: F841  (keeps the memory, so that no address comes twice)
    return sum(sizes.values())


def test_recomputed_activations_take_less_memory() -> None:
    assert kept(model_with(checkpoint_activations=True)) < 0.6 * kept(model_with())


@pytest.mark.parametrize("trained", [(True, False, False), (True, False, True), (False, True, False)])
def test_the_loss_computes_the_gradients_that_are_wanted(trained: Tuple[bool, ...]) -> None:
    """Those of a frozen token table, the most expensive ones, not at all; the others are the same."""

    def gradients(wanted: Tuple[bool, ...]) -> List[Optional[Tensor]]:
        generator = torch.Generator().manual_seed(0)
        shapes = [(5, 4), (9, 4), (9,)]
        inputs = [torch.randn(shape, generator=generator).requires_grad_(want) for shape, want in zip(shapes, wanted)]
        loss, _ = linear_cross_entropy(*inputs, torch.arange(5), smoothing=0.1)
        kept = loss.grad_fn.saved_tensors
        assert [tensor is not None for tensor in kept] == list(wanted)
        loss.backward()
        return [tensor.grad for tensor in inputs]

    for found, expected, want in zip(gradients(trained), gradients((True, True, True)), trained):
        assert found is None if not want else found.equal(expected)


def test_generating_is_not_concerned() -> None:
    """Without gradients the layers compute as ever."""
    models = [model_with(checkpoint_activations=again).eval() for again in (False, True)]
    with torch.no_grad():
        assert loss_of(models[0]).equal(loss_of(models[1]))
