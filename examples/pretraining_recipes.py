"""The recipes of pre-training: what pretrain-NAME/recipe.yaml says, put together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

import yaml
from recipes import EXAMPLES, PRETRAINING, first_of, merged, tables

SETTINGS = ("train", "schedule", "vocabulary", "spans")
"""The sections that may stand with a task and with a system; the latter counts."""


class Slots(NamedTuple):
    """Slots for each token of a text: in the source block, in the two others, and those that predict."""

    source: float
    rest: float
    labels: float


@dataclass(frozen=True)
class Pretraining:
    """All there is to know to repeat one pre-training of one paper.

    Attributes:
        task: the folder in examples/.
        paper: key in papers.yaml.
        objective: ``--objective``.
        size: base or large.
        variant: tells apart models of the same size: an ablation, a larger corpus.
        where: the place in the paper.
        train: options of fairseq-train.
        schedule: updates, warmup (updates), and the size of a batch: ``batch`` examples, or ``batch-tokens``.
        vocabulary: options of preprocess/wordpiece_vocabulary.py.
        spans: options of preprocess/span_vocabulary.py; empty: the objective needs no spans.
    """

    task: str
    paper: str
    objective: str
    size: str
    variant: str
    where: str
    train: Mapping[str, Any]
    schedule: Mapping[str, Any]
    vocabulary: Mapping[str, Any]
    spans: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Tells apart the recipes of a task."""
        return "-".join(filter(None, (self.size, self.variant)))

    @property
    def positions(self) -> int:
        """The tokens of the longest text, special ones included."""
        return int(self.train["max-source-positions"])

    @property
    def batch(self) -> int:
        """The texts of an update; of a batch that is given in tokens, as many as have these at full length."""
        tokens: Optional[int] = self.schedule.get("batch-tokens")
        return int(self.schedule["batch"]) if tokens is None else tokens // self.positions

    @property
    def slots(self) -> Slots:
        """How many slots the objective makes of a text."""
        if self.objective == "ernie_gen":
            share, flows = self.train["fragment-share"], 2 if self.spans else 1
            return Slots(1 - share, share * (1 + flows), share * flows)
        share, parts = self.train["mask-share"], self.train.get("pmlm-objective", "ae_par").split("_")
        has_queries = self.objective == "pmlm" and parts != ["ae"]
        return Slots(1, 2 * share if has_queries else 0, share * (len(parts) if self.objective == "pmlm" else 1))

    @property
    def longest(self) -> int:
        """The slots of the longest text; two more, as shares of it are rounded up."""
        return math.ceil((self.slots.source + self.slots.rest) * self.positions) + 2

    def at_once(self, most: int, *, gpus: int = 1) -> int:
        """Texts of a forward pass: the largest number, ``most`` at most, of which passes make up a batch exactly."""
        return max(number for number in range(1, most + 1) if self.batch % (gpus * number) == 0 or number == 1)


def pretraining_tasks() -> list[str]:
    """The folders of pre-training."""
    return [name for name in tables() if name.startswith(PRETRAINING)]


def pretrainings(task: str) -> list[Pretraining]:
    """Every system of a task."""
    table = yaml.safe_load((EXAMPLES / task / "recipe.yaml").read_text(encoding="utf-8"))
    return [build(task, table, system) for system in table["systems"]]


def build(task: str, table: Mapping[str, Any], system: Mapping[str, Any]) -> Pretraining:
    """One system: its own settings over those of the task; spans only where there is a flow that needs them."""
    settings = {key: merged(layer.get(key, {}) for layer in (table, system)) for key in SETTINGS}
    if settings["train"].get("word-flow-weight") in (None, 1):
        settings["spans"] = {}
    return Pretraining(
        task=task,
        paper=table["paper"],
        objective=table["objective"],
        size=system["size"],
        variant=system.get("variant", ""),
        where=system.get("where", table["where"]),
        **settings,
    )


def choose_pretraining(task: str, **wanted: Optional[str]) -> Pretraining:
    """The first system of a task with these properties; ends the program if there is none."""
    return first_of(pretrainings(task), task, wanted)
