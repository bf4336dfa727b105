"""The picture of who sees whom is what the code says now, for every fine-tuning method."""

import json
import xml.etree.ElementTree as ElementTree

import draw_visibility
import pytest

from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.objectives.pictures.drawing import HIDDEN

SVG = "{http://www.w3.org/2000/svg}"


def test_picture_is_what_the_code_draws() -> None:
    drawn = draw_visibility.PICTURE.read_text(encoding="utf-8")
    assert drawn == draw_visibility.drawn_now(), "draw it anew: python docs/draw_visibility.py"


@pytest.mark.parametrize("method", sorted(OBJECTIVES))
def test_every_method_has_a_panel(method: str) -> None:
    """With a square for each pair of slots, coloured where the one sees the other, and its name above it."""
    groups = ElementTree.parse(draw_visibility.PICTURE).iter(f"{SVG}g")
    (panel,) = (group for group in groups if group.get("data-panel") == method)
    squares = [square.get("fill") for square in panel.iter(f"{SVG}rect")]
    matrix = str(panel.get("data-sees")).split()
    assert [fill != HIDDEN for fill in squares] == [sees == "#" for row in matrix for sees in row]
    assert len(matrix) == len(json.loads(str(panel.get("data-rows"))))
    assert method in {element.text for element in panel.iter(f"{SVG}text")}


def test_picture_can_be_read_on_a_dark_page() -> None:
    """The first shape is a white ground as large as the picture."""
    root = ElementTree.parse(draw_visibility.PICTURE).getroot()
    ground = root.find(f"{SVG}rect")
    assert ground is not None and ground.get("fill") == "#ffffff"
    assert (ground.get("width"), ground.get("height")) == (root.get("width"), root.get("height"))
