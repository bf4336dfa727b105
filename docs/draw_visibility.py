"""Draws docs/who-sees-whom.svg: which slot of a packed pair may attend to which, under every fine-tuning method.

    python docs/draw_visibility.py

The panels are those of ``python -m s2sft_fairseq.show_attention``. A method that is added to the register gets a panel.
"""

from pathlib import Path
from typing import List

from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.objectives.pictures.drawing import Style, picture
from s2sft_fairseq.objectives.pictures.examples import Request, finetuning_panels
from s2sft_fairseq.objectives.pictures.panel import Panel

PICTURE = Path(__file__).with_name("who-sees-whom.svg")

STYLE = Style(
    "Who sees whom in training: a slot (row) may attend to the coloured slots of its row",
    numbers=("position",),
    labels=False,
    across=2,
)


def panels() -> List[Panel]:
    """A panel for each registered method, those of fewest slots first."""
    made = [panel for method in sorted(OBJECTIVES) for panel in finetuning_panels(method, Request(), {})]
    return sorted(made, key=lambda panel: len(panel.rows))


def drawn_now() -> str:
    """The picture as the code stands."""
    return picture(panels(), STYLE).svg()


if __name__ == "__main__":
    PICTURE.write_text(drawn_now(), encoding="utf-8")
    print(f"wrote {PICTURE}")
