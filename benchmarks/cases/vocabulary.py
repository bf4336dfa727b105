"""Memory of the loss over a vocabulary of 250,002 tokens (XLM-R's) at 4,096 labelled slots, forward and backward."""

from typing import NamedTuple

from s2sft_fairseq.objectives.packed_batch import PackedBatch
from s2sft_fairseq.objectives.slots import IGNORE

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


class Peaks(NamedTuple):
    """MB above the model: at most in the forward pass, and at most in the backward pass."""

    forward: float
    backward: float


def measure(settings: Settings) -> Result:
    """What 4,096 labelled slots take more than a single one, all else being the same, in the pass that takes more."""
    load = settings.pick(LOADS)
    full, single = (in_fresh_process(peaks_of_update, load, labels) for labels in (load.labels, 1))
    surplus = max(ours - other for ours, other in zip(full, single))
    labelled, table = f"{load.labels:,} labelled slots", load.shape.vocabulary * load.shape.hidden * 4 / 2**20
    rows = [
        Row(f"loss and gradient of {labelled}", "MB", surplus, target=Target(300, at_least=False)),
        Row(f"an update with {labelled}, gradients of the weights included", "MB", max(full)),
        Row("the same with a single one", "MB", max(single)),
    ]
    note = (
        f"MB above a model of one layer of {load.shape.hidden}. The last two rows hold the layer's activations and the "
        f"token table's gradient, {table:,.0f} MB, twice: as the head's last layer and as embeddings."
    )
    return Result(f"Memory of the loss, vocabulary of {load.shape.vocabulary:,}", rows, notes=[note])


def peaks_of_update(load: Load, labels: int) -> Peaks:
    """The peaks for a batch in which so many slots predict."""
    task = builder_of_batches(load.shape, METHOD, LENGTHS)
    sample = random_sample(task, source=8, target=TARGET, size=load.labels // TARGET)
    label = PackedBatch.from_sample(sample).slots.label
    surplus = label.ne(IGNORE).flatten().cumsum(0).gt(labels).view_as(label)
    label.masked_fill_(surplus, IGNORE)
    system = build(load.shape, method=METHOD)
    with peak_memory() as forward:
        loss = system.loss(sample)
    with peak_memory() as backward:
        loss.backward()
    return Peaks(forward.mb, backward.before + backward.mb - forward.before)
