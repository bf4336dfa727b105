"""Growth: what training costs as source and target grow, and decoding as output and beam do, with exponents."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

from .. import ours
from ..contestants import decode, optimizer_of, train
from ..curves import Curve
from ..protocol import Side, alternate
from ..results import Result
from ..shapes import SMALL, TINY, Lengths, Shape, decoding_flops, training_flops
from . import FULL, SMALLEST, Settings

METHOD = "pseudo_masked"


class Load(NamedTuple):
    """The sizes along each axis; what does not grow stays at ``source``, ``target`` and ``beam``.

    Attributes:
        trained, decoded: pairs in a batch.
    """

    shape: Shape
    sources: Sequence[int]
    targets: Sequence[int]
    outputs: Sequence[int]
    beams: Sequence[int]
    source: int = 128
    target: int = 32
    beam: int = 5
    trained: int = 2
    decoded: int = 8


LOADS = {
    SMALLEST: Load(TINY, sources=(8, 16), targets=(4, 8), outputs=(4, 8), beams=(1, 2)),
    FULL: Load(
        SMALL,
        sources=(128, 256, 512, 1024, 2048),
        targets=(16, 32, 64, 128, 256),
        outputs=(8, 16, 32, 64, 128),
        beams=(1, 2, 4, 8, 16),
    ),
}
WHY = {
    "source": "weights work once a slot (1), sources see themselves (2): for long ones, by S² scores moved in memory",
    "target": "a token brings two slots and a row of logits (1), which see all before (2); the source is fixed (0)",
    "output": "a step costs the same (1) and a bit for all it sees (2); the source (0) is read in faster products",
    "beam": "a hypothesis is a row more in every product (1); the source and the calls are fixed (0)",
}


def measure(settings: Settings) -> Result:
    """Four curves; the sizes of a curve take turns."""
    load = settings.pick(LOADS)
    lengths = Lengths(max(*load.sources, load.source), max(*load.targets, *load.outputs, load.target))
    system = ours.build(load.shape, method=METHOD, lengths=lengths)
    curves = [axis(system, load, settings.rounds) for axis in (sources, targets, outputs, beams)]
    return Result(f"Growth ({load.shape.name}, {METHOD})", curves=curves)


def sources(system: ours.System, load: Load, rounds: int) -> Curve:
    """Training against source length."""
    flops = [training_flops(load.shape, source=s, rest=2 * load.target, labels=load.target) for s in load.sources]
    works = [updates(system, load, source=source, target=load.target) for source in load.sources]
    return curve("training, source length", "source", load.sources, works, flops, rounds)


def targets(system: ours.System, load: Load, rounds: int) -> Curve:
    """Training against target length; a token is a slot, and a query slot that predicts it."""
    flops = [training_flops(load.shape, source=load.source, rest=2 * t, labels=t) for t in load.targets]
    works = [updates(system, load, source=load.source, target=target) for target in load.targets]
    return curve("training, target length", "target", load.targets, works, flops, rounds)


def outputs(system: ours.System, load: Load, rounds: int) -> Curve:
    """Decoding against output length."""
    flops = [decoding_flops(load.shape, source=load.source, length=n, beam=load.beam) for n in load.outputs]
    works = [searches(system, load, length=length, beam=load.beam) for length in load.outputs]
    return curve("decoding, output length", "output", load.outputs, works, flops, rounds)


def beams(system: ours.System, load: Load, rounds: int) -> Curve:
    """Decoding against the beam."""
    flops = [decoding_flops(load.shape, source=load.source, length=load.target, beam=beam) for beam in load.beams]
    works = [searches(system, load, length=load.target, beam=beam) for beam in load.beams]
    return curve("decoding, beam", "beam", load.beams, works, flops, rounds)


def updates(system: ours.System, load: Load, *, source: int, target: int) -> Callable[[], None]:
    """Trains on a batch of given lengths."""
    sample = ours.random_sample(system.task, source=source, target=target, size=load.trained)
    return partial(train, system, [sample], optimizer_of(system))


def searches(system: ours.System, load: Load, *, length: int, beam: int) -> Callable[[], None]:
    """Decodes a batch."""
    sample = ours.random_sample(system.task, source=load.source, target=length, size=load.decoded)
    return partial(decode, system, [sample], beam=beam, length=length)


def curve(
    title: str, axis: str, sizes: Sequence[int], works: Sequence[Callable[[], None]], flops: Sequence[int], rounds: int
) -> Curve:
    """Seconds of every size."""
    sides = [Side(str(size), work, 1) for size, work in zip(sizes, works)]
    rates = alternate(sides, rounds=rounds, title=title)
    seconds = [1 / median(rates[str(size)]) for size in sizes]
    return Curve(
        title, f"{axis} length" if axis != "beam" else axis, "seconds a batch", [*sizes], seconds, [*flops], WHY[axis]
    )
