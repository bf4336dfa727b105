"""Longest common subsequences, a machine word of positions at a time.

The table c[i, j] (the length that the first i reference words and the first j hypothesis words have in common) is kept
by columns: bit i of column j is 0 where c[i + 1, j] = c[i, j] + 1 (Hyyrö, 2004, "Bit-parallel LCS-length computation
revisited").
"""

from typing import Dict, Iterator, List, Sequence, Set


def columns(reference: Sequence[str], hypothesis: Sequence[str]) -> Iterator[int]:
    """The bits of every column of the table, one for each hypothesis word."""
    places: Dict[str, int] = {}
    for place, word in enumerate(reference):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(reference)) - 1
    column = every
    for word in hypothesis:
        matches = column & places.get(word, 0)
        column = ((column + matches) | (column - matches)) & every
        yield column


def length(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    last = (1 << len(reference)) - 1
    for last in columns(reference, hypothesis):  # noqa: B007  (the last column is what is wanted)
        pass
    return len(reference) - bin(last).count("1")


def positions(reference: Sequence[str], hypothesis: Sequence[str]) -> Set[int]:
    """Where in the reference one longest common subsequence is: of several, the one that ROUGE-1.5.5 finds.

    Read from the end of both; where the last words differ, the reference's goes if that costs nothing, and the
    hypothesis's otherwise.
    """
    table: List[int] = list(columns(reference, hypothesis))
    found = set()
    i, j = len(reference) - 1, len(hypothesis) - 1
    while i >= 0 and j >= 0:
        if reference[i] == hypothesis[j]:
            found.add(i)
            i, j = i - 1, j - 1
        elif table[j] >> i & 1:
            i -= 1
        else:
            j -= 1
    return found
