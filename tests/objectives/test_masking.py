"""The samplers of UniLM and UniLMv2 against second, naive ones, and their laws."""

from collections import Counter
from typing import Callable, Dict, List, Set, Tuple

import numpy as np
import pytest
from chance import assert_same_law, rng
from hypothesis import given, settings
from hypothesis import strategies as st

from s2sft_fairseq.objectives.masking import mask_blocks, mask_ngrams

DRAWS = 3000


def text(n: int, split: int) -> np.ndarray:
    """Which of n tokens are words: not the first, the last, and one between."""
    ordinary = np.ones(n, dtype=bool)
    ordinary[[0, split % n, n - 1]] = False
    return ordinary


def naive_ngrams(ordinary: np.ndarray, share: float, rng: np.random.Generator) -> Set[int]:
    """UniLM's sampler as a list of rules: one candidate at a time, from a bag that is shuffled once."""
    bag = [place for place, is_word in enumerate(ordinary) if is_word]
    want = max(1, round(share * len(bag)))
    rng.shuffle(bag)
    found: Set[int] = set()
    for place in bag:
        if len(found) >= want or place in found:
            continue
        length = int(rng.integers(2, 4)) if rng.random() < 0.2 else 1
        for step in range(length):
            beyond = place + step >= len(ordinary) or not ordinary[place + step]
            if beyond or len(found) == want:
                break
            found.add(place + step)
    return found


def naive_blocks(ordinary: np.ndarray, share: float, rng: np.random.Generator) -> List[Tuple[int, int]]:
    """Algorithm 1, word for word: sets of places."""
    n, masked, blocks = len(ordinary), set(), []
    while len(masked) < share * n and len(masked) < ordinary.sum():
        p = int(rng.random() * n)
        length = int(rng.random() * 5) + 2 if rng.random() < 0.4 else 1
        places = set(range(p, p + length))
        if max(places) < n and all(ordinary[q] for q in places) and not places & masked:
            masked |= places
            blocks.append((p, p + length))
    return blocks


def counted(sample: Callable[[np.random.Generator], List[int]], seed: int) -> Counter:
    source = rng(seed)
    return Counter(value for _ in range(DRAWS) for value in sample(source))


def runs(places: List[int]) -> List[int]:
    """Lengths of runs of neighbouring places."""
    cuts = np.flatnonzero(np.diff(sorted(places)) > 1)
    return np.diff([-1, *cuts, len(places) - 1]).tolist()


@pytest.mark.parametrize("n", [4, 8, 16, 64])
class TestSecondSamplers:
    """Two-sample tests on places, on runs or blocks, and on what comes first."""

    def test_ngrams(self, n: int) -> None:
        ordinary = text(n, n // 3)

        def ours(source: np.random.Generator) -> List[int]:
            return mask_ngrams(ordinary, 0.15, source).nonzero()[0].tolist()

        def theirs(source: np.random.Generator) -> List[int]:
            return sorted(naive_ngrams(ordinary, 0.15, source))

        assert_same_law(counted(ours, 1), counted(theirs, 2))
        assert_same_law(counted(lambda s: runs(ours(s)), 3), counted(lambda s: runs(theirs(s)), 4))

    def test_blocks(self, n: int) -> None:
        ordinary = text(n, n // 3)
        features: Dict[str, Callable[[List[Tuple[int, int]]], List[int]]] = {
            "lengths": lambda blocks: [stop - start for start, stop in blocks],
            "places": lambda blocks: [place for block in blocks for place in range(*block)],
            "first place": lambda blocks: [blocks[0][0]],
            "number": lambda blocks: [len(blocks)],
        }
        for feature in features.values():
            source = rng(1)
            ours = Counter(value for _ in range(DRAWS) for value in feature(mask_blocks(ordinary, 0.15, source)))
            theirs = Counter(value for _ in range(DRAWS) for value in feature(naive_blocks(ordinary, 0.15, source)))
            assert_same_law(ours, theirs)


@settings(max_examples=200, deadline=None)
@given(st.integers(3, 60), st.integers(0, 60), st.floats(0.01, 1), st.integers(0, 99))
def test_whatever_the_text_masks_are_words(n: int, split: int, share: float, seed: int) -> None:
    """Exactly the wanted number of UniLM; blocks are disjoint, reach the share, and exceed it by at most 5."""
    ordinary = text(n, split)
    words = int(ordinary.sum())
    masked = mask_ngrams(ordinary, share, rng(seed))
    assert ordinary[masked].all() and masked.sum() == min(words, max(1, round(share * words)))
    blocks = mask_blocks(ordinary, share, rng(seed))
    places = [place for block in blocks for place in range(*block)]
    assert len({*places}) == len(places) and ordinary[places].all()
    assert all(1 <= stop - start <= 6 for start, stop in blocks)
    least = min(words, int(np.ceil(share * n - 1e-9)))
    assert least <= len(places) <= least + 5 and bool(blocks) == bool(words)


def test_no_word_is_no_mask() -> None:
    nothing = np.zeros(3, dtype=bool)
    assert not mask_ngrams(nothing, 0.15, rng()).any() and mask_blocks(nothing, 0.15, rng()) == []


@pytest.mark.parametrize(("n", "expected"), [(16, 0.15), (64, 0.28), (512, 0.32)])
def test_neighbours_of_masked_tokens(n: int, expected: float) -> None:
    """The chance that the right neighbour is masked too, which is 0.15 without n-grams (measured law)."""
    ordinary, hits, of = text(n, n // 2), 0, 0
    for seed in range(40_000 // n):
        masked = mask_ngrams(ordinary, 0.15, rng(seed))
        inner = masked[:-1] & ordinary[1:]
        hits, of = hits + int((inner & masked[1:]).sum()), of + int(inner.sum())
    assert abs(hits / of - expected) < 0.03


@pytest.mark.parametrize(
    ("n", "share", "lengths"),
    [(64, 0.173, (0.653, 0.080, 0.076, 0.067, 0.062, 0.063)), (512, 0.153, (0.631, 0.077, 0.078, 0.074, 0.070, 0.069))],
)
def test_the_law_of_blocks(n: int, share: float, lengths: Tuple[float, ...]) -> None:
    """Fewer long blocks are accepted than drawn (measured law: it is not 40 to 60)."""
    source = rng()
    texts = [text(n, int(source.integers(1, n - 1))) for _ in range(120_000 // n)]
    drawn = [mask_blocks(ordinary, 0.15, source) for ordinary in texts]
    sizes = [stop - start for blocks in drawn for start, stop in blocks]
    assert abs(sum(sizes) / (len(texts) * n) - share) < 0.004
    for length, expected in enumerate(lengths, start=1):
        assert abs(sizes.count(length) / len(sizes) - expected) < 0.015


def test_single_tokens_only() -> None:
    blocks = mask_blocks(text(64, 30), 0.15, rng(), only_single=True)
    assert len(blocks) == 10 and all(stop - start == 1 for start, stop in blocks)
