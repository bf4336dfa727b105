"""Panels as a picture: a square for each pair of slots, in the colour of the slot that is looked at."""

from typing import Iterator, List, NamedTuple, Sequence, Tuple

from ...common.drawing import Group, Picture, Place, Shape, Square, Words, stacked
from .panel import NUMBERS, Head, Panel

COLOURS = {"source": "#4c78c8", "target": "#3a9d6e", "query": "#c8701a"}
NAMES = {"source": "source", "target": "target", "query": "masks beside the target"}
HIDDEN, FAINT = "#eef0f3", "#6e7781"
CELL, STEP = 22, 25
"""Width of a square, and from one to the next, in pixels."""

GAP = 8
"""Between two blocks."""

LETTER = 7.2
"""Width of a letter of size 12, about."""

LINE, NUMBER = 15, 24
"""Height of a line of numbers above the squares, and width of a column of them beside the squares."""

TITLE = 34
"""Height of a panel's title, in pixels."""

HEAD = 72
"""Height of the picture's title and legend."""

MARGIN = 24


class Style(NamedTuple):
    """What a picture shows.

    Attributes:
        title: above everything.
        numbers: fields of the slots in the heads of the columns; in those of the rows, if there is more than one.
        labels: whether the heads of the columns have labels, as those of the rows do.
        across: number of panels side by side.
    """

    title: str
    numbers: Sequence[str] = NUMBERS
    labels: bool = True
    across: int = 4

    @property
    def beside(self) -> Sequence[str]:
        """The fields that stand beside the rows."""
        return self.numbers if len(self.numbers) > 1 else ()


class Room(NamedTuple):
    """What a panel has around its squares, in pixels."""

    left: float
    top: float
    right: float


def room_of(panels: Sequence[Panel], style: Style) -> Room:
    """Room for the longest words of any panel, so that panels side by side have their squares in line."""
    rows, columns = ([head for panel in panels for head in getattr(panel, side)] for side in ("rows", "columns"))
    labels = [head.label for head in [*rows, *columns]]
    token = LETTER * max(len(head.token) for head in [*rows, *columns])
    label = LETTER * (2 + max(map(len, labels)))
    names = LETTER * max(len(name) for name in style.numbers)
    left = max(MARGIN + 8 + token + NUMBER * len(style.beside), names + 16)
    top = TITLE + 8 + token + LINE * len(style.numbers) + (label + 8 if style.labels and any(labels) else 0)
    return Room(left, top, label + 16)


def offset(slot: int, heads: Sequence[Head]) -> float:
    """How far a slot lies from the first one: a little more for each block that begins before it."""
    return slot * STEP + GAP * (len({head.block for head in heads[: slot + 1]}) - 1)


def extent(heads: Sequence[Head]) -> float:
    """Width, or height, of a panel's squares together."""
    return offset(len(heads) - 1, heads) + CELL


def squares(panel: Panel, room: Room) -> Iterator[Shape]:
    """A row for each slot that looks, a column for each that is looked at; fainter where the attention is less."""
    for row, sees in enumerate(panel.sees):
        for column, allowed in enumerate(sees):
            place = Place(room.left + offset(column, panel.columns), room.top + offset(row, panel.rows))
            colour = COLOURS[panel.columns[column].block]
            if not allowed or panel.weights is not None:
                yield Square(place, HIDDEN, CELL)
            if allowed:
                yield Square(place, colour, CELL, 1.0 if panel.weights is None else panel.weights[row][column])


def row_heads(panel: Panel, room: Room, style: Style) -> Iterator[Shape]:
    """Beside each row its token and its numbers, and on the other side what is predicted there."""
    right = room.left + extent(panel.columns) + 8
    for slot, head in enumerate(panel.rows):
        y = room.top + offset(slot, panel.rows) + 15.5
        beside = room.left - 8 - NUMBER * len(style.beside)
        yield Words(Place(beside, y), head.token, colour=COLOURS[head.block], anchor="end")
        for number, value in enumerate(head.numbers(style.beside), start=1):
            yield Words(Place(beside + NUMBER * number, y), str(value), size=10, colour=FAINT, anchor="end")
        if head.label:
            yield Words(Place(right, y), f"→ {head.label}", bold=True)


def column_heads(panel: Panel, room: Room, style: Style) -> Iterator[Shape]:
    """Above each column its numbers; above these, upright, its token, and what is predicted there."""
    lines = [room.top - 8 - LINE * number for number in reversed(range(len(style.numbers)))]
    for name, y in zip(style.numbers, lines):
        yield Words(Place(room.left - 8, y), name, size=10, colour=FAINT, anchor="end")
    tokens = lines[0] - LINE - 1
    labels = tokens - LETTER * max(len(head.token) for head in panel.columns) - 8
    for slot, head in enumerate(panel.columns):
        x = room.left + offset(slot, panel.columns) + CELL / 2
        for value, y in zip(head.numbers(style.numbers), lines):
            yield Words(Place(x, y), str(value), size=10, colour=FAINT, anchor="middle")
        yield Words(Place(x + 4, tokens), head.token, colour=COLOURS[head.block], upright=True)
        if head.label and style.labels:
            yield Words(Place(x + 4, labels), f"→ {head.label}", bold=True, upright=True)


def panel_group(panel: Panel, place: Place, *, room: Room, style: Style) -> Group:
    """One panel in its place, under its title, with its matrix as data."""
    title = Words(Place(MARGIN, 22), panel.title, size=17, bold=True, font="monospace")
    heads = [*row_heads(panel, room, style), *column_heads(panel, room, style)]
    return Group(place, [title, *heads, *squares(panel, room)], panel.data())


def legend(panels: Sequence[Panel], style: Style) -> Tuple[Group, float]:
    """What rows, columns and colours stand for, and how wide that is."""
    used = {head.block for panel in panels for head in panel.columns}
    entries = [*((COLOURS[name], NAMES[name]) for name in COLOURS if name in used), (HIDDEN, "not visible")]
    shapes: List[Shape] = [Words(Place(MARGIN, 30), style.title, size=16)]
    x: float = MARGIN
    for colour, meaning in entries:
        shapes += [Square(Place(x, 44), colour, CELL), Words(Place(x + CELL + 6, 59), meaning)]
        x += CELL + 26 + 6.5 * len(meaning)
    label = next((head.label for panel in panels for head in panel.rows if head.label), "")
    if label:
        words = f"→ {label}: predicts {label}"
        shapes.append(Words(Place(x, 59), words))
        x += LETTER * len(words)
    return Group(Place(0, 0), shapes), max(x, MARGIN + 8 * len(style.title))


def picture(panels: Sequence[Panel], style: Style) -> Picture:
    """All panels in one picture, below the legend."""
    room = room_of(panels, style)
    sizes = [
        (room.left + extent(panel.columns) + room.right, room.top + extent(panel.rows) + MARGIN) for panel in panels
    ]
    places = stacked(sizes, columns=style.across, top=HEAD)
    above, width = legend(panels, style)
    groups = [panel_group(panel, place, room=room, style=style) for panel, place in zip(panels, places)]
    return Picture(
        f"Which slot may attend to which: {', '.join(panel.title for panel in panels)}",
        width=max([width + MARGIN, *(place.x + size[0] for place, size in zip(places, sizes))]),
        height=max(place.y + size[1] for place, size in zip(places, sizes)),
        groups=[above, *groups],
    )
