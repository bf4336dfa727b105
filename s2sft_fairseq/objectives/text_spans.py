"""Which words of a corpus make up each example: drawn for all examples at once, so that batches can be planned.

A corpus is one row of words, divided into lines, documents and blocks; an example is one or two spans of it. All draws
are vectors over the examples, so they are a function of seed, epoch and index.
"""

from typing import NamedTuple, Tuple

import numpy as np


class CorpusLayout(NamedTuple):
    """Where the lines, documents and blocks of a corpus end, counted in words.

    Attributes:
        line_ends: of each line, int64 [lines]; an empty line ends where the one before it does.
        documents: where each document with words begins, and the end of the last one, int64 [documents + 1].
        blocks: where each block begins, and the end of the last one, int64 [n + 1].
    """

    line_ends: np.ndarray
    documents: np.ndarray
    blocks: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where each block begins, int64 [n]."""
        return self.blocks[:-1]

    @property
    def sizes(self) -> np.ndarray:
        """Words of each block, int64 [n]."""
        return np.diff(self.blocks)

    def inner_lines(self, start: np.ndarray, size: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """The first line that ends within each span, before its last word, and how many do: int64 [n] each."""
        first = np.searchsorted(self.line_ends, start, side="right")
        return first, np.searchsorted(self.line_ends, start + size, side="left") - first


class Spans(NamedTuple):
    """The words of each example, int64 [n] each: one span of the corpus, or two.

    Attributes:
        kind: what the objective does with them, as it numbers its kinds of examples.
        first, first_size: where the first span begins, and its number of words.
        second, second_size: the same of the second one; size 0: there is none.
        unrelated: whether the second span comes from another document (0 or 1).
    """

    kind: np.ndarray
    first: np.ndarray
    first_size: np.ndarray
    second: np.ndarray
    second_size: np.ndarray
    unrelated: np.ndarray

    @property
    def words(self) -> np.ndarray:
        """Words of each example, int64 [n]."""
        return self.first_size + self.second_size


def draw_rooms(count: int, *, longest: int, short_share: float, rng: np.random.Generator) -> np.ndarray:
    """How many words each example may have, int64 [n]: the longest, or with ``short_share`` a uniform one from 2 on."""
    short = rng.random(count) < short_share
    return np.where(short, rng.integers(min(2, longest), longest + 1, size=count), longest)


def single_spans(layout: CorpusLayout, rooms: np.ndarray) -> Spans:
    """One span per example: the block, cut to its room."""
    size = np.minimum(layout.sizes, rooms)
    none = np.zeros_like(size)
    return Spans(none, layout.starts, size, layout.starts + size, none, none)


def split_spans(spans: Spans, layout: CorpusLayout, rng: np.random.Generator) -> Spans:
    """Divides single spans in two, as BERT does: of k lines, the first 1 to k − 1 with equal probability.

    Within a single line, the first span ends at a word drawn uniformly from the middle half; a single word has no
    second span.
    """
    size = spans.first_size
    line, inner = layout.inner_lines(spans.first, size)
    chosen = line + rng.integers(0, np.maximum(inner, 1))
    at_line = layout.line_ends[np.minimum(chosen, len(layout.line_ends) - 1)] - spans.first
    middle = rng.integers(-(-size // 4), np.maximum(3 * size // 4, -(-size // 4)) + 1)
    within = np.clip(middle, 1, np.maximum(size - 1, 1))
    first_size = np.where(inner > 0, at_line, within)
    return spans._replace(first_size=first_size, second=spans.first + first_size, second_size=size - first_size)


def has_one_line(layout: CorpusLayout, rooms: np.ndarray) -> np.ndarray:
    """Whether a block, cut to its room, has words of a single line only: bool [n]."""
    _, inner = layout.inner_lines(layout.starts, np.minimum(layout.sizes, rooms))
    return np.asarray(inner == 0)


def with_unrelated(
    spans: Spans, layout: CorpusLayout, *, chosen: np.ndarray, rooms: np.ndarray, rng: np.random.Generator
) -> Spans:
    """Replaces the second spans of the ``chosen`` examples, bool [n], by text of other documents.

    It begins with a line of a document, both drawn uniformly, and has whole lines until the room is filled; a pair
    that is then too long loses words of its longer span (:func:`cut_pairs`).
    """
    document = other_documents(spans.first, layout, rng)
    start, end = layout.documents[document], layout.documents[document + 1]
    first_line = np.searchsorted(layout.line_ends, start, side="right")
    last_line = np.searchsorted(layout.line_ends, end, side="left")
    line = rng.integers(first_line, last_line + 1)
    begin = np.where(line > 0, layout.line_ends[line - 1], 0)
    filled = np.searchsorted(layout.line_ends, begin + np.maximum(rooms - spans.first_size, 1), side="left")
    size = layout.line_ends[np.minimum(filled, last_line)] - begin
    replaced = spans._replace(
        second=np.where(chosen, begin, spans.second),
        second_size=np.where(chosen, size, spans.second_size),
        unrelated=chosen.astype(np.int64),
    )
    return cut_pairs(replaced, rooms, rng)


def other_documents(start: np.ndarray, layout: CorpusLayout, rng: np.random.Generator) -> np.ndarray:
    """For each word, the number of a document, drawn uniformly, that is not its own: int64 [n]."""
    own = np.searchsorted(layout.documents, start, side="right") - 1
    drawn = rng.integers(0, len(layout.documents) - 2, size=len(start))
    return drawn + (drawn >= own)


def cut_pairs(spans: Spans, rooms: np.ndarray, rng: np.random.Generator) -> Spans:
    """Cuts pairs to their rooms, word by word from the span that is longer by then, from either end by a fair coin."""
    a, b = spans.first_size, spans.second_size
    excess = np.maximum(a + b - rooms, 0)
    uneven = np.minimum(excess, np.abs(a - b))
    rest = excess - uneven
    from_first = np.where(a > b, uneven, 0) + rest // 2
    from_second = excess - from_first
    return spans._replace(
        first=spans.first + rng.binomial(from_first, 0.5),
        first_size=a - from_first,
        second=spans.second + rng.binomial(from_second, 0.5),
        second_size=b - from_second,
    )
