"""Which tokens of a text are masked: UniLM's sampler with n-grams (004, section 2.4), UniLMv2's blocks (001)."""

from typing import List, Tuple

import numpy as np

NGRAM_PROBABILITY = 0.2
"""Probability that a draw masks a bigram or a trigram (004, section 2.4)."""

NGRAMS = (2, 3)

BLOCK_PROBABILITY = 0.4
"""Probability that a draw of Algorithm 1 is of a block of several tokens (001, section 4.1)."""

BLOCKS = (2, 6)
"""The shortest and the longest of these blocks."""


def mask_ngrams(ordinary: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Masks a share of the ordinary tokens, rounded, at least one: bool [n].

    Candidates come in random order; one that is not yet masked is masked alone or, with probability 0.2, together with
    the one or two tokens that follow it. Such a run ends before a special token and where enough is masked.

    Args:
        ordinary: whether each token is none of the special ones, which are never masked, bool [n].
        share: of the ordinary tokens.
        rng: source of all randomness.
    """
    candidates = rng.permutation(ordinary.nonzero()[0])
    left = min(max(1, round(share * len(candidates))), len(candidates))
    runs = np.where(rng.random(len(candidates)) < NGRAM_PROBABILITY, rng.choice(NGRAMS, size=len(candidates)), 1)
    masked = np.zeros(len(ordinary), dtype=bool)
    for start, run in zip(candidates.tolist(), runs.tolist()):
        if not left:
            break
        if not masked[start]:
            left -= mask_run(masked, ordinary, start=start, stop=start + run, at_most=left)
    return masked


def mask_run(masked: np.ndarray, ordinary: np.ndarray, *, start: int, stop: int, at_most: int) -> int:
    """Masks tokens from ``start`` on, up to a special one, in place; returns how many were not masked before."""
    added = 0
    for place in range(start, min(stop, len(ordinary))):
        if not ordinary[place] or added == at_most:
            break
        added += not masked[place]
        masked[place] = True
    return added


def mask_blocks(
    ordinary: np.ndarray, share: float, rng: np.random.Generator, *, only_single: bool = False
) -> List[Tuple[int, int]]:
    """Algorithm 1 of UniLMv2 (001, section 3.2): the masked blocks (start, stop), in the order of factorization.

    A place is drawn among all n tokens, and a length: 1, or with probability 0.4 one of 2 to 6. If these tokens exist
    and are neither special nor masked, they are the next block, else both are drawn anew, until at least the share of
    all n tokens is masked, or no ordinary token is left.

    Args:
        ordinary: whether each token is none of the special ones, which are never masked, bool [n].
        share: of all tokens.
        rng: source of all randomness.
        only_single: all blocks have length 1.
    """
    n, free = len(ordinary), ordinary.copy()
    budget = min(share * n, int(ordinary.sum()))
    blocks: List[Tuple[int, int]] = []
    count = 0
    while count < budget - 1e-9:
        start = int(rng.integers(n))
        several = rng.random() < BLOCK_PROBABILITY and not only_single
        stop = start + (int(rng.integers(BLOCKS[0], BLOCKS[1] + 1)) if several else 1)
        if stop <= n and free[start:stop].all():
            free[start:stop] = False
            blocks.append((start, stop))
            count += stop - start
    return blocks
