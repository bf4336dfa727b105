"""How the official scripts of SQuAD and CoQA compare two answers: normalization, exact match and F1 of words."""

import re
import string
from collections import Counter
from typing import List, NamedTuple, Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


class Agreement(NamedTuple):
    """How well an answer agrees with an expected one; both from 0 to 1."""

    exact: float
    f1: float


def normalize_answer(text: str) -> List[str]:
    """The words of an answer in lower case, without ASCII punctuation and English articles.

    >>> normalize_answer("The 19th-century “Eiffel Tower”, a landmark.")
    ['19thcentury', '“eiffel', 'tower”', 'landmark']
    """
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def compare(answer: Sequence[str], expected: Sequence[str]) -> Agreement:
    """Compares two answers by their normalized words; two answers without words agree."""
    return Agreement(float(answer == expected), word_f1(answer, expected))


def word_f1(answer: Sequence[str], expected: Sequence[str]) -> float:
    """The harmonic mean of precision and recall of words, as often as they occur, from 0 to 1."""
    if not answer and not expected:
        return 1.0
    shared = sum((Counter(answer) & Counter(expected)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(answer), shared / len(expected)
    return 2 * precision * recall / (precision + recall)


def expected_answers(references: Sequence[str]) -> List[str]:
    """The answers of one example; a reference holds several if tabs separate them, and none if it is empty."""
    return [answer for reference in references for answer in reference.split("\t") if answer.strip()]


def best_of(found: Sequence[Agreement]) -> Agreement:
    """The best exact match and the best F1, which may belong to different answers."""
    return Agreement(exact=max(one.exact for one in found), f1=max(one.f1 for one in found))
