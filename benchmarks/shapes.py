"""Sizes of the compared models, and how many operations they need."""

from typing import NamedTuple


class Shape(NamedTuple):
    """Sizes of a Transformer; its feed-forward part is four times as wide as its hidden size.

    A peer with an encoder and a decoder has ``layers`` in each (BERT2BERT), or half of them (BART).
    """

    layers: int
    hidden: int
    heads: int
    vocabulary: int

    @property
    def name(self) -> str:
        """As a table shows it."""
        return f"{self.layers}x{self.hidden}"


TINY = Shape(layers=2, hidden=16, heads=2, vocabulary=8_000)
SMALL = Shape(layers=4, hidden=256, heads=4, vocabulary=8_000)
BASE = Shape(layers=12, hidden=768, heads=12, vocabulary=30_522)


class Lengths(NamedTuple):
    """The longest source and target, special tokens included."""

    source: int
    target: int


LENGTHS = Lengths(source=448, target=64)
"""Those of the papers."""


def layer_flops(shape: Shape, *, rows: int, pairs: int) -> int:
    """Of all layers: ``rows`` slots go through 12 H² weights a layer, ``pairs`` times a slot attends to another.

    A multiplication and an addition count as two.
    """
    return shape.layers * (24 * rows * shape.hidden**2 + 4 * pairs * shape.hidden)


def head_flops(shape: Shape, labels: int) -> int:
    """Of the language model head over ``labels`` slots."""
    return 2 * labels * shape.hidden * (shape.hidden + shape.vocabulary)


def training_flops(shape: Shape, *, source: int, rest: int, labels: int) -> int:
    """Of one example, forward and backward (twice the forward pass).

    Args:
        shape: of our model.
        source: slots of the source, which see one another.
        rest: slots of targets and queries, which are scored against all slots.
        labels: slots that predict.
    """
    rows, pairs = source + rest, source**2 + rest * (source + rest)
    return 3 * (layer_flops(shape, rows=rows, pairs=pairs) + head_flops(shape, labels))


def decoding_flops(shape: Shape, *, source: int, length: int, beam: int) -> int:
    """Of one sentence: its source once, then ``length`` steps of [last token, query] for every hypothesis."""
    seen = sum(source + step + 2 for step in range(length))
    steps = layer_flops(shape, rows=2 * length, pairs=2 * seen) + head_flops(shape, length)
    return layer_flops(shape, rows=source, pairs=source**2) + beam * steps
