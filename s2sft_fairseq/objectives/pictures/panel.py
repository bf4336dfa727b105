"""A panel: who sees whom among the slots of one example, with what every slot holds; and its text for a terminal."""

import json
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from torch import Tensor

from ...text.dictionary import PretrainedDictionary
from ..slots import IGNORE, Blocks
from ..visibility import visible

NUMBERS = ("position", "step", "group", "segment")
"""What is said of a slot in numbers."""


BLOCKS = ("source", "target", "query")
"""The names of a batch's blocks."""


class Head(NamedTuple):
    """What stands at the head of a row or a column: a slot.

    Attributes:
        token: what it holds.
        position, step, group, segment: as in :class:`Slots`.
        label: the token to predict here, empty if there is none.
        block: ``source``, ``target`` or ``query``.
    """

    token: str
    position: int
    step: int
    group: int
    segment: int
    label: str
    block: str

    def numbers(self, names: Sequence[str] = NUMBERS) -> List[int]:
        """The fields of these names."""
        return [getattr(self, name) for name in names]


class Panel(NamedTuple):
    """A matrix with its heads.

    Attributes:
        title: of the panel.
        rows: slots that look, [R].
        columns: slots that are looked at, [C].
        sees: whether the slot of a row may attend to the slot of a column, [R][C].
        weights: by how much it does, from 0 to 1, [R][C]; None: not known.
    """

    title: str
    rows: List[Head]
    columns: List[Head]
    sees: List[List[bool]]
    weights: Optional[List[List[float]]] = None

    @property
    def matrix(self) -> List[str]:
        """A line of ``#`` and ``.`` for each row."""
        return ["".join(".#"[allowed] for allowed in row) for row in self.sees]

    def data(self) -> Dict[str, str]:
        """Everything in the panel, for programs: JSON, but for the matrix and the title."""
        heads = {side: json.dumps([head._asdict() for head in getattr(self, side)]) for side in ("rows", "columns")}
        weights = (
            {} if self.weights is None else {"weights": json.dumps([[*map(rounded, row)] for row in self.weights])}
        )
        return {"panel": self.title, **heads, "sees": " ".join(self.matrix), **weights}


def rounded(weight: float) -> float:
    """A weight as it is written to a file."""
    return round(weight, 6)


def heads_of(blocks: Blocks, dictionary: PretrainedDictionary) -> List[Head]:
    """The heads of all slots of one example, [L]."""
    slots = blocks.packed()
    names = [name for name, block in blocks._asdict().items() for _ in range(block.token.size(1))]
    columns = (slots.token, slots.position, slots.step, slots.group, slots.segment, slots.label)
    return [
        Head(dictionary[token], position, step, group, segment, "" if label == IGNORE else dictionary[label], name)
        for token, position, step, group, segment, label, name in zip(*(c[0].tolist() for c in columns), names)
    ]


def reading_order(heads: Sequence[Head]) -> List[int]:
    """Slots in the order of their positions: context first, as one text if no position occurs twice, then queries."""
    context = [head.position for head in heads if head.block != "query"]
    is_one_text = len({*context}) == len(context)

    def place(slot: int) -> Tuple[int, int]:
        head = heads[slot]
        return (0 if is_one_text and head.block != "query" else BLOCKS.index(head.block)), head.position

    return sorted(range(len(heads)), key=place)


def panel_of(
    title: str,
    blocks: Blocks,
    dictionary: PretrainedDictionary,
    *,
    rows: Optional[Tensor] = None,
    columns: Optional[Tensor] = None,
    weights: Optional[Tensor] = None,
) -> Panel:
    """A panel of one example, as the rule of visibility answers.

    Args:
        title: of the panel.
        blocks: the example's slots.
        dictionary: of their tokens.
        rows, columns: which slots look and are looked at, bool [L] each; None: all of them.
        weights: by how much each slot attends to each other, [L, L].
    """
    slots, heads = blocks.packed(), heads_of(blocks, dictionary)
    order = reading_order(heads)
    looking, seen = ([slot for slot in order if which is None or which[slot]] for which in (rows, columns))

    def part(matrix: Tensor) -> List[List]:
        return matrix[looking][:, seen].tolist()

    return Panel(
        title,
        rows=[heads[slot] for slot in looking],
        columns=[heads[slot] for slot in seen],
        sees=part(visible(slots, slots)[0]),
        weights=None if weights is None else part(weights),
    )


def upright(words: Sequence[str], *, width: int) -> List[str]:
    """Words side by side, each written downwards and ending in the last line, in columns of a width.

    >>> upright(["ab", "c"], width=2)
    [' a  ', ' b c']
    """
    longest = max(map(len, words), default=0)
    lines = zip(*(word.rjust(longest) for word in words))
    return ["".join(letter.rjust(width) for letter in line) for line in lines]


def as_text(panel: Panel) -> Iterator[str]:
    """The panel for a terminal: ``#`` where a slot sees another, or its attention in hundredths.

    Rows have their heads on the left, columns above; labels are what is predicted at a slot.
    """
    cells = numerals(panel) if panel.weights is not None else [list(row) for row in panel.matrix]
    table = [["token", *NUMBERS, "label"]]
    table += [[head.token, *map(str, head.numbers()), head.label or "-"] for head in panel.rows]
    widths = [max(map(len, column)) for column in zip(*table)]
    width = column_width(panel, cells)
    yield panel.title
    margin = sum(widths) + len(widths)
    yield from (f"{name:>{margin}} {line}".rstrip() for name, line in column_heads(panel, width))
    names, *rows = [" ".join(field.rjust(size) for field, size in zip(row, widths)) + " " for row in table]
    yield names.rstrip()
    yield from (f"{row} {''.join(cell.rjust(width) for cell in line)}".rstrip() for row, line in zip(rows, cells))


def numerals(panel: Panel) -> List[List[str]]:
    """The attention of each row to each column in hundredths, ``.`` where a column is not visible."""
    assert panel.weights is not None
    return [
        [str(round(100 * weight)) if allowed else "." for weight, allowed in zip(weights, sees)]
        for weights, sees in zip(panel.weights, panel.sees)
    ]


def column_width(panel: Panel, cells: Sequence[Sequence[str]]) -> int:
    """Characters of a column: those of its longest number or cell, and a space."""
    numbers = [str(number) for head in panel.columns for number in head.numbers()]
    return 1 + max(len(word) for word in [*numbers, *(cell for row in cells for cell in row)])


def column_heads(panel: Panel, width: int) -> Iterator[Tuple[str, str]]:
    """The lines above a matrix, each with its name: labels and tokens downwards, then the numbers."""
    for name, words in (
        ("label", [head.label or "-" for head in panel.columns]),
        ("token", [head.token for head in panel.columns]),
    ):
        lines = upright(words, width=width)
        yield from ((name if number == len(lines) else "", line) for number, line in enumerate(lines, start=1))
    for name in NUMBERS:
        yield name, "".join(str(getattr(head, name)).rjust(width) for head in panel.columns)
