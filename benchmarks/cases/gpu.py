"""On a GPU in bfloat16: training's share of the card's peak, and beam 5 at batch 64 against BERT2BERT."""

from statistics import median
from typing import NamedTuple

import torch
from fairseq.utils import apply_to_sample

from .. import contestants, ours
from ..contestants import Contestant
from ..ours import Sample
from ..protocol import Rates, Side, alternate
from ..results import NotMeasuredError, Result, Row, Target, speed_row
from ..shapes import BASE, TINY, Lengths, Shape, training_flops
from . import FULL, SMALLEST, Settings

METHOD, PEER = "pseudo_masked", "BERT2BERT"
PEAKS = {"H100 PCIe": 756, "H100": 989, "H200": 989, "GH200": 989, "A100": 312, "L40S": 362, "L4": 121, "4090": 165}
"""Dense bf16 teraflops a second of cards, by what their names hold; the more special name first."""


class Load(NamedTuple):
    """What is trained on and decoded."""

    shape: Shape
    lengths: Lengths
    size: int
    beam: int = 5


LOADS = {
    SMALLEST: Load(TINY, Lengths(source=16, target=8), size=2),
    FULL: Load(BASE, Lengths(source=512, target=128), size=64),
}
ABSENT = (
    "no GPU here. With one: base size in bf16, sources of 512 and targets of 128 tokens; training's share of the "
    "card's dense bf16 peak (target ≥ 45 %), and beam 5 at batch 64 against BERT2BERT (target ≥ 5×)"
)


def measure(settings: Settings) -> Result:
    """Measures on the first card, where there is one; the smallest load runs anywhere."""
    if not torch.cuda.is_available() and settings.scale != SMALLEST:
        raise NotMeasuredError(ABSENT)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return measured(settings.pick(LOADS), device, settings.rounds)


def measured(load: Load, device: torch.device, rounds: int) -> Result:
    """The result for a device."""
    sample = apply_to_sample(lambda tensor: tensor.to(device), batch(load))
    models = {name: on_device(name, load, device) for name in (METHOD, PEER)}
    trained = alternate([trainer(name, models[name], sample) for name in models], rounds=rounds, title="GPU, train")
    decoded = alternate([decoder(name, models[name], sample, load) for name in models], rounds=rounds, title="decode")
    what = f"{load.shape.name}, source {load.lengths.source}, target {load.lengths.target}"
    rows = [
        speed_row(f"training, {what}", "examples/s", trained, METHOD, PEER),
        utilization(load, trained, device),
        speed_row(f"beam {load.beam}, {what}", "sentences/s", decoded, METHOD, PEER, Target(5)),
    ]
    note = "Weights, gradients and AdamW's states are in bfloat16 on both sides; fairseq would add float32 weights."
    return Result(f"GPU, bfloat16: {card(device)}", rows, notes=[note])


def batch(load: Load) -> Sample:
    """Pairs as long as the lengths allow."""
    task = ours.builder_of_batches(load.shape, METHOD, load.lengths)
    return ours.random_sample(task, source=load.lengths.source, target=load.lengths.target, size=load.size)


def on_device(name: str, load: Load, device: torch.device) -> Contestant:
    """A contestant with weights in bfloat16, as fairseq's common.bf16 has them."""
    one = contestants.build(name, load.shape, load.lengths)
    one.model.to(device, torch.bfloat16)
    return one


def trainer(name: str, one: Contestant, sample: Sample) -> Side:
    """Trains on the batch in a round."""
    optimizer = contestants.optimizer_of(one)

    def work() -> None:
        contestants.train(one, [sample], optimizer)
        wait(sample["target"].device)

    return Side(name, work, contestants.sentences([sample]))


def decoder(name: str, one: Contestant, sample: Sample, load: Load) -> Side:
    """Decodes the batch in a round."""

    def work() -> None:
        contestants.decode(one, [sample], beam=load.beam, length=load.lengths.target)
        wait(sample["target"].device)

    return Side(name, work, contestants.sentences([sample]))


def wait(device: torch.device) -> None:
    """Until the card has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def utilization(load: Load, rates: Rates, device: torch.device) -> Row:
    """The share of the peak that the model's own operations make up (MFU)."""
    source, target = load.lengths
    operations = training_flops(load.shape, source=source, rest=2 * target, labels=target)
    share = 100 * median(rates[METHOD]) * operations / (1e12 * peak(device))
    return Row("training, of the card's dense bf16 peak", "%", share, target=Target(45))


def peak(device: torch.device) -> float:
    """Teraflops a second: as published, or of a large product for a card that is not in the table."""
    published = next((value for part, value in PEAKS.items() if part in card(device)), None)
    return published or measured_peak(device)


def measured_peak(device: torch.device) -> float:
    """Teraflops per second of a product of two square matrices, large ones on a GPU alone."""
    size = 8192 if device.type == "cuda" else 256
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)

    def work() -> None:
        one @ one
        wait(device)

    rates = alternate([Side("product", work, 2e-12 * size**3)], rounds=20, title="peak of the card")
    return max(rates["product"])


def card(device: torch.device) -> str:
    """The name of the card."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
