"""Pictures of what was found: ratios beside their targets, and curves of growth."""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

from .curves import Curve
from .results import Result, Row

matplotlib.use("Agg")  # files only: no window


def draw(results: dict[str, Result], folder: Path) -> None:
    """Writes an SVG for every case with ratios, and one for every case with curves."""
    for name, result in results.items():
        rows = [row for row in result.rows if row.ratio]
        if rows:
            draw_ratios(result.title, rows, folder / f"{name}-ratios.svg")
        if result.curves:
            draw_curves(result.title, result.curves, folder / f"{name}-curves.svg")


def draw_ratios(title: str, rows: list[Row], path: Path) -> None:
    """A bar a ratio with its spread, the target as a red mark, and a line where both sides are equal."""
    figure, axes = plt.subplots(figsize=(9, 0.4 * len(rows) + 1.2), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        assert row.ratio is not None
        middle, low, high = row.ratio.median, row.ratio.low, row.ratio.high
        axes.barh(place, middle, xerr=[[middle - low], [high - middle]], color="tab:blue", capsize=3)
        if row.target is not None:
            axes.plot([row.target.bound] * 2, [place - 0.4, place + 0.4], color="tab:red", linewidth=3)
    axes.set_yticks(range(len(rows)), [f"{row.what} : {row.versus}" for row in reversed(rows)])
    axes.axvline(1, color="black", linewidth=1)
    axes.set(title=title, xlabel="ours to the other's; red: target")
    figure.savefig(path)
    plt.close(figure)


def draw_curves(title: str, curves: list[Curve], path: Path) -> None:
    """A panel a curve, logarithmic axes; dashed: the arithmetic operations, scaled to the first point."""
    figure, panels = plt.subplots(1, len(curves), figsize=(4.2 * len(curves), 3.8), layout="constrained", squeeze=False)
    for axes, curve in zip(panels[0], curves):
        scale = curve.y[0] / curve.operations[0]
        axes.loglog(curve.x, curve.y, "o-", label=f"measured, exponent {curve.exponent:.2f}")
        expected = [scale * operations for operations in curve.operations]
        axes.loglog(curve.x, expected, "--", label=f"operations, exponent {curve.expected_exponent:.2f}")
        axes.set_xticks(curve.x, [f"{size:g}" for size in curve.x])
        axes.minorticks_off()
        axes.set(title=curve.title, xlabel=curve.x_label, ylabel=curve.y_label)
        axes.legend()
    figure.suptitle(title)
    figure.savefig(path)
    plt.close(figure)
