"""Spans that belong together: the n-grams that ``preprocess/span_vocabulary.py`` found, and the parts of a text.

(Paper 003, section 3.3: the longest of trigram, bigram and single token, from the current token on.)
"""

from pathlib import Path
from typing import List

import numpy as np

from ..common.errors import UserError
from ..common.text_lines import read_all_lines
from ..text.dictionary import PretrainedDictionary

LONGEST = 3


class SpanVocabulary:
    """Bigrams and trigrams of tokens, found by binary search.

    Args:
        path: lines of two or three tokens, separated by spaces; what follows a tab is a comment.
        dictionary: the rows of the tokens; n-grams of other tokens are left out.

    Raises:
        UserError: no such file, a line of another form, or no n-gram of the dictionary's tokens.
    """

    def __init__(self, path: Path, dictionary: PretrainedDictionary) -> None:
        self.base = len(dictionary)
        keys: List[List[int]] = [[] for _ in range(LONGEST + 1)]
        for number, line in enumerate(read_all_lines(path), start=1):
            tokens = line.split("\t")[0].split(" ")
            if not 2 <= len(tokens) <= LONGEST:
                raise UserError(f"--span-vocab {path}: line {number} is {line!r}; expected two or three tokens")
            rows = [dictionary.indices.get(token, -1) for token in tokens]
            if min(rows) >= 0:
                keys[len(rows)].append(int(self.keys(np.array(rows), len(rows))[0]))
        if not any(keys):
            raise UserError(
                f"--span-vocab {path}: none of its n-grams is made of the vocabulary's tokens; "
                "expected the output of preprocess/span_vocabulary.py for the same pieces"
            )
        self.known = [np.unique(np.array(of_length, dtype=np.int64)) for of_length in keys]

    def keys(self, tokens: np.ndarray, length: int) -> np.ndarray:
        """A number for each n-gram of the tokens [T]: int64 [T − length + 1]."""
        count = max(0, len(tokens) - length + 1)
        key = np.zeros(count, dtype=np.int64)
        for offset in range(length):
            key = key * self.base + tokens[offset : offset + count]
        return key

    def first_tokens(self, tokens: np.ndarray) -> np.ndarray:
        """Parts tokens [T] into spans, greedily from the left: where the span of each one begins, int64 [T]."""
        longest = np.ones(len(tokens), dtype=np.int64)
        for length in range(2, LONGEST + 1):
            longest[np.flatnonzero(contains(self.known[length], self.keys(tokens, length)))] = length
        first, start = np.empty(len(tokens), dtype=np.int64), 0
        while start < len(tokens):
            first[start : start + longest[start]] = start
            start += int(longest[start])
        return first


def contains(known: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Which keys [n] are among the known ones, which are sorted: bool [n]."""
    if not len(known):
        return np.zeros(len(keys), dtype=bool)
    place = np.searchsorted(known, keys).clip(max=len(known) - 1)
    return known[place] == keys
