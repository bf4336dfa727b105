"""The results of an evaluation: a table, JSON, and scores of each example."""

import json
import sys
from math import isnan
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from ..common.atomic_files import write_text
from ..common.errors import UserError
from ..common.text_lines import STANDARD
from . import Examples
from .bootstrap import Difference, Interval, difference, interval, resampled

STANDARD_OUTPUT = Path(STANDARD)


class System(NamedTuple):
    """One system's figures, and their values on the bootstrap samples [resamples], if there are any."""

    figures: Dict[str, float]
    samples: Dict[str, np.ndarray]

    def interval(self, name: str) -> Optional[Interval]:
        """The 95 % confidence interval of a figure."""
        return interval(self.samples[name]) if name in self.samples else None


class Report:
    """The figures of one system, or of two systems and their differences.

    Args:
        title: the metric's name.
        examples: those of the evaluated system.
        other: those of the system that it is compared with.
        resamples: number of bootstrap samples; 0 for none.
    """

    def __init__(self, title: str, examples: Examples, other: Optional[Examples] = None, *, resamples: int) -> None:
        self.title = title
        self.count = len(examples)
        self.signature = examples.signature
        self.ours = measured(examples, resamples)
        self.theirs = measured(other, resamples) if other else None

    def difference(self, name: str) -> Optional[Difference]:
        """The difference of a figure to the other system's, if both have samples of it."""
        if self.theirs is None or not (name in self.ours.samples and name in self.theirs.samples):
            return None
        value = self.ours.figures[name] - self.theirs.figures[name]
        return difference(value, self.ours.samples[name], self.theirs.samples[name])

    def as_table(self) -> str:
        """A table with one row per figure."""
        rows = [["", "value", "95 % interval"]]
        if self.theirs:
            rows[0] += ["other", "95 % interval", "difference", "95 % interval", "p"]
        rows += [[name, *self.cells(name)] for name in self.ours.figures]
        return ", ".join([self.title, f"{self.count} examples", *filter(None, [self.signature])]) + "\n" + aligned(rows)

    def cells(self, name: str) -> List[str]:
        """The cells of one row of the table."""
        cells = []
        for system in filter(None, (self.ours, self.theirs)):
            cells += [f"{system.figures[name]:.3f}" if name in system.figures else "", bounds(system.interval(name))]
        found = self.difference(name)
        return [*cells, f"{found.value:+.3f}", bounds(found.interval), f"{found.p:.3f}"] if found else cells

    def as_json(self) -> Dict[str, Any]:
        """The results, ready for JSON."""
        signature = {"signature": self.signature} if self.signature else {}
        found: Dict[str, Any] = {"examples": self.count, **signature, "figures": system_json(self.ours)}
        if self.theirs:
            found["other_figures"] = system_json(self.theirs)
        differences = {name: self.difference(name) for name in self.ours.figures}
        rows = {name: numbers(value=d.value, **d.interval._asdict(), p=d.p) for name, d in differences.items() if d}
        return {**found, "differences": rows} if rows else found


def measured(examples: Examples, resamples: int) -> System:
    """The figures of a system."""
    return System(examples.figures(), resampled(examples, resamples=resamples) if resamples > 0 else {})


def system_json(system: System) -> Dict[str, Any]:
    """A system's figures with their intervals."""
    return {name: figure_json(system, name) for name in system.figures}


def figure_json(system: System, name: str) -> Dict[str, Optional[float]]:
    """One figure with its interval, if it has one."""
    around = system.interval(name)
    return numbers(value=system.figures[name], **(around._asdict() if around else {}))


def numbers(**values: float) -> Dict[str, Optional[float]]:
    """The values of one figure; NaN becomes None."""
    return {name: None if isnan(value) else value for name, value in values.items()}


def bounds(around: Optional[Interval]) -> str:
    """An interval for the table."""
    return f"[{around.low:.3f}, {around.high:.3f}]" if around else ""


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Aligns the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = (
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def write_json(path: Path, content: Dict[str, Any]) -> None:
    """Writes the results of :meth:`Report.as_json`, with any additions, to a file or to standard output."""
    write_report(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_each(path: Path, examples: Examples) -> None:
    """Writes each example's scores as TSV: a header, then one line per example.

    Raises:
        UserError: the metric does not score single examples.
    """
    each = examples.each()
    if not each:
        raise UserError("--each: this metric does not score single examples; leave it out")
    lines = ["\t".join(("example", *each))]
    rows = zip(*(column.tolist() for column in each.values()))
    lines += ["\t".join([str(number), *(f"{score:g}" for score in row)]) for number, row in enumerate(rows, start=1)]
    write_report(path, "\n".join(lines) + "\n")


def write_report(path: Path, text: str) -> None:
    """Writes a file atomically, or to standard output if the path is :data:`STANDARD_OUTPUT`."""
    if path == STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        write_text(path, text)
