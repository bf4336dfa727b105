"""Training speed and memory against BERT2BERT and BART: the same pairs in the same batches, padded to their longest."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ..contestants import build, optimizer_of, sentences, train
from ..ours import Sample, real_samples
from ..processes import in_fresh_process, peak_memory
from ..protocol import Rates, Side, alternate
from ..results import Result, Row, Target, memory_row, speed_row
from ..shapes import BASE, SMALL, TINY, Shape
from . import FAST, FULL, SMALLEST, Settings

PEERS = ("BERT2BERT", "BART")
SPEED = {("pseudo_masked", "BERT2BERT"): Target(1.3), ("causal", "BERT2BERT"): Target(1.5)}
MEMORY = {("pseudo_masked", "BERT2BERT"): Target(0.7, at_least=False)}


class Load(NamedTuple):
    """What a round trains on, and who is compared."""

    shape: Shape
    methods: Sequence[str]
    batches: int
    size: int

    @property
    def names(self) -> Sequence[str]:
        """All contestants."""
        return (*self.methods, *PEERS)

    def samples(self, name: str) -> list[Sample]:
        """The batches, their slots laid out for one of ours; peers take the same pairs."""
        method = name if name in self.methods else self.methods[0]
        return real_samples(self.shape, method=method, count=self.batches, size=self.size)


LOADS = {
    SMALLEST: [Load(TINY, ("pseudo_masked", "infilling"), batches=1, size=2)],
    FAST: [Load(SMALL, ("pseudo_masked", "causal"), batches=4, size=16)],
    FULL: [
        Load(SMALL, ("pseudo_masked", "causal", "masked", "infilling"), batches=8, size=16),
        Load(BASE, ("pseudo_masked", "causal"), batches=4, size=8),
    ],
}


def measure(settings: Settings) -> Result:
    """Examples a second, and the peak memory of a process that trains on the same batches once."""
    result = Result("Training: examples a second, peak memory")
    for load in settings.pick(LOADS):
        rates = alternate([side(load, name) for name in load.names], rounds=settings.rounds, title="train")
        peaks = {name: in_fresh_process(peak_of_training, load, name) for name in load.names}
        result.rows += [row for method in load.methods for row in rows(load, method, rates, peaks)]
    return result


def side(load: Load, name: str) -> Side:
    """A contestant that trains on all batches in a round."""
    one, samples = build(name, load.shape), load.samples(name)
    return Side(name, partial(train, one, samples, optimizer_of(one)), amount=sentences(samples))


def peak_of_training(load: Load, name: str) -> float:
    """MB of the model, its gradients, its optimizer and its activations."""
    samples = load.samples(name)
    with peak_memory() as peak:
        one = build(name, load.shape)
        train(one, samples, optimizer_of(one))
    return peak.mb


def rows(load: Load, method: str, rates: Rates, peaks: dict[str, float]) -> list[Row]:
    """One of our methods against both peers."""
    what = f"{load.shape.name}, {method}"
    speed = [speed_row(what, "examples/s", rates, method, peer, SPEED.get((method, peer))) for peer in PEERS]
    memory = [memory_row(f"{what}, memory", peaks, method, peer, MEMORY.get((method, peer))) for peer in PEERS]
    return [*speed, *memory]
