"""Inference in less than float32 on the CPU: against our own float32, and against BART in float32."""

from collections.abc import Sequence
from functools import partial

from .. import contestants, machine, ours
from ..contestants import Contestant
from ..ours import Sample
from ..protocol import Side, alternate
from ..results import Result, Row, Target, speed_row
from ..shapes import BASE, SMALL, TINY, Shape
from . import FULL, SMALLEST, Settings

METHOD, PEER, BEAM, LENGTH, SIZE = "pseudo_masked", "BART", 5, 24, 16
SHAPES = {SMALLEST: [TINY], FULL: [SMALL, BASE]}
FLOAT32, INT8, BFLOAT16 = "float32", "int8", "bfloat16"
TARGETS = {FLOAT32: Target(1.7), PEER: Target(1)}


def measure(settings: Settings) -> Result:
    """Sentences a second at beam 5, as the flag --inference-precision sets the weights."""
    rows = [row for shape in settings.pick(SHAPES) for row in rows_of(shape, settings.rounds)]
    note = "" if BFLOAT16 in precisions() else "This CPU has no instructions for bfloat16, which is left out."
    return Result("CPU inference in less than float32", rows, notes=[note] if note else [])


def precisions() -> Sequence[str]:
    """What is fast here: bfloat16 where the CPU computes in it."""
    has_bfloat16 = any(found.startswith("bf16") for found in machine.precisions())
    return [INT8, BFLOAT16] if has_bfloat16 else [INT8]


def rows_of(shape: Shape, rounds: int) -> list[Row]:
    """Every precision against both others."""
    samples = ours.real_samples(shape, method=METHOD, count=1, size=SIZE)
    everyone: dict[str, Contestant] = {PEER: contestants.build(PEER, shape)}
    for name in (FLOAT32, *precisions()):
        everyone[name] = ours.build(shape, method=METHOD).for_inference(name)
    rates = alternate([side(name, one, samples) for name, one in everyone.items()], rounds=rounds, title=shape.name)
    return [
        speed_row(f"{shape.name}, beam {BEAM}, {name}", "sentences/s", rates, name, other, target)
        for name in precisions()
        for other, target in TARGETS.items()
    ]


def side(name: str, one: Contestant, samples: Sequence[Sample]) -> Side:
    """Decodes all batches in a round."""
    work = partial(contestants.decode, one, samples, beam=BEAM, length=LENGTH)
    return Side(name, work, contestants.sentences(samples))
