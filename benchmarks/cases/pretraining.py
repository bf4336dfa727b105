"""Pre-training: UniLMv2's two objectives in one pass against one pass for each, and slots a second of all objectives.

001, section 1: a pass for both shares the text, which two passes would compute twice. Throughput per slot is compared
with that of fine-tuning.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, Optional

from ..contestants import optimizer_of, train
from ..ours import Sample, System, build, build_pretraining, real_samples, spread_batches
from ..protocol import Rates, Side, Spread, alternate, ratio
from ..results import Result, Row, Target
from ..shapes import LENGTHS, SMALL, TINY, Shape
from . import FAST, FULL, SMALLEST, Settings

PMLM = {"--objective": "pmlm"}
OBJECTIVES: dict[str, dict[str, Optional[str]]] = {
    "ae": {**PMLM, "--pmlm-objective": "ae"},
    "par": {**PMLM, "--pmlm-objective": "par"},
    "ae_par": {**PMLM, "--pmlm-objective": "ae_par"},
    "unilm": {"--objective": "unilm", "--no-nsp": None},
    "ernie_gen": {"--objective": "ernie_gen"},
}
"""Flags of fairseq-train."""

TUNING, METHOD = "fine-tuning", "pseudo_masked"


class Load(NamedTuple):
    """What a round trains on: so many texts, in batches of ``size``."""

    shape: Shape
    text: int
    batches: int
    size: int


LOADS = {
    SMALLEST: Load(TINY, text=64, batches=1, size=2),
    FAST: Load(SMALL, text=256, batches=2, size=8),
    FULL: Load(SMALL, text=256, batches=6, size=8),
}


def measure(settings: Settings) -> Result:
    """Slots a second of each, and what both of UniLMv2's objectives cost in slots and in time."""
    load = settings.pick(LOADS)
    prepared = {name: pretraining(load, objective) for name, objective in OBJECTIVES.items()}
    prepared[TUNING] = tuning(load)
    slots = {name: sum(map(count_slots, samples)) for name, (_, samples) in prepared.items()}
    sides = [side(name, *prepared[name], slots[name]) for name in prepared]
    rates = alternate(sides, rounds=settings.rounds, title="pre-training")
    result = Result(f"Pre-training, {load.shape.name}, texts of up to {load.text} tokens")
    result.rows = [one_pass(slots), one_pass_in_time(slots, rates), *(per_slot(name, rates) for name in OBJECTIVES)]
    return result


def pretraining(load: Load, objective: Mapping[str, Optional[str]]) -> tuple[System, list[Sample]]:
    """A model, and batches of examples as fairseq-train makes them; UniLMv2's objectives get the same texts."""
    system = build_pretraining(load.shape, objective=objective, text=load.text)
    return system, spread_batches(system.task, count=load.batches, size=load.size)


def tuning(load: Load) -> tuple[System, list[Sample]]:
    """The same of a fine-tuning method, on pairs."""
    system = build(load.shape, method=METHOD, lengths=LENGTHS)
    return system, real_samples(load.shape, method=METHOD, count=load.batches, size=load.size)


def count_slots(sample: Sample) -> int:
    """Slots of a batch that are not padding."""
    return int(sample["packed"].count_slots())


def side(name: str, system: System, samples: list[Sample], slots: int) -> Side:
    """One that trains on all its batches in a round."""
    return Side(name, partial(train, system, samples, optimizer_of(system)), amount=slots)


def one_pass(slots: dict[str, int]) -> Row:
    """How many slots two passes have for one slot of the pass for both."""
    both, apart = slots["ae_par"], slots["ae"] + slots["par"]
    return Row("slots of AE+PAR", "slots", both, apart, "two passes", Spread.of([both / apart]))


def one_pass_in_time(slots: dict[str, int], rates: Rates) -> Row:
    """How many times as fast one pass over the texts is as two."""
    one = [rate / slots["ae_par"] for rate in rates["ae_par"]]
    two = [1 / (slots["ae"] / ae + slots["par"] / par) for ae, par in zip(rates["ae"], rates["par"])]
    speed = ratio({"one": one, "two": two}, "one", "two")
    return Row("rounds of AE+PAR a second", "1/s", sum(one) / len(one), sum(two) / len(two), "two passes", speed)


def per_slot(name: str, rates: Rates) -> Row:
    """Throughput against fine-tuning's."""
    own, tuned = (sum(rates[side]) / len(rates[side]) for side in (name, TUNING))
    spread = ratio(rates, name, TUNING)
    return Row(f"{name}: slots a second", "slots/s", own, tuned, f"{TUNING} ({METHOD})", spread, Target(0.9))
