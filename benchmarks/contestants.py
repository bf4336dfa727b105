"""Who is compared: our model with a fine-tuning method, BERT2BERT and BART; what both sides do in the same way."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from . import ours, peers
from .ours import Sample
from .shapes import LENGTHS, Lengths, Shape


class Contestant(Protocol):
    """A randomly initialized model that can be trained and asked to generate."""

    @property
    def model(self) -> nn.Module:
        """With the weights."""

    def loss(self, sample: Sample) -> Tensor:
        """Label-smoothed cross entropy of a batch, the mean over the predicted tokens."""

    def decode(self, sample: Sample, beam: int, length: int) -> Any:
        """The best hypotheses for a batch, all of ``length`` tokens."""


def build(name: str, shape: Shape, lengths: Lengths = LENGTHS) -> Contestant:
    """A contestant by name (a fine-tuning method, or the kind of a peer), on the CPU and in float32."""
    torch.manual_seed(1)
    if name in peers.BUILDERS:
        return peers.build(shape, name=name, lengths=lengths)
    return ours.build(shape, method=name, lengths=lengths)


def optimizer_of(one: Contestant) -> torch.optim.Optimizer:
    """The same for all: torch's AdamW in one fused kernel."""
    return torch.optim.AdamW(one.model.parameters(), lr=1e-5, fused=True)


def train(one: Contestant, samples: Sequence[Sample], optimizer: torch.optim.Optimizer) -> None:
    """An update a batch."""
    one.model.train()
    for sample in samples:
        optimizer.zero_grad()
        one.loss(sample).backward()
        optimizer.step()


def decode(one: Contestant, samples: Sequence[Sample], *, beam: int, length: int) -> None:
    """Generates for every batch."""
    one.model.eval()
    for sample in samples:
        one.decode(sample, beam, length)


def sentences(samples: Sequence[Sample]) -> int:
    """In all batches together."""
    return sum(int(sample["nsentences"]) for sample in samples)
