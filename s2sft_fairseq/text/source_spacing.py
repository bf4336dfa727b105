"""Copies the spacing of a source to an output: where both have the same words and signs, a space is where it was."""

import re
import unicodedata
from collections import defaultdict
from itertools import takewhile
from typing import DefaultDict, Iterable, List, NamedTuple, Sequence, Tuple

ATOM = re.compile(r"[^\W_]+|[^\w\s]|_")
CONTEXT = 4
"""How many words and signs on each side decide between several places in the source."""


class Atom(NamedTuple):
    """A word or a sign of a text.

    Attributes:
        text: as it stands there.
        key: without case and accents, which uncased vocabularies do not have.
        is_spaced: whether there is a space before it.
    """

    text: str
    key: str
    is_spaced: bool

    def is_word(self) -> bool:
        """Whether it consists of letters or digits."""
        return self.text[0].isalnum()


def atoms(text: str) -> List[Atom]:
    """The words and signs of a text."""
    found = []
    for match in ATOM.finditer(text):
        is_spaced = match.start() > 0 and text[match.start() - 1].isspace()
        found.append(Atom(match[0], plain(match[0]), is_spaced))
    return found


def plain(word: str) -> str:
    """A word without case and accents."""
    if word.isascii():
        return word.lower()
    signs = unicodedata.normalize("NFD", word.casefold())
    return "".join(sign for sign in signs if not unicodedata.combining(sign))


def spaced_like(text: str, source: str) -> str:
    """An output with the spacing of its source around the signs that both have in common.

    >>> spaced_like("version 3. 10: key = 1 / 2", "Since version 3.10 : key=1/2")
    'version 3.10 : key=1/2'
    """
    ours, theirs = atoms(text), atoms(source)
    places: DefaultDict[Tuple[str, str], List[int]] = defaultdict(list)
    for place in range(1, len(theirs)):
        places[theirs[place - 1].key, theirs[place].key].append(place)
    words = []
    for place, atom in enumerate(ours):
        is_spaced = atom.is_spaced
        if place and not (atom.is_word() and ours[place - 1].is_word()):
            found = places.get((ours[place - 1].key, atom.key), [])
            is_spaced = theirs[closest(found, ours, theirs, place)].is_spaced if found else is_spaced
        words.append(f" {atom.text}" if is_spaced else atom.text)
    return "".join(words).strip()


def closest(places: Sequence[int], ours: Sequence[Atom], theirs: Sequence[Atom], place: int) -> int:
    """That of the places in the source which has most in common with what surrounds a place of the output."""

    def in_common(other: int) -> Tuple[int, int]:
        before = shared(
            reversed(ours[max(place - CONTEXT, 0) : place]), reversed(theirs[max(other - CONTEXT, 0) : other])
        )
        return before + shared(ours[place : place + CONTEXT], theirs[other : other + CONTEXT]), before

    return max(places, key=in_common)


def shared(ours: Iterable[Atom], theirs: Iterable[Atom]) -> int:
    """How many words and signs are equal, from the first to the first that differs."""
    equal = (one.key == other.key for one, other in zip(ours, theirs))
    return sum(1 for _ in takewhile(bool, equal))
