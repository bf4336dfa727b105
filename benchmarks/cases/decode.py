"""Decoding speed and memory against BERT2BERT and BART: the same sources, 24 forced tokens a sentence."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from s2sft_fairseq.objectives.finetuning import OBJECTIVES

from .. import ours
from ..caches import cache_sizes
from ..contestants import Contestant, build, decode, sentences
from ..ours import Sample, real_samples
from ..processes import in_fresh_process, peak_memory
from ..protocol import Side, alternate
from ..results import Result, Row, Target, memory_row, speed_row
from ..shapes import BASE, SMALL, TINY, Shape
from . import FAST, FULL, SMALLEST, Settings

METHOD, PEERS = "pseudo_masked", ("BERT2BERT", "BART")
LENGTH = 24
BEAMS = {5: "beam 5", 1: "greedy"}
TARGETS = {(SMALL, 5): Target(1.6), (BASE, 5): Target(1.4), (SMALL, 1): Target(1.3), (BASE, 1): Target(1.3)}
CACHE_BEAMS = (1, 5, 10)


class Load(NamedTuple):
    """What a round decodes."""

    shape: Shape
    methods: Sequence[str]
    batches: int
    size: int = 16

    def samples(self) -> list[Sample]:
        """The batches."""
        return real_samples(self.shape, method=METHOD, count=self.batches, size=self.size)


LOADS = {
    SMALLEST: [Load(TINY, (METHOD, "infilling"), batches=1, size=2)],
    FAST: [Load(SMALL, (METHOD, "causal"), batches=2)],
    FULL: [Load(SMALL, (METHOD, "causal", "infilling"), batches=3), Load(BASE, (METHOD, "causal"), batches=1)],
}


def measure(settings: Settings) -> Result:
    """Sentences a second, the peak memory of a process that decodes once, and the caches of our search."""
    result = Result(f"Decoding: sentences a second, peak memory ({LENGTH} tokens a sentence)")
    for load in settings.pick(LOADS):
        samples = load.samples()
        models = {name: built(name, load.shape) for name in (*load.methods, *PEERS)}
        for beam in BEAMS:
            result.rows += speed_rows(load, models, samples, beam=beam, rounds=settings.rounds)
        result.rows += memory_rows(load)
    result.rows += cache_rows(settings.pick(LOADS)[0])
    return result


def built(name: str, shape: Shape) -> Contestant:
    """A contestant as generating commands prepare it."""
    return ours.build(shape, method=name).for_inference("float32") if name in OBJECTIVES else build(name, shape)


def speed_rows(
    load: Load, models: dict[str, Contestant], samples: Sequence[Sample], *, beam: int, rounds: int
) -> list[Row]:
    """Our search against those of both peers; a causal step has one slot, the others' have two."""
    what, amount = f"{load.shape.name}, {BEAMS[beam]}", sentences(samples)
    work = {name: partial(decode, one, samples, beam=beam, length=LENGTH) for name, one in models.items()}
    rates = alternate([Side(name, work[name], amount) for name in work], rounds=rounds, title=what)
    targets = {(METHOD, "BERT2BERT"): TARGETS.get((load.shape, beam))}
    return [
        speed_row(f"{what}, {method}", "sentences/s", rates, method, peer, targets.get((method, peer)))
        for method in load.methods
        for peer in PEERS
    ]


def memory_rows(load: Load) -> list[Row]:
    """Peaks at beam 5, the model included."""
    peaks = {name: in_fresh_process(peak_of_decoding, load, name) for name in (METHOD, *PEERS)}
    return [memory_row(f"{load.shape.name}, beam 5, memory", peaks, METHOD, peer) for peer in PEERS]


def peak_of_decoding(load: Load, name: str) -> float:
    """MB of the model and of all that the search keeps."""
    samples = load.samples()
    with peak_memory() as peak:
        decode(built(name, load.shape), samples, beam=5, length=LENGTH)
    return peak.mb


def cache_rows(load: Load) -> list[Row]:
    """What our search keeps of sources and of targets as the beam grows: the source's part must stay as it is."""
    sample, system = load.samples()[-1], ours.build(load.shape, method=METHOD)
    sizes = {beam: cache_sizes(system, sample, beam=beam, length=LENGTH) for beam in CACHE_BEAMS}
    source = {f"beam {beam}": sizes[beam].source for beam in CACHE_BEAMS}
    return [
        *(Row(f"target cache, beam {beam}", "MB", sizes[beam].target) for beam in CACHE_BEAMS),
        *(memory_row(f"source cache, {beam}", source, beam, "beam 1", Target(1, at_least=False)) for beam in source),
    ]
