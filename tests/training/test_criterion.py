"""The loss: label-smoothed cross entropy, summed over the labelled slots and no others."""

import math
from typing import Any, Dict, Optional

import numpy as np
import pytest
import torch
from builders import METHODS, PAD, objective, random_model, random_pairs
from fairseq.logging import metrics
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from s2sft_fairseq.models.layers import chunked_cross_entropy as losses
from s2sft_fairseq.models.layers.chunked_cross_entropy import linear_cross_entropy
from s2sft_fairseq.objectives.packed_batch import PackedBatch
from s2sft_fairseq.objectives.slots import IGNORE, Slots
from s2sft_fairseq.training.criterion import SlotCriterion


class Fixed(nn.Module):
    """A model that has made up its mind: logits [N, V], which are hidden states under a token table that is one."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, packed: PackedBatch, label_smoothing: Optional[float] = None) -> Any:
        if label_smoothing is None:
            return self.logits, {}
        size, label = self.logits.size(1), packed.labels
        identity, nothing = torch.eye(size), torch.zeros(size)
        return *linear_cross_entropy(self.logits, identity, nothing, label, smoothing=label_smoothing), None


def fixed_sample(*labels: int) -> Dict[str, Any]:
    """One sentence with these labels."""
    nothing = torch.zeros(1, len(labels), dtype=torch.int64)
    slots = Slots(*[nothing] * 6, torch.tensor([labels]))
    return {"packed": PackedBatch(slots, source_length=0), "nsentences": 1}


def criterion(epsilon: float) -> SlotCriterion:
    return SlotCriterion(None, epsilon)


def sample_of(method: str, *, training: bool, seed: int = 0, **noise: float) -> Dict[str, Any]:
    """A ragged batch as the data set makes it."""
    laid_out_by = objective(method, **noise)
    rng = np.random.default_rng(seed)
    pairs = random_pairs(laid_out_by.layout, count=4, seed=seed)
    examples = [laid_out_by.train(*p, rng) if training else laid_out_by.evaluate(*p) for p in pairs]
    packed = PackedBatch.from_examples(examples, pad=PAD)
    return {"packed": packed, "nsentences": len(pairs), "target_tokens": sum(len(p.target) for p in pairs)}


LOGITS = [0.5, -1.0, 2.0, 0.0, 1.5, -0.5]
"""An example by hand: for token 2, -log p = log Σ exp(logits) - 2 = 0.740445."""


@pytest.mark.parametrize(("epsilon", "loss"), [(0.0, 0.740445), (0.1, 0.930445)])
def test_an_example_by_hand(epsilon: float, loss: float) -> None:
    """With ε = 0.1: (1 - ε - ε/5) · 0.740445 + ε/5 · Σ_v -log p(v)."""
    model = Fixed(torch.tensor([LOGITS]))
    total, size, logged = criterion(epsilon)(model, fixed_sample(IGNORE, 2, IGNORE))
    assert size == logged["sample_size"] == logged["ntokens"] == 1
    assert float(total) == pytest.approx(loss, abs=1e-6)
    assert float(logged["nll_loss"]) == pytest.approx(0.740445, abs=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.3])
def test_equals_torchs_cross_entropy(epsilon: float) -> None:
    """torch spreads ε over all V tokens, fairseq over the V - 1 others."""
    generator = torch.Generator().manual_seed(0)
    size, labels = 11, [3, 0, 10, 3, 7]
    logits = torch.randn(len(labels), size, generator=generator)
    total, _, _ = criterion(epsilon)(Fixed(logits), fixed_sample(*labels))
    over_all = epsilon * size / (size - 1)
    expected = cross_entropy(logits, torch.tensor(labels), label_smoothing=over_all, reduction="sum")
    torch.testing.assert_close(total, expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("training", [True, False], ids=["train", "evaluate"])
def test_labelled_slots_are_all_that_counts(method: str, training: bool) -> None:
    """The sum over sentences and slots, one by one."""
    model = random_model(method)
    sample = sample_of(method, training=training)
    total, size, logged = criterion(0.0)(model, sample)
    packed = sample["packed"]
    labelled = packed.slots.label.ne(IGNORE)
    assert size == int(labelled.sum())
    expected = 0.0
    for row in range(len(labelled)):
        alone = Slots(*(field[row : row + 1] for field in packed.slots))
        logits = model(packed=PackedBatch(alone, packed.source_length))[0].detach()
        expected += float(cross_entropy(logits, alone.label[alone.label.ne(IGNORE)], reduction="sum"))
    assert float(total.detach()) == pytest.approx(expected, rel=1e-5)
    assert logged["nsentences"] == 4


@pytest.mark.parametrize("method", METHODS)
def test_gradient_reaches_the_head_through_labelled_slots(method: str) -> None:
    model = random_model(method)
    sample = sample_of(method, training=True)
    kept = []
    model.transformer.register_forward_hook(lambda module, given, hidden: kept.append(hidden))
    total, _, _ = criterion(0.1)(model, sample)
    (gradient,) = torch.autograd.grad(total, kept)
    assert gradient.ne(0).any(dim=1).all() and len(gradient) == len(sample["packed"].labels)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_sample_size(share: float) -> None:
    """Masked fine-tuning is divided by its masked tokens, the others by all tokens of the targets."""
    sizes = {}
    for method in METHODS:
        sample = sample_of(method, training=True, target_mask_prob=share)
        _, sizes[method], _ = criterion(0.1)(random_model(method), sample)
    targets = [len(pair.target) for pair in random_pairs(objective("masked").layout, count=4, seed=0)]
    masked = sum(max(1, int(share * length)) for length in targets)
    assert masked < sum(targets)
    assert sizes == {method: masked if method == "masked" else sum(targets) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_validation_predicts_all_of_the_target(method: str) -> None:
    """So perplexities of different methods compare."""
    sample = sample_of(method, training=False)
    _, size, _ = criterion(0.1)(random_model(method), sample)
    assert size == sample["target_tokens"]


def test_unreduced() -> None:
    """``reduce=False``: a loss per labelled slot."""
    logits = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    each, _, _ = criterion(0.1)(Fixed(logits), fixed_sample(1, 2, 3), reduce=False)
    total, _, _ = criterion(0.1)(Fixed(logits), fixed_sample(1, 2, 3))
    assert each.numel() == 3
    torch.testing.assert_close(each.sum(), total)


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_chunks_equal_the_whole(monkeypatch: pytest.MonkeyPatch, rows: int, epsilon: float) -> None:
    """Loss, nll and all gradients, against torch's own of the logits, however many slots a chunk takes."""
    size, width, count = 13, 5, 20
    monkeypatch.setattr(losses, "CHUNK", rows * size + 2)
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).float().requires_grad_()

    inputs = (drawn(count, width), drawn(size, width), drawn(size))
    label = torch.randint(size, (count,), generator=generator)
    logits = torch.addmm(inputs[2], inputs[0], inputs[1].t())
    over_all = epsilon * size / (size - 1)
    expected = cross_entropy(logits, label, label_smoothing=over_all, reduction="sum")
    loss, nll = linear_cross_entropy(*inputs, label, smoothing=epsilon)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(nll, cross_entropy(logits, label, reduction="none"))
    for ours, theirs in zip(torch.autograd.grad(3 * loss, inputs), torch.autograd.grad(3 * expected, inputs)):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_no_slot_is_labelled() -> None:
    inputs = (torch.zeros(0, 4, requires_grad=True), torch.zeros(9, 4), torch.zeros(9))
    loss, nll = linear_cross_entropy(*inputs, torch.zeros(0, dtype=torch.long), smoothing=0.1)
    assert float(loss.detach()) == 0.0 and nll.shape == (0,)
    loss.backward()


def test_half_precision_sums_in_single() -> None:
    """4,096 slots of log 9 nats each, which bfloat16 could not add up."""
    hidden, table = torch.zeros(4096, 4, dtype=torch.bfloat16), torch.zeros(9, 4, dtype=torch.bfloat16)
    label = torch.zeros(4096, dtype=torch.long)
    loss, _ = linear_cross_entropy(hidden, table, torch.zeros(9, dtype=torch.bfloat16), label, smoothing=0.0)
    assert float(loss) == pytest.approx(4096 * math.log(9), rel=1e-5)


def test_autocast() -> None:
    """Hidden states of a lower precision; table and gradients stay in theirs."""
    hidden = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    table = torch.eye(4).requires_grad_()
    label = torch.tensor([0, 1, 2, 3, 0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = linear_cross_entropy(hidden.bfloat16(), table, torch.zeros(4), label, smoothing=0.1)
        loss.backward()
    expected, _ = linear_cross_entropy(hidden, table, torch.zeros(4), label, smoothing=0.1)
    assert table.grad is not None and table.grad.dtype is torch.float32
    torch.testing.assert_close(loss, expected, rtol=1e-2, atol=0)


def test_what_is_logged() -> None:
    """Base 2, an average over labelled slots of all workers; the perplexity without smoothing."""
    _, _, one = criterion(0.1)(Fixed(torch.tensor([LOGITS])), fixed_sample(2))
    _, _, two = criterion(0.1)(Fixed(torch.tensor([LOGITS, LOGITS])), fixed_sample(0, 0))
    assert SlotCriterion.logging_outputs_can_be_summed()
    with metrics.aggregate() as seen:
        SlotCriterion.reduce_metrics([one, two])
    values = seen.get_smoothed_values()
    nll = (0.740445 + 2 * (0.740445 + 2.0 - 0.5)) / 3 / math.log(2)
    assert values["nll_loss"] == pytest.approx(nll, abs=2e-3)
    assert values["ppl"] == pytest.approx(2**nll, abs=2e-2)
    assert values["loss"] > values["nll_loss"]
