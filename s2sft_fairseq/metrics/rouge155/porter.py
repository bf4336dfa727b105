"""Porter's stemmer (Porter, 1980, "An algorithm for suffix stripping") in the variant of ROUGE-1.5.5.

It differs in step 4: a word may lose -ement, then -ment, then -ent, one after the other, each where the stem is long
enough, where Porter tries the longest alone; and -ion is tried only on a word that does not end in -ent.
"""

import re
from typing import Dict, Optional

CONSONANTS = "[^aeiou][^aeiouy]*"
VOWELS = "[aeiouy][aeiou]*"
LONGER_THAN_0 = re.compile(f"({CONSONANTS})?{VOWELS}{CONSONANTS}")  # Porter's measure m > 0
EXACTLY_1 = re.compile(f"({CONSONANTS})?{VOWELS}{CONSONANTS}({VOWELS})?$")
LONGER_THAN_1 = re.compile(f"({CONSONANTS})?({VOWELS}{CONSONANTS}){{2}}")
HAS_VOWEL = re.compile(f"({CONSONANTS})?[aeiouy]")
SHORT = re.compile(f"{CONSONANTS}[aeiouy][^aeiouwxy]$")  # Porter's *o, such as -wil- or -hop-
DOUBLED = re.compile(r"([^aeiouylsz])\1$")

STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble", "alli": "al",
    "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al",
    "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble", "logi": "log",
}  # fmt: skip
STEP_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
STEP_4 = re.compile("(al|ance|ence|er|ic|able|ible|ant|ement|ou|ism|ate|iti|ous|ive|ize)$")


def any_suffix(table: Dict[str, str]) -> "re.Pattern[str]":
    """Finds the longest suffix of a table."""
    return re.compile(f"({'|'.join(table)})$")


STEP_2_SUFFIX, STEP_3_SUFFIX = any_suffix(STEP_2), any_suffix(STEP_3)


def stem(word: str) -> str:
    """The stem of a lower-case word; one shorter than three letters is its own."""
    if len(word) < 3:
        return word
    starts_with_y = word[0] == "y"  # never a vowel there: written Y meanwhile
    if starts_with_y:
        word = "Y" + word[1:]
    for step in (plural, past_and_gerund, final_y, derived, derived_again, strip_suffixes, tidy):
        word = step(word)
    return "y" + word[1:] if starts_with_y else word


def plural(word: str) -> str:
    """Step 1a: caresses -> caress, ponies -> poni, cats -> cat."""
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if re.search("[^s]s$", word) else word


def past_and_gerund(word: str) -> str:
    """Step 1b: agreed -> agree, plastered -> plaster, hopping -> hop, conflated -> conflate."""
    if word.endswith("eed"):
        return word[:-1] if LONGER_THAN_0.match(word[:-3]) else word
    stripped = re.sub("(ed|ing)$", "", word)
    if stripped == word or not HAS_VOWEL.match(stripped):
        return word
    if stripped.endswith(("at", "bl", "iz")):
        return stripped + "e"
    if DOUBLED.search(stripped):
        return stripped[:-1]
    return stripped + "e" if SHORT.match(stripped) else stripped


def final_y(word: str) -> str:
    """Step 1c: happy -> happi."""
    return word[:-1] + "i" if word.endswith("y") and HAS_VOWEL.match(word[:-1]) else word


def derived(word: str) -> str:
    """Step 2: relational -> relate."""
    return exchange(word, STEP_2_SUFFIX, STEP_2)


def derived_again(word: str) -> str:
    """Step 3: electrical -> electric."""
    return exchange(word, STEP_3_SUFFIX, STEP_3)


def exchange(word: str, suffix: "re.Pattern[str]", table: Dict[str, str]) -> str:
    """Exchanges a suffix by what the table says, where a syllable comes before it."""
    found = suffix.search(word)
    if found is None or not LONGER_THAN_0.match(word[: found.start()]):
        return word
    return word[: found.start()] + table[found[1]]


def strip_suffixes(word: str) -> str:
    """Step 4, the variant of ROUGE-1.5.5: revival -> reviv, adoption -> adopt."""
    word = strip(word, STEP_4.search(word))
    word = strip(word, re.search("ment$", word))
    return strip(word, re.search("ent$" if word.endswith("ent") else "(?<=[st])ion$", word))


def strip(word: str, suffix: Optional["re.Match[str]"]) -> str:
    """Drops a suffix, where two syllables come before it."""
    return word[: suffix.start()] if suffix and LONGER_THAN_1.match(word[: suffix.start()]) else word


def tidy(word: str) -> str:
    """Step 5: probate -> probat, controll -> control."""
    if word.endswith("e"):
        shorter = word[:-1]
        if LONGER_THAN_1.match(shorter) or (EXACTLY_1.match(shorter) and not SHORT.match(shorter)):
            word = shorter
    return word[:-1] if word.endswith("ll") and LONGER_THAN_1.match(word) else word
