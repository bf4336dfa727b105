"""The recipes: what papers.yaml says of each paper and TASK/recipe.yaml of each task, put together."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TypeVar

import yaml

EXAMPLES = Path(__file__).resolve().parent
System = TypeVar("System")
PRETRAINING = "pretrain-"
"""How the folders of pre-trainings begin, which are not tasks of fine-tuning."""

SETTINGS = ("raw", "train", "schedule", "generate", "evaluate")
"""The sections of a recipe that may stand with a paper, with a task's paper and with a system; the last one counts."""


@dataclass(frozen=True)
class Recipe:
    """All there is to know to repeat one figure of one paper.

    Attributes:
        task: the folder in examples/.
        paper: key in papers.yaml.
        encoder: the pretrained encoder of the paper.
        method: ``--finetune-method``.
        variant: tells apart figures of the same paper, encoder and method: a split, a beam.
        split: the split that is scored.
        raw: options of preprocess/raw_pairs.py; ``tokens`` are those that an encoder must have.
        train: options of fairseq-train.
        schedule: epochs, batch (examples an update), warmup (updates, or a share of them if below 1).
        generate: options of python -m s2sft_fairseq.generate.
        evaluate: options of python -m s2sft_fairseq.evaluate.
        chosen_by: the figure on the development set that chooses checkpoints and points of a grid.
        grid: the settings among which the paper chose, and their values; empty where it says none.
        expected: the published figures, and ``where`` they stand.
        train_examples: of the published data set, for the number of updates before it is there.
    """

    task: str
    paper: str
    encoder: str
    method: str
    variant: str
    split: str
    raw: Mapping[str, Any]
    train: Mapping[str, Any]
    schedule: Mapping[str, Any]
    generate: Mapping[str, Any]
    evaluate: Mapping[str, Any]
    chosen_by: str
    grid: Mapping[str, list[Any]]
    expected: Mapping[str, float]
    where: str
    train_examples: int

    @property
    def name(self) -> str:
        """Tells apart the recipes of a task."""
        return "-".join(filter(None, (self.paper, self.encoder, self.method, self.variant)))


def tables() -> list[str]:
    """The folders that have a table."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/recipe.yaml"))


def tasks() -> list[str]:
    """The tasks of fine-tuning."""
    return [name for name in tables() if not name.startswith(PRETRAINING)]


def recipes(task: str) -> list[Recipe]:
    """Every system of a task."""
    papers = yaml.safe_load((EXAMPLES / "papers.yaml").read_text(encoding="utf-8"))
    table = yaml.safe_load((EXAMPLES / task / "recipe.yaml").read_text(encoding="utf-8"))
    return [build(task, table, system, papers[system["paper"]]) for system in table["systems"]]


def build(task: str, table: Mapping[str, Any], system: Mapping[str, Any], paper: Mapping[str, Any]) -> Recipe:
    """One system: its own settings over those of the task and of the paper."""
    size = "large" if "large" in system["encoder"] else "base"
    layers = [paper, {"train": paper.get(size, {})}, table, table["papers"][system["paper"]], system]
    settings = {key: merged(layer.get(key, {}) for layer in layers) for key in SETTINGS}
    method = system.get("method", settings["train"].pop("finetune-method"))
    settings["train"] = {**settings["train"], "finetune-method": method}
    settings["generate"] = search(**settings["generate"])
    grid = paper.get("grid", {})
    return Recipe(
        task=task,
        paper=system["paper"],
        encoder=system["encoder"],
        method=method,
        variant=system.get("variant", ""),
        split=system.get("split", "test"),
        chosen_by=table["chosen-by"],
        grid={**grid.get(size, {}), **grid.get("all", {})},
        expected=system["expected"],
        where=system["where"],
        train_examples=table["train_examples"],
        **settings,
    )


def search(**settings: Any) -> dict[str, Any]:
    """The flags of a search: of ``max-output``, which counts the end token, --max-len-b does not count it."""
    longest = settings.pop("max-output")
    return {**settings, "max-len-b": longest - 1, "length-penalty-type": "gnmt"}


def merged(layers: Any) -> dict[str, Any]:
    """Later settings over earlier ones."""
    return {key: value for layer in layers for key, value in layer.items()}


def choose(task: str, **wanted: Optional[str]) -> Recipe:
    """The first system of a task with these properties, which are attributes; ends the program if there is none."""
    return first_of(recipes(task), task, wanted)


def first_of(found: Sequence[System], task: str, wanted: Mapping[str, Optional[str]]) -> System:
    """The first system that has the wanted values of its attributes; ends the program if there is none."""
    for system in found:
        if all(value in (None, getattr(system, key)) for key, value in wanted.items()):
            return system
    asked = ", ".join(f"--{key} {value}" for key, value in wanted.items() if value is not None)
    known = ", ".join(" ".join(filter(None, (getattr(one, key) for key in wanted))) for one in found)
    sys.exit(f"{task} has no system with {asked}; expected one of ({', '.join(wanted)}): {known}")
