"""Selects the part of a long source that a model should read (paper 004, sections 3.2 and 3.3).

The source is tokenized once. A window consists of consecutive whole words with at most a given number of pieces. The
chosen window is the one that contains the answer, or that shares the most words with the question.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

from ..common.characters import IDEOGRAPHS, WIDE_SIGNS
from .tokenizers.tokenizer import Tokenizer

CHINESE = IDEOGRAPHS + WIDE_SIGNS
BORDER = re.compile(rf"[\s{CHINESE}]")
TERM = re.compile(rf"[{CHINESE}]|[^\W{CHINESE}]+")

Span = Tuple[int, int]
"""The start of a part of a text, and its end: the position after the last character."""


class Window(NamedTuple):
    """Consecutive words: characters ``start`` to ``end`` and pieces ``first`` to ``last`` of a source."""

    start: int
    end: int
    first: int
    last: int

    def contains(self, span: Span) -> bool:
        """Whether all characters of a span are inside."""
        return self.start <= span[0] and span[1] <= self.end


class Source(NamedTuple):
    """A text, and the characters that each of its pieces covers."""

    text: str
    pieces: Sequence[Span]

    def units(self, limit: int) -> Iterator[Window]:
        """What is never cut: words, delimited by whitespace or Chinese characters; pieces of words over the limit."""
        for word in self.between([number for number in range(len(self.pieces)) if self.begins_word(number)]):
            if word.last - word.first <= limit:
                yield word
            else:
                yield from self.between(list(filter(self.stands_apart, range(word.first, word.last))), word.last)

    def between(self, starts: Sequence[int], last: int = -1) -> Iterator[Window]:
        """The windows from each of these pieces to the next one, or to the piece `last` (default: the end)."""
        for first, after in zip(starts, [*starts[1:], len(self.pieces) if last < 0 else last]):
            start, end = self.pieces[first][0], self.pieces[after - 1][1]
            inside = self.text[start:end]  # a piece may include the space before a word
            yield Window(start + len(inside) - len(inside.lstrip()), start + len(inside.rstrip()), first, after)

    def stands_apart(self, number: int) -> bool:
        """Whether a piece shares no character with the previous one."""
        return number == 0 or self.pieces[number][0] >= self.pieces[number - 1][1]

    def begins_word(self, number: int) -> bool:
        """Whether a piece is the beginning of a word."""
        start = self.pieces[number][0]
        around = self.text[max(start - 1, 0) : start + 1]
        return number == 0 or (self.stands_apart(number) and BORDER.search(around) is not None)

    def covering(self, span: Span) -> Span:
        """The pieces that cover a span of characters: the first, and the one after the last."""
        starts, ends = zip(*self.pieces)
        return bisect_right(ends, span[0]), bisect_left(starts, span[1])


def fitting(tokenizer: Tokenizer, source: Source, query: str, *, limit: int, keep: str) -> str:
    """The part of a source with at most ``limit`` pieces when tokenized alone; a short source is kept whole.

    A window alone may have more pieces than within its source, so its pieces are counted again, and smaller windows
    are tried until one fits.
    """
    if len(source.pieces) <= limit:
        return source.text
    max_length = limit
    while True:
        chosen = select(source, query, limit=max_length, keep=keep)
        excess = len(tokenizer.encode(chosen).split()) - limit
        if excess <= 0:
            return chosen
        max_length -= excess


def select(source: Source, query: str, *, limit: int, keep: str) -> str:
    """The part of a source that is kept.

    Args:
        source: the text and its pieces.
        query: the answer, or the question.
        limit: the maximum number of pieces of the result.
        keep: one of :data:`KEEP`.
    """
    longest = list(windows(list(source.units(limit)), limit))
    if not longest:
        return ""
    chosen = KEEP[keep](source, longest, query)
    return source.text[chosen.start : chosen.end]


def windows(units: Sequence[Window], limit: int) -> Iterator[Window]:
    """The longest window that begins with each unit; every other window is part of one of these."""
    after = 0
    for place, unit in enumerate(units):
        after = max(after, place)
        while after < len(units) and units[after].last - unit.first <= limit:
            after += 1
        if after > place:
            yield Window(unit.start, units[after - 1].end, unit.first, units[after - 1].last)


def keep_head(source: Source, longest: Sequence[Window], query: str) -> Window:
    """The first window: plain truncation."""
    return longest[0]


def keep_overlap(source: Source, longest: Sequence[Window], query: str) -> Window:
    """The window with the most words of the question, each counted once; the first one among ties."""
    counts = shared_terms(source.text, longest, {term.casefold() for term in TERM.findall(query)})
    return max(zip(counts, longest), key=lambda one: one[0])[1]


def keep_answer(source: Source, longest: Sequence[Window], query: str) -> Window:
    """The window with the answer and the most context on the shorter side; the first one among ties.

    BERT's run_squad.py chooses in the same way among the windows with an answer. If no window contains the answer, it
    is the window with the most of its words.
    """
    spans = [(span, source.covering(span)) for span in occurrences(source.text, query)]
    found = [
        (min(first - window.first, window.last - last), window)
        for window in longest
        for span, (first, last) in spans
        if window.contains(span)
    ]
    return max(found, key=lambda one: one[0])[1] if found else keep_overlap(source, longest, query)


KEEP: Dict[str, Callable[[Source, Sequence[Window], str], Window]] = {
    "answer": keep_answer,
    "overlap": keep_overlap,
    "head": keep_head,
}
"""The rules that choose a window, by name."""


def shared_terms(text: str, longest: Sequence[Window], wanted: Set[str]) -> Iterator[int]:
    """The number of different wanted words in each window; the windows are in the order of the text."""
    terms = ((match.start(), match.end(), match[0].casefold()) for match in TERM.finditer(text))
    hits = [term for term in terms if term[2] in wanted]
    inside: Counter[str] = Counter()
    entered = left = 0
    for window in longest:
        while entered < len(hits) and hits[entered][1] <= window.end:
            inside[hits[entered][2]] += 1
            entered += 1
        while left < entered and hits[left][0] < window.start:
            inside[hits[left][2]] -= 1
            left += 1
        yield sum(count > 0 for count in inside.values())


def occurrences(text: str, part: str) -> List[Span]:
    """The spans where a part occurs in a text: with the same case or, if there are none, in any case."""
    pattern = re.escape(part.strip())
    for flags in (0, re.IGNORECASE) if pattern else ():
        spans = [match.span() for match in re.finditer(pattern, text, flags)]
        if spans:
            return spans
    return []
