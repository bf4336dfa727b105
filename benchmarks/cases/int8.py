"""Inference in int8 on the CPU: against our own float32, and against BART in float32."""

from functools import partial

from .. import contestants, ours
from ..protocol import Side, alternate
from ..results import NotMeasuredError, Result, Target, speed_row
from ..shapes import BASE, TINY
from . import FULL, SMALLEST, Settings

METHOD, PEER, BEAM, LENGTH = "pseudo_masked", "BART", 5, 24
SHAPES = {SMALLEST: TINY, FULL: BASE}
INT8, FLOAT32 = "int8", "float32"


def measure(settings: Settings) -> Result:
    """Sentences a second at beam 5."""
    shape = SHAPES[settings.scale]
    models = {FLOAT32: ours.build(shape, method=METHOD), INT8: in_int8(ours.build(shape, method=METHOD))}
    everyone = {**models, PEER: contestants.build(PEER, shape)}
    samples = ours.real_samples(shape, method=METHOD, count=1, size=16)
    amount = contestants.sentences(samples)
    sides = [
        Side(name, partial(contestants.decode, one, samples, beam=BEAM, length=LENGTH), amount)
        for name, one in everyone.items()
    ]
    rates = alternate(sides, rounds=settings.rounds, title="int8")
    targets = {FLOAT32: Target(1.7), PEER: Target(1)}
    what = f"{shape.name}, beam {BEAM}, int8"
    rows = [speed_row(what, "sentences/s", rates, INT8, other, target) for other, target in targets.items()]
    return Result("Inference in int8 on the CPU", rows)


def in_int8(system: ours.System) -> ours.System:
    """The system as the flag for int8 makes it."""
    switch = getattr(system.model, "in_int8", None)
    if switch is None:
        raise NotMeasuredError("the package has no int8 inference yet; its beam 5 would race float32 and BART")
    return system._replace(model=switch())
