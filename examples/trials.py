"""Several trainings of one recipe: the points of a grid, their seeds, and which of them the development set chooses."""

import itertools
import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Optional

import yaml
from recipes import Recipe
from stages import DEVELOPMENT, Setting

Figures = Mapping[str, Mapping[str, float]]
"""Of each figure its ``value`` and, where it is the mean of several trainings, its standard ``deviation``."""

Settings = Mapping[str, Any]


class Point(NamedTuple):
    """A combination of settings, and its trainings: one for each seed."""

    name: str
    runs: Sequence[Setting]

    def on_development(self) -> list[Figures]:
        """The figures of each training on the development set; ends the program if one has not been scored."""
        return [scored(replace(trial, split=DEVELOPMENT)) for trial in self.runs]


def points(run: Setting, given: Optional[Sequence[str]], *, runs: int) -> list[Point]:
    """The points of a grid, each with its trainings.

    Args:
        run: what all trainings share; the first of each point has its seed.
        given: ``NAME=VALUE,…`` for each setting; none at all: the paper's grid; None: the recipe as it is.
        runs: number of trainings of each point.
    """
    grid = dict(run.recipe.grid) if given == [] else dict(axis(word, run.recipe) for word in given or ())
    if given == [] and not grid:
        sys.exit(f"--grid: {run.recipe.paper} names no values to choose from; name them: --grid lr=2e-5,3e-5")
    if run.epochs:
        grid.pop("epochs", None)
    combinations = (dict(zip(grid, values)) for values in itertools.product(*grid.values()))
    return [point(run, settings, runs=runs) for settings in combinations]


def axis(word: str, recipe: Recipe) -> tuple[str, list[Any]]:
    """A setting and its values; ends the program if the recipe has no such setting, or there is no value.

    Values are kept as they are written, but for those of the schedule, which are numbers.
    """
    name, _, values = word.partition("=")
    known = (*recipe.schedule, *recipe.train)
    if name not in known or not all(values.split(",")):
        sys.exit(f"--grid {word}; expected NAME=VALUE,VALUE with a name among {', '.join(known)}")
    if name not in recipe.schedule:
        return name, values.split(",")
    numbers = [yaml.safe_load(value) for value in values.split(",")]
    if not all(isinstance(number, (int, float)) and number > 0 for number in numbers):
        sys.exit(f"--grid {word}; expected numbers above 0")
    return name, numbers


def point(run: Setting, settings: Settings, *, runs: int) -> Point:
    """The trainings with some settings instead of the recipe's."""
    recipe = with_settings(run.recipe, settings)
    folder = run.work / "trials" / Path("_".join(f"{name}-{value}" for name, value in settings.items()))
    seeds = range(run.seed, run.seed + runs)
    trials = [replace(run, recipe=recipe, seed=seed, trial=folder / f"seed-{seed}") for seed in seeds]
    return Point(", ".join(f"{name} {value}" for name, value in settings.items()) or "the recipe's settings", trials)


def with_settings(recipe: Recipe, settings: Settings) -> Recipe:
    """A recipe with other settings of its schedule and its training."""
    schedule = {name: settings.get(name, value) for name, value in recipe.schedule.items()}
    train = {name: settings.get(name, value) for name, value in recipe.train.items()}
    return replace(recipe, schedule=schedule, train=train)


def scored(run: Setting) -> Figures:
    """The figures of a training; ends the program if there are none."""
    if not run.figures.exists():
        sys.exit(f"{run.figures} is missing; expected the figures of this training: run the stages before this one")
    found: Figures = json.loads(run.figures.read_text(encoding="utf-8"))["figures"]
    return found


def averaged(trainings: Iterable[Figures]) -> Figures:
    """The mean of the figures that all trainings have, and with several their standard deviation (n − 1)."""
    all_figures = list(trainings)
    names = [name for name in all_figures[0] if all(name in figures for figures in all_figures)]
    values = {name: [figures[name]["value"] for figures in all_figures] for name in names}
    means = {name: {"value": statistics.fmean(found)} for name, found in values.items()}
    if len(all_figures) > 1:
        for name, found in values.items():
            means[name]["deviation"] = statistics.stdev(found)
    return means


def best(grid: Sequence[Point]) -> Point:
    """The point with the highest mean on the development set, the first one of equals."""
    if len(grid) == 1:
        return grid[0]
    chosen_by = grid[0].runs[0].recipe.chosen_by
    return max(grid, key=lambda one: averaged(one.on_development())[chosen_by]["value"])


def grid_rows(grid: Sequence[Point], chosen: Point) -> Iterator[str]:
    """A table of all points on the development set, with a star at the chosen one."""
    recipe = chosen.runs[0].recipe
    names = list(dict.fromkeys([recipe.chosen_by, *recipe.expected]))
    width = max(len(one.name) for one in grid) + 2
    yield f"\n{recipe.task}, development set: {recipe.chosen_by} chooses"
    yield " " * width + "".join(f"{name:>18}" for name in names)
    for one in grid:
        figures = averaged(one.on_development())
        mark = "* " if one is chosen else "  "
        yield f"{mark + one.name:<{width}}" + "".join(f"{cell(figures.get(name)):>18}" for name in names)


def cell(figure: Optional[Mapping[str, float]]) -> str:
    """A figure for a table."""
    if figure is None:
        return "not scored"
    around = f" ± {figure['deviation']:.3f}" if "deviation" in figure else ""
    return f"{figure['value']:.3f}{around}"
