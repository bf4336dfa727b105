"""What a case finds: rows of a table, curves, and remarks; as JSON and as Markdown."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Optional

from .curves import Curve
from .protocol import Rates, Spread, ratio


@dataclass(frozen=True)
class Target:
    """A bound on a row's ratio, or on our own figure where there is nobody to compare with."""

    bound: float
    at_least: bool = True

    def met_by(self, value: float) -> bool:
        """Whether a value keeps within the bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        what: was measured.
        unit: of both figures.
        ours, peer: medians; no peer: there is nobody to compare with.
        versus: who the peer is.
        ratio: ours to the peer's, or of our figure to itself elsewhere in the table.
        target: of the ratio, or of our figure where there is no ratio.
    """

    what: str
    unit: str
    ours: float
    peer: Optional[float] = None
    versus: str = ""
    ratio: Optional[Spread] = None
    target: Optional[Target] = None

    @property
    def met(self) -> Optional[bool]:
        """Whether the target is met, if there is one."""
        value = self.ratio.median if self.ratio else self.ours
        return None if self.target is None else self.target.met_by(value)


@dataclass
class Result:
    """What a case found.

    Attributes:
        title: of its table.
        skipped: why there is nothing, if so.
    """

    title: str
    rows: list[Row] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    def as_json(self) -> dict[str, Any]:
        """All of it, and which targets are met."""
        return {**asdict(self), "rows": [{**asdict(row), "met": row.met} for row in self.rows]}


class NotMeasuredError(Exception):
    """A case cannot be measured here; its text says why, and what it would measure."""


def speed_row(what: str, unit: str, rates: Rates, ours: str, peer: str, target: Optional[Target] = None) -> Row:
    """Our side against a peer that took turns with it."""
    medians = median(rates[ours]), median(rates[peer])
    return Row(what, unit, *medians, versus=peer, ratio=ratio(rates, ours, peer), target=target)


def memory_row(what: str, megabytes: dict[str, float], ours: str, peer: str, target: Optional[Target] = None) -> Row:
    """Our peak memory against a peer's."""
    found = megabytes[ours] / megabytes[peer]
    return Row(what, "MB", megabytes[ours], megabytes[peer], peer, Spread.of([found]), target)


def markdown(results: dict[str, Result], machine: dict[str, str]) -> str:
    """A report: the machine, then a section a case."""
    lines = ["# Benchmarks", "", *(f"- {name}: {value}" for name, value in machine.items())]
    for result in results.values():
        lines += ["", f"## {result.title}", "", *section(result)]
    return "\n".join(lines) + "\n"


def section(result: Result) -> list[str]:
    """The tables and remarks of a case."""
    lines = [f"Not measured: {result.skipped}"] if result.skipped else []
    if result.rows:
        lines += [
            "| | unit | ours | peer | ratio (least to greatest) | target | met |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [row_line(row) for row in result.rows]
    if result.curves:
        lines += ["| | exponent, whole curve | at its end | by operations | why |", "|---|---|---|---|---|"]
        lines += [curve_line(curve) for curve in result.curves]
    return lines + [line for note in result.notes for line in ("", note)]


def row_line(row: Row) -> str:
    """A line of a table of figures."""
    peer = "" if row.peer is None else f"{number(row.peer)} ({row.versus})"
    met = {None: "", True: "yes", False: "**no**"}[row.met]
    cells = [row.what, row.unit, number(row.ours), peer, spread(row.ratio), str(row.target or ""), met]
    return f"| {' | '.join(cells)} |"


def curve_line(curve: Curve) -> str:
    """A line of a table of exponents."""
    exponents = (f"{value:.2f}" for value in (curve.exponent, curve.end_exponent, curve.expected_exponent))
    return f"| {' | '.join([curve.title, *exponents, curve.why])} |"


def number(value: float) -> str:
    """Three significant digits, thousands grouped."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(value: Optional[Spread]) -> str:
    """A ratio as ``median× (low to high)``; one that was measured once has no spread."""
    if value is None:
        return ""
    around = "" if value.low == value.high else f" ({value.low:.2f} to {value.high:.2f})"
    return f"{value.median:.2f}×{around}"
