"""Draws docs/who-sees-whom.svg: which slot of a packed pair may attend to which, under every fine-tuning method.

    python docs/draw_visibility.py

Nothing of the picture is drawn from memory: the slots are those that each registered method trains on, the filled
squares are what the package's one rule of visibility answers. A method that is added to the register gets a panel.
"""

from pathlib import Path
from typing import Iterator, List, NamedTuple, Sequence, Tuple
from xml.sax.saxutils import escape

import numpy as np
import torch

from s2sft_fairseq.objectives.finetuning import OBJECTIVES, FinetuningObjective
from s2sft_fairseq.objectives.slots import IGNORE, Blocks
from s2sft_fairseq.objectives.source_layouts import Segments
from s2sft_fairseq.objectives.visibility import visible
from s2sft_fairseq.text.dictionary import PretrainedDictionary

PICTURE = Path(__file__).with_name("who-sees-whom.svg")

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SOURCE, TARGET = ("s1", "s2"), ("t1", "t2")
NO_NOISE = {"target_mask_prob": 0.0, "mask_keep_prob": 0.0, "mask_random_prob": 0.0}
"""Known tokens stay as they are; where tokens must be masked to train at all (masked), one of them is."""

SEED = 5
"""Of what is masked; with this one it is a token in the middle."""

BLOCKS = ("source", "target", "query")
COLOURS = {"source": "#4c78c8", "target": "#3a9d6e", "query": "#c8701a"}
NAMES = {"source": "source", "target": "target", "query": "masks beside the target"}
HIDDEN, INK, FAINT = "#eef0f3", "#24292f", "#6e7781"
CELL, STEP = 22, 25
"""Width of a square, and from one to the next, in pixels."""

GAP = 8
"""Between two blocks."""

LEFT, TOP, RIGHT, BOTTOM = 92, 106, 76, 26
"""What a panel has around its squares."""

HEAD = 72
"""Height of title and legend."""

COLUMNS = 2
FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'


class Place(NamedTuple):
    """Where something is drawn, in pixels from the upper left corner of its panel, or of the picture."""

    x: float
    y: float


class Panel(NamedTuple):
    """What is drawn of one method.

    Attributes:
        method: its name in the register.
        tokens: what each slot holds, [L].
        positions: the position that each slot embeds, [L].
        predicted: the token to predict at each slot, empty where there is none, [L].
        blocks: which block each slot is of, [L].
        sees: whether the slot of a row may attend to the slot of a column, [L][L].
    """

    method: str
    tokens: List[str]
    positions: List[int]
    predicted: List[str]
    blocks: List[str]
    sees: List[List[bool]]


def vocabulary() -> PretrainedDictionary:
    """The special tokens, the words of the example, and what the registered methods add."""
    dictionary = PretrainedDictionary([*SPECIAL, *SOURCE, *TARGET])
    dictionary.grow(token for name in sorted(OBJECTIVES) for token in OBJECTIVES[name].extra_tokens)
    return dictionary


def trained_on(objective: FinetuningObjective, dictionary: PretrainedDictionary) -> Blocks:
    """The slots of the example pair that a method trains on, framed as the dataset frames it."""
    end = [dictionary.eos_word]
    source = [dictionary.bos_word, *SOURCE, *(end if objective.layout.source_end else [])]
    rows = [torch.tensor([dictionary.index(token) for token in side]) for side in (source, [*TARGET, *end])]
    return objective.train(rows[0], rows[1], np.random.default_rng(SEED))


def panel(method: str) -> Panel:
    """Asks a method for its slots, and the rule of visibility for who sees whom among them."""
    dictionary, of_method = vocabulary(), OBJECTIVES[method]
    objective = of_method(dictionary, Segments(source=0, target=1), of_method.options_class(**NO_NOISE))
    blocks = trained_on(objective, dictionary)
    slots = blocks.packed()
    return Panel(
        method,
        tokens=[dictionary[row] for row in slots.token[0].tolist()],
        positions=slots.position[0].tolist(),
        predicted=["" if row == IGNORE else dictionary[row] for row in slots.label[0].tolist()],
        blocks=[name for name, block in zip(BLOCKS, blocks) for _ in range(block.token.size(1))],
        sees=visible(slots, slots)[0].tolist(),
    )


def text(place: Place, words: str, *, size: int = 12, look: str = "") -> str:
    """Words at a place; ``look`` holds further attributes (anchor, colour, weight)."""
    x, y = place
    fill = "" if "fill=" in look else f' fill="{INK}"'
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}"{fill}{" " * bool(look)}{look}>{escape(words)}</text>'


def square(place: Place, colour: str) -> str:
    """One square of a grid, or of the legend."""
    x, y = place
    return f'<rect x="{x:g}" y="{y:g}" width="{CELL}" height="{CELL}" rx="4" fill="{colour}"/>'


def offset(slot: int, blocks: List[str]) -> float:
    """How far a slot lies from the first one: a little more for each block that begins before it."""
    return slot * STEP + GAP * (len(set(blocks[: slot + 1])) - 1)


def grid(drawn: Panel) -> Iterator[str]:
    """The squares: a row for each slot that looks, a column for each that is seen, in the colour of the latter."""
    for row, sees in enumerate(drawn.sees):
        for column, allowed in enumerate(sees):
            place = Place(LEFT + offset(column, drawn.blocks), TOP + offset(row, drawn.blocks))
            yield square(place, COLOURS[drawn.blocks[column]] if allowed else HIDDEN)


def row_labels(drawn: Panel) -> Iterator[str]:
    """Beside each row its token, and what is predicted there."""
    right = LEFT + extent(drawn) + 8
    for slot, (token, goal) in enumerate(zip(drawn.tokens, drawn.predicted)):
        y = TOP + offset(slot, drawn.blocks) + 15.5
        yield text(Place(LEFT - 8, y), token, look=f'text-anchor="end" fill="{COLOURS[drawn.blocks[slot]]}"')
        if goal:
            yield text(Place(right, y), f"→ {goal}", look='font-weight="600"')


def column_labels(drawn: Panel) -> Iterator[str]:
    """Above each column its token, upright, and the position that it embeds."""
    yield text(Place(LEFT - 8, TOP - 8), "position", size=10, look=f'text-anchor="end" fill="{FAINT}"')
    for slot, (token, position) in enumerate(zip(drawn.tokens, drawn.positions)):
        x = LEFT + offset(slot, drawn.blocks) + CELL / 2
        yield text(Place(x, TOP - 8), str(position), size=10, look=f'text-anchor="middle" fill="{FAINT}"')
        turned = f'fill="{COLOURS[drawn.blocks[slot]]}" transform="rotate(-90 {x + 4:g} {TOP - 24})"'
        yield text(Place(x + 4, TOP - 24), token, look=turned)


def extent(drawn: Panel) -> float:
    """Width, and height, of a panel's squares together."""
    return offset(len(drawn.tokens) - 1, drawn.blocks) + CELL


def placed(panels: Sequence[Panel]) -> Iterator[Tuple[Place, Panel]]:
    """Where each panel begins: in lines of two, each line as high as its highest, each column as wide as its widest."""
    width = LEFT + max(map(extent, panels)) + RIGHT
    y: float = HEAD
    for first in range(0, len(panels), COLUMNS):
        line = panels[first : first + COLUMNS]
        yield from ((Place(number * width, y), drawn) for number, drawn in enumerate(line))
        y += TOP + max(map(extent, line)) + BOTTOM


def drawing(place: Place, drawn: Panel) -> Iterator[str]:
    """One panel in its place, under the name of its method."""
    yield f'<g transform="translate({place.x:g} {place.y:g})">'
    yield text(Place(LEFT, 22), drawn.method, size=17, look='font-weight="600" font-family="monospace"')
    yield from row_labels(drawn)
    yield from column_labels(drawn)
    yield from grid(drawn)
    yield "</g>"


def legend() -> Iterator[str]:
    """What rows, columns and colours stand for."""
    yield text(
        Place(24, 30), "Who sees whom in training: a slot (row) may attend to the coloured slots of its row", size=16
    )
    entries = [*((COLOURS[block], NAMES[block]) for block in BLOCKS), (HIDDEN, "not visible")]
    x: float = 24
    for colour, meaning in entries:
        yield square(Place(x, 44), colour)
        yield text(Place(x + CELL + 6, 59), meaning)
        x += CELL + 26 + 6.5 * len(meaning)
    yield text(Place(x, 59), "→ t1: predicts t1")


def picture(panels: Sequence[Panel]) -> str:
    """The whole SVG: the legend, and below it the panels."""
    places = list(placed(panels))
    width = max(place.x + LEFT + extent(drawn) + RIGHT for place, drawn in places)
    height = max(place.y + TOP + extent(drawn) + BOTTOM for place, drawn in places)
    title = f"Which slot may attend to which: {', '.join(drawn.method for drawn in panels)}"
    shapes = (line for place, drawn in places for line in drawing(place, drawn))
    return "\n".join([*ground(title, width=width, height=height), *legend(), *shapes, "</svg>\n"])


def ground(title: str, *, width: float, height: float) -> Iterator[str]:
    """What everything is drawn on: white, so that it can be read on a dark page too."""
    size = f'width="{width:g}" height="{height:g}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" {size} {FONT}>'
    yield f"<title>{escape(title)}</title>"
    yield f'<rect {size} rx="8" fill="#ffffff"/>'


def drawn_now() -> str:
    """The picture as the code stands: a panel for each registered method, those of fewest slots first."""
    return picture(sorted(map(panel, sorted(OBJECTIVES)), key=lambda drawn: len(drawn.tokens)))


if __name__ == "__main__":
    PICTURE.write_text(drawn_now(), encoding="utf-8")
    print(f"wrote {PICTURE}")
