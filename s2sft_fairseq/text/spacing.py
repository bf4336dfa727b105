"""Restores the spaces of a text from its words and signs, which BERT's tokenizer separates without keeping the spaces.

The spaces around a sign are left out where written English, and most of what is written in Latin letters, has none:
in ``$1,000.50 (3.5%)``, ``10:30``, ``z != 3``, contractions, quotations, addresses, versions and paths.
"""

from typing import List, Sequence, Tuple

import regex  # type: ignore[import-untyped]

from ..common.characters import IDEOGRAPHS, KANA, WIDE_SIGNS

OPENING, CLOSING, APOSTROPHE = "\ue000\ue001\ue002"
"""Stand for quotation marks that open or close something, and for apostrophes (private characters of Unicode)."""

QUOTES = "\"'`"
"""Signs that open and close."""

CONTRACTED = {"s", "t", "re", "ve", "m", "ll", "d", "em", "n"}
ELIDED = {"l", "d", "j", "m", "n", "s", "t", "c", "o", "qu", "jusqu", "lorsqu", "puisqu", "aujourd"}
DECADE = regex.compile(r"\d\ds")
DOMAINS = "com|org|net|edu|gov|io|co|uk|de|fr|eu|info|cn|jp|ru|html?|php"
FILES = (
    "pyx?|txt|jsonl?|csv|tsv|md|rst|pdf|cfg|ini|toml|ya?ml|xml|zip|gz|tar|sh|js|cpp|hpp|exe|dll|so|png|jpe?g|pt|npy|npz"
)
ABBREVIATIONS = (*("i.e", "e.g", "a.m", "p.m"), *("u.s", "u.k", "u.n", "d.c", "n.y", "l.a"))
WIDE = f"[{IDEOGRAPHS}{KANA}{WIDE_SIGNS}]"

JOINED = (
    # signs that end something, and those that begin something
    (r"\S", rf"[,;!?)\]}}»”…{CLOSING}](?! =)"),
    (r"[^\s,]", r"[.:](?: |$)"),
    (rf"[(\[{{«“¿¡{OPENING}]", ""),
    (r"\d", "%"),
    (r"\$", r"\d"),
    (r"(?:^| )(?:us|a|c|hk|nz)", r"\$ \d"),
    (r"(?:^| )(?<!\b[cf] )[#@~]", r"\w"),
    (r"(?:^|[(\[=,:<>*/] )[-+±]", r"[\d.]"),
    # numbers, times, versions
    (r"\d \.", r"\d"),
    (r"\b\d\d? :", r"\d"),
    (r"(?<!\d)\d{1,3} ,", r"\d{3}(?!\d)"),
    (r"(?:\. \d+|v \d+) \.", r"[\dx]"),
    # compound words, names of programs, paths
    (r"\w", r"(?:[-‐‑^]|/(?! (?:usr|home|etc|tmp|var|bin|dev|opt|proc|mnt|root|lib)\b)) \w"),
    (r"\w [-‐‑/^]", r"(?!(?:or|and) [^-])\w"),
    (r"(?:^| )/", r"\w"),
    (r"/ \w+", r"/ \w"),
    (r"\b[a-z]{1,2}", r"& [a-z]\b"),
    (r"\b[a-z]{1,2} &", r"[a-z]\b"),
    (r"(?<!_ _ \w+ _ )(?<!\] )_", r"\w|_"),
    (r"[^\W_]", "_(?! _)"),
    (r"_ _ \w+", "_ _"),
    (r"\]", "_(?! _)"),
    (r"\\", r"\w"),
    (r"[\w:]", r"\\ \w+ \\"),
    (r"\\ \w+", r"\\"),
    (APOSTROPHE, r"\w"),
    (r"\w", APOSTROPHE),
    # signs of several characters
    ("[!=<>+*/-]", "="),
    ("[-=]", ">"),
    ("<", "-"),
    (r"\.", r"\."),
    (r"\*", r"\*"),
    ("-", "-"),
    ("<", "<"),
    (">", ">"),
    (r"\bc", r"\+ \+"),
    (r"\bc \+", r"\+"),
    (r"\b[cf]", r"#(?: |$)"),
    (":", ":"),
    (r": :", r"\w"),
    # addresses and names of files
    (r"\b(?:https?|ftp|file)", ": / /"),
    (r"\b(?:https?|ftp|file) :", "/"),
    (": /", "/"),
    (": / /", r"\w"),
    (r"\w", rf"\. (?:{DOMAINS}|{FILES})\b"),
    (r"\w \.", rf"(?:\w+ \. )?(?:{DOMAINS}|{FILES})\b"),
    (r"\w", rf"\. \w+ \. (?:{DOMAINS}|{FILES})\b"),
    *((rf"\b{word[0]} \.", rf"{word[2]} \.") for word in ABBREVIATIONS),
    (r"\bwww \.", r"\w"),
    (r"\w", r"(?:\. \w+ )?@ \w+ (?:\.|- )"),
    (r"\w \.", r"\w+ @"),
    (r"\w \?", r"\w+ = \w"),
    (r"[?&] \w+", r"= \w"),
    (r"[?&] \w+ =", r"\w"),
    (r"= \w+", r"& \w+ ="),
    (r"= \w+ &", r"\w+ ="),
    (r"\w @", r"\w"),
    # calls and tags
    (r"\w", r"\( \)"),
    (r"_ \w+", r"[(\[]"),
    (r"\( [^()]*\w", r"= (?!=)"),
    (r"\( [^()]*\w =", r"(?!=)\S"),
    ("<", r"(?:/ )?\w+ >"),
    (r"< /", r"\w+ >"),
    (r"< (?:/ )?\w+", ">"),
    (WIDE, WIDE),
)
"""What is before a space, and what is after it, where there is none in written text."""

JOINED_IF_CASED = ((r"[^\W\d](?<!\. \w)(?<!\b(?:[eg]|etc|vs|cf|al|no|fig|approx|resp)) \.", r"(?-i:[a-z_])"),)
"""The same for text with capitals, where a small letter after a point shows that no sentence begins."""


def no_space(rules: Sequence[Tuple[str, str]]) -> "regex.Pattern[str]":
    """The spaces that the rules leave out."""
    return regex.compile("|".join(f"(?<={before}) (?={after})" for before, after in rules), regex.IGNORECASE)


NO_SPACE, NO_SPACE_IF_CASED = no_space(JOINED), no_space((*JOINED, *JOINED_IF_CASED))


def joined(words: Sequence[str]) -> str:
    """A text of these words and single signs.

    >>> joined("it ' s $ 1 , 000 . 50 ( 3 . 5 % ) , i . e . \\" cheap \\" , at 10 : 30".split())
    'it\\'s $1,000.50 (3.5%), i.e. "cheap", at 10:30'
    """
    text, quotes = " ".join(with_roles(words)), [word for word in words if word in QUOTES]
    if any(sign in word for word in words for sign in (OPENING, CLOSING, APOSTROPHE)):
        return " ".join(words)
    text = (NO_SPACE if text == text.lower() else NO_SPACE_IF_CASED).sub("", text)
    signs = iter(quotes)
    return "".join(next(signs) if sign in (OPENING, CLOSING, APOSTROPHE) else sign for sign in text)


def with_roles(words: Sequence[str]) -> List[str]:
    """The words, with straight quotation marks and apostrophes as what they are."""
    is_open = dict.fromkeys(QUOTES, False)
    roles = []
    for place, word in enumerate(words):
        if word not in QUOTES:
            roles.append(word)
            continue
        before, after = (words[at] if 0 <= at < len(words) else "" for at in (place - 1, place + 1))
        if word == "'" and before[-1:].isalnum() and (after.lower() in CONTRACTED or before.lower() in ELIDED):
            roles.append(APOSTROPHE)
        elif word == "'" and DECADE.fullmatch(after):
            roles.append(OPENING)
        elif word == "'" and before.lower().endswith("s") and not is_open[word]:
            roles.append(CLOSING)
        else:
            roles.append(CLOSING if is_open[word] else OPENING)
            is_open[word] = not is_open[word]
    return roles
