"""Pictures of squares and words, written as SVG or PNG; both show the same shapes."""

import logging
import warnings
from pathlib import Path
from typing import Any, Iterator, List, Mapping, NamedTuple, Sequence, Tuple, Union
from xml.sax.saxutils import escape, quoteattr

from .atomic_files import refusals_in_one_line, whole_files, write_text
from .errors import UserError

logger = logging.getLogger(__name__)

INK, PAPER = "#24292f", "#ffffff"
FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
ANCHORS = {"start": "left", "middle": "center", "end": "right"}
"""SVG's words for the alignment of a text, and matplotlib's."""

INCH, POINT = 96, 0.75
"""Pixels of an inch, and points of a pixel, as in SVG."""

SHARPNESS = 2
"""Pixels of a PNG for one of the picture."""


class Place(NamedTuple):
    """Where something is drawn, in pixels from the upper left corner of its panel, or of the picture."""

    x: float
    y: float


class Square(NamedTuple):
    """A square with round corners; ``opacity`` from 0 to 1."""

    place: Place
    colour: str
    side: float
    opacity: float = 1.0

    def svg(self) -> str:
        (x, y), side = self.place, f"{self.side:g}"
        opacity = "" if self.opacity == 1 else f' fill-opacity="{self.opacity:.3g}"'
        return f'<rect x="{x:g}" y="{y:g}" width="{side}" height="{side}" rx="4" fill="{self.colour}"{opacity}/>'


class Words(NamedTuple):
    """A line of text on a baseline.

    Attributes:
        place: where it is anchored.
        text: the words.
        size: of the letters, in pixels.
        anchor: which part of the text is at the place: start, middle or end.
        upright: whether the text runs from the bottom, where it starts, to the top.
        font: empty for the picture's font, or another, such as monospace.
    """

    place: Place
    text: str
    size: int = 12
    colour: str = INK
    anchor: str = "start"
    bold: bool = False
    upright: bool = False
    font: str = ""

    def svg(self) -> str:
        x, y = self.place
        look = f'font-size="{self.size}" fill="{self.colour}"'
        look += "" if self.anchor == "start" else f' text-anchor="{self.anchor}"'
        look += ' font-weight="600"' if self.bold else ""
        look += f' font-family="{self.font}"' if self.font else ""
        look += f' transform="rotate(-90 {x:g} {y:g})"' if self.upright else ""
        return f'<text x="{x:g}" y="{y:g}" {look}>{escape(self.text)}</text>'


Shape = Union[Square, Words]


class Group(NamedTuple):
    """Shapes that belong together.

    Attributes:
        place: their origin in the picture.
        shapes: drawn in this order.
        data: what an SVG says of them in attributes ``data-…``, for programs that read it.
    """

    place: Place
    shapes: Sequence[Shape]
    data: Mapping[str, str] = {}

    def svg(self) -> Iterator[str]:
        """Its lines in an SVG."""
        data = "".join(f" data-{name}={quoteattr(value)}" for name, value in self.data.items())
        yield f'<g transform="translate({self.place.x:g} {self.place.y:g})"{data}>'
        yield from (shape.svg() for shape in self.shapes)
        yield "</g>"


class Picture(NamedTuple):
    """Groups on a white ground, so that they can be read on a dark page too; sizes in pixels."""

    title: str
    width: float
    height: float
    groups: Sequence[Group]

    def svg(self) -> str:
        """The picture as a whole SVG file."""
        size = f'width="{self.width:g}" height="{self.height:g}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" {size} {FONT}>',
            f"<title>{escape(self.title)}</title>",
            f'<rect {size} rx="8" fill="{PAPER}"/>',
        ]
        return "\n".join([*lines, *(line for group in self.groups for line in group.svg()), "</svg>\n"])

    def write_png(self, path: Path) -> None:
        """Writes the picture as a PNG file; raises ModuleNotFoundError without matplotlib."""
        from matplotlib.figure import Figure  # not needed for anything else

        figure = Figure(figsize=(self.width / INCH, self.height / INCH), dpi=INCH * SHARPNESS, facecolor=PAPER)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, self.width), ylim=(self.height, 0))
        axes.set_axis_off()
        for group in self.groups:
            for shape in group.shapes:
                plot(axes, shape, origin=group.place)
        with refusals_in_one_line(), whole_files(path.parent) as workshop, warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            figure.savefig(workshop / path.name, format="png")
        missing = {str(each.message) for each in said if "missing from font" in str(each.message)}
        if missing:
            logger.warning(
                f"{path}: no font here has {len(missing)} of the characters, drawn as boxes; an SVG has them"
            )


def plot(axes: Any, shape: Shape, *, origin: Place) -> None:
    """Draws a shape of a group by matplotlib."""
    from matplotlib.patches import FancyBboxPatch

    x, y = origin.x + shape.place.x, origin.y + shape.place.y
    if isinstance(shape, Square):
        box = FancyBboxPatch((x + 4, y + 4), shape.side - 8, shape.side - 8, boxstyle="round,pad=4")
        box.set(facecolor=shape.colour, alpha=shape.opacity, edgecolor="none")
        axes.add_patch(box)
        return
    font = {"family": shape.font} if shape.font else {}
    look: Any = {"color": shape.colour, "fontsize": shape.size * POINT, "weight": "bold" if shape.bold else "normal"}
    if shape.upright:
        assert shape.anchor == "start"
        axes.text(x, y, plain(shape.text), rotation=90, ha="right", va="bottom", **look, **font)
    else:
        axes.text(x, y, plain(shape.text), ha=ANCHORS[shape.anchor], va="baseline", **look, **font)


def plain(text: str) -> str:
    """A text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def write(picture: Picture, path: Path) -> None:
    """Writes a picture in the format of the file's name.

    Raises:
        UserError: another suffix than .svg and .png, or a file that cannot be written.
    """
    check_suffix(path)
    if path.suffix.lower() == ".png":
        picture.write_png(path)
    else:
        write_text(path, picture.svg())


def check_suffix(path: Path) -> None:
    """Raises UserError unless a picture can be written to a file of this name."""
    if path.suffix.lower() not in (".svg", ".png"):
        raise UserError(f"{path}: no format of a picture has this suffix; expected a name that ends in .svg or .png")


def stacked(sizes: Sequence[Tuple[float, float]], *, columns: int, top: float) -> List[Place]:
    """Where panels of these widths and heights begin, in lines of ``columns``, the first line at ``top``.

    Each line is as high as its highest panel, and all columns are as wide as the widest one.
    """
    wide = max(width for width, _ in sizes)
    places: List[Place] = []
    for first in range(0, len(sizes), columns):
        line = sizes[first : first + columns]
        places += [Place(number * wide, top) for number in range(len(line))]
        top += max(height for _, height in line)
    return places
