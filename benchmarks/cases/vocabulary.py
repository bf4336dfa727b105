"""Memory of the loss over a vocabulary of 250,002 tokens (XLM-R's) at 4,096 labelled slots, forward and backward."""

from typing import NamedTuple

from s2sft_fairseq.slots import IGNORE

from ..ours import build, builder_of_batches, random_sample
from ..processes import in_fresh_process, peak_memory
from ..results import Result, Row, Target
from ..shapes import LENGTHS, TINY, Shape
from . import FULL, SMALLEST, Settings

METHOD, TARGET = "causal", 64


class Load(NamedTuple):
    """A wide but shallow model, and how many slots predict."""

    shape: Shape
    labels: int


LOADS = {
    SMALLEST: Load(TINY, labels=128),
    FULL: Load(Shape(layers=1, hidden=768, heads=12, vocabulary=250_002), labels=4_096),
}


def measure(settings: Settings) -> Result:
    """What 4,096 labelled slots take more than a single one, all else being the same."""
    load = settings.pick(LOADS)
    all_labelled, one_labelled = (in_fresh_process(peak_of_update, load, labels) for labels in (load.labels, 1))
    labelled = f"{load.labels:,} labelled slots"
    rows = [
        Row(f"loss and gradient of {labelled}", "MB", all_labelled - one_labelled, target=Target(300, at_least=False)),
        Row(f"forward and backward with {labelled}", "MB", all_labelled),
        Row("the same with a single one", "MB", one_labelled),
    ]
    note = (
        f"One layer of {load.shape.hidden}. MB above the model and its gradients; the last two rows hold the layer's "
        "activations, and the new gradient of the token table before it is added to the one that is there."
    )
    return Result(f"Memory of the loss, vocabulary of {load.shape.vocabulary:,}", rows, notes=[note])


def peak_of_update(load: Load, labels: int) -> float:
    """MB above a model whose gradients are already there, of a batch in which so many slots predict."""
    task = builder_of_batches(load.shape, METHOD, LENGTHS)
    sample = random_sample(task, source=8, target=TARGET, size=load.labels // TARGET)
    system = build(load.shape, method=METHOD)
    for parameter in system.model.parameters():
        parameter.grad = parameter.data.new_zeros(parameter.shape)
    label = sample["packed"]["slots"]["label"]
    surplus = label.ne(IGNORE).flatten().cumsum(0).gt(labels).view_as(label)
    label.masked_fill_(surplus, IGNORE)
    with peak_memory() as peak:
        system.loss(sample).backward()
    return peak.mb
