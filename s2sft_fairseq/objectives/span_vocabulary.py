"""Spans of tokens: the n-grams found by ``preprocess/span_vocabulary.py``, and the splitting of a text into them.

(Paper 003, section 3.3: at each token, the longest known trigram or bigram from there on, else the single token.)
"""

from pathlib import Path
from typing import List

import numpy as np

from ..common.errors import UserError
from ..common.text_lines import read_all_lines
from ..text.dictionary import PretrainedDictionary

LONGEST = 3
"""Maximum number of tokens in an n-gram."""


class SpanVocabulary:
    """Bigrams and trigrams of tokens, looked up by binary search.

    Args:
        path: a file with two or three tokens per line, separated by spaces; anything after a tab is ignored.
        dictionary: maps tokens to rows; n-grams with any other token are left out.

    Raises:
        UserError: the file does not exist, a line has another form, or no n-gram consists of the dictionary's tokens.
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
                f"--span-vocab {path}: none of its n-grams consists of the vocabulary's tokens; "
                "expected the output of preprocess/span_vocabulary.py for the same tokenization"
            )
        self.known = [np.unique(np.array(of_length, dtype=np.int64)) for of_length in keys]

    def keys(self, tokens: np.ndarray, length: int) -> np.ndarray:
        """A unique number for each n-gram of the tokens [T]: int64 [max(0, T − length + 1)]."""
        count = max(0, len(tokens) - length + 1)
        key = np.zeros(count, dtype=np.int64)
        for offset in range(length):
            key = key * self.base + tokens[offset : offset + count]
        return key

    def first_tokens(self, tokens: np.ndarray) -> np.ndarray:
        """Splits tokens [T] into spans, greedily from the left: where each token's span begins, int64 [T]."""
        longest = np.ones(len(tokens), dtype=np.int64)
        for length in range(2, LONGEST + 1):
            longest[np.flatnonzero(contains(self.known[length], self.keys(tokens, length)))] = length
        first, start = np.empty(len(tokens), dtype=np.int64), 0
        while start < len(tokens):
            first[start : start + longest[start]] = start
            start += int(longest[start])
        return first


def contains(known: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Which of the keys [n] are in ``known``, a sorted array: bool [n].

    >>> contains(np.array([2, 5, 9]), np.array([5, 6]))
    array([ True, False])
    """
    if not len(known):
        return np.zeros(len(keys), dtype=bool)
    place = np.searchsorted(known, keys).clip(max=len(known) - 1)
    return known[place] == keys
