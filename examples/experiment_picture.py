"""What came of the experiments, as a picture: ROUGE-L of every training, and the mean of each system."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from experiment_report import Group
from matplotlib.axes import Axes

matplotlib.use("Agg")  # files only: no window
plt.rcParams["svg.fonttype"] = "none"  # text, not its outlines
plt.rcParams["svg.hashsalt"] = "the same figures, the same file"

ROW, WIDTH = 0.28, 7.5
"""Inches of a row, and of the picture."""


def draw(groups: Sequence[Group], path: Path) -> None:
    """Writes one panel a group, one row a system; the format is told by the file's name."""
    heights = [1 + len({trial.system for trial in group.scores}) for group in groups]
    size = (WIDTH, ROW * (sum(heights) + 2 * len(groups)))
    figure, panels = plt.subplots(len(groups), 1, figsize=size, squeeze=False, height_ratios=heights)
    for panel, group in zip(panels[:, 0], groups):
        fill(panel, group)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def fill(panel: Axes, group: Group) -> None:
    """A dot for each seed, a bar for the mean."""
    systems = list(dict.fromkeys(trial.system for trial in group.scores))
    for row, system in enumerate(systems):
        found = [score.figures[-1] for trial, score in group.scores.items() if trial.system == system]
        panel.plot(found, [row] * len(found), "o", color="tab:blue", alpha=0.6)
        panel.plot(np.mean(found), row, "|", color="black", markersize=14)
    panel.set_yticks(range(len(systems)), systems)
    panel.set_ylim(len(systems) - 0.5, -0.5)
    panel.set_title(f"{group.corpus.title}: ROUGE-L", fontsize=10, loc="left")
    panel.grid(axis="x", alpha=0.3)
