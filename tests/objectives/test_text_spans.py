"""Which words of a corpus become which example: rooms, pairs, and second texts of other documents."""

from collections import Counter
from typing import List

import numpy as np
import pytest
from chance import assert_same_law, assert_share, assert_uniform, rng
from corpora import texts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from s2sft_fairseq.objectives.text_spans import (
    CorpusLayout,
    Spans,
    cut_pairs,
    draw_rooms,
    has_one_line,
    single_spans,
    split_spans,
    with_unrelated,
)


def pairs(layout: CorpusLayout, room: int, seed: int = 0) -> Spans:
    return split_spans(single_spans(layout, np.full(len(layout.sizes), room)), layout, rng(seed))


def naive_cut(first: List[int], second: List[int], room: int, source: np.random.Generator) -> None:
    """As BERT cuts: one word at a time from the longer list, which is the second of equal ones, from either end."""
    while len(first) + len(second) > room:
        longer = first if len(first) > len(second) else second
        longer.pop(0 if source.random() < 0.5 else -1)


def test_rooms() -> None:
    rooms = draw_rooms(20_000, longest=11, short_share=0.5, rng=rng())
    short = Counter(rooms[rooms < 11].tolist())
    assert_uniform(short, 9)
    assert set(short) == set(range(2, 11))
    assert_share(int((rooms < 11).sum()), of=20_000, expected=0.5 * 9 / 10)
    assert (draw_rooms(9, longest=11, short_share=0.0, rng=rng()) == 11).all()


class TestPairs:
    def test_the_first_text_has_whole_lines(self) -> None:
        """Of four lines, one, two or three, with equal probability."""
        layout = texts_of([2, 3, 1, 4], 10).layout
        ends = Counter(int(pairs(layout, 10, seed).first_size[0]) for seed in range(900))
        assert set(ends) == {2, 5, 6}
        assert_uniform(ends, 3)

    def test_a_single_line_is_divided_in_its_middle_half(self) -> None:
        layout = texts_of([12], 20).layout
        ends = Counter(int(pairs(layout, 20, seed).first_size[0]) for seed in range(900))
        assert set(ends) == set(range(3, 10))
        assert_uniform(ends, 7)

    def test_lines_count_after_the_cut(self) -> None:
        """The room of 5 leaves one line, and the room of 7 has the end of the first line inside it."""
        layout = texts_of([6, 6], 12).layout
        assert has_one_line(layout, np.array([5])).all() and not has_one_line(layout, np.array([7])).any()
        assert has_one_line(layout, np.array([6])).all()
        assert pairs(layout, 7).first_size.tolist() == [6] and pairs(layout, 5).words.tolist() == [5]

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(2, 12), st.integers(0, 99))
    def test_spans_are_contiguous(self, sizes: List[int], room: int, seed: int) -> None:
        """Nothing but the words of the block, from its beginning; only a single word has no second text."""
        layout = texts_of(sizes, 12).layout
        spans = pairs(layout, room, seed)
        assert (spans.first == layout.starts).all() and (spans.second == spans.first + spans.first_size).all()
        assert (spans.words == np.minimum(layout.sizes, room)).all()
        assert (spans.first_size >= 1).all() and ((spans.second_size >= 1) | (spans.words == 1)).all()


class TestUnrelated:
    SIZES = (3, 2, 0, 4, 1, 0, 0, 5, 2, 2, 0)
    """Three documents: words 0–4, 5–9, 10–18."""

    def replaced(self, seed: int, room: int = 8) -> Spans:
        layout = texts_of([*self.SIZES], 12).layout
        rooms = np.full(len(layout.sizes), room)
        chosen = np.ones(len(rooms), dtype=bool)
        return with_unrelated(pairs(layout, room, seed), layout, chosen=chosen, rooms=rooms, rng=rng(seed))

    def test_comes_from_another_document(self) -> None:
        bounds = [0, 5, 10, 19]
        seen: Counter = Counter()
        for seed in range(300):
            spans = self.replaced(seed)
            for own, start, size in zip(range(3), spans.second, spans.second_size):
                document = int(np.searchsorted(bounds, start, side="right")) - 1
                assert document != own and start + size <= bounds[document + 1] and size >= 1
                seen[own, document] += 1
            assert spans.unrelated.all() and (spans.words <= 8).all()
        assert_uniform(seen, 6)

    def test_begins_with_a_line_and_fills_the_room(self) -> None:
        """With room for all lines, the text reaches from any line of the other document to its end."""
        starts: Counter = Counter()
        for seed in range(300):
            spans = self.replaced(seed, room=60)
            start, size = int(spans.second[0]), int(spans.second_size[0])
            if start >= 10:
                assert start + size == 19
                starts[start] += 1
        assert set(starts) == {10, 15, 17}
        assert_uniform(starts, 3)

    def test_only_the_chosen_change(self) -> None:
        layout = texts_of([*self.SIZES], 12).layout
        rooms, before = np.full(3, 8), pairs(layout, 8)
        after = with_unrelated(before, layout, chosen=np.array([False, True, False]), rooms=rooms, rng=rng())
        assert after.unrelated.tolist() == [0, 1, 0]
        for ours, theirs in zip(after, before._replace(unrelated=after.unrelated)):
            assert ours[0] == theirs[0] and ours[2] == theirs[2]


@pytest.mark.parametrize(("a", "b", "room"), [(9, 3, 7), (3, 9, 7), (6, 6, 5), (8, 7, 3), (2, 2, 4)])
def test_pairs_are_cut_as_bert_cuts(a: int, b: int, room: int) -> None:
    ours: Counter = Counter()
    theirs: Counter = Counter()
    for seed in range(600):
        spans = Spans(*(np.array([value]) for value in (0, 0, a, 20, b, 0)))
        cut = cut_pairs(spans, np.array([room]), rng(seed))
        ours[tuple(int(column[0]) for column in cut[1:5])] += 1
        first, second = [*range(a)], [*range(20, 20 + b)]
        naive_cut(first, second, room, rng(seed + 9999))
        theirs[first[0], len(first), second[0], len(second)] += 1
    assert_same_law(ours, theirs)
