"""Texts in scripts without spaces between words, which most metrics would take for single words."""

import functools
import logging
import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

from ..common.characters import HANGUL, IDEOGRAPHS, KANA, SOUTH_EAST_ASIAN

logger = logging.getLogger(__name__)

MANY = 0.5
"""The share of texts in such a script above which all are tokenized accordingly."""

FEW = 0.05
"""The share above which a warning is logged."""

LEAST_KANA = 0.1
"""The share of kana among Japanese characters, above which a text with ideographs is Japanese instead of Chinese."""

LETTERS_PER_WORD = 4
"""The mean length of what is between spaces, above which it is more than a word."""

LETTER = re.compile(r"[^\W\d_]")


class Script(NamedTuple):
    """A script or language.

    Attributes:
        name: in messages.
        letters: a pattern of its characters.
        tokenizations: those of sacreBLEU that separate its words or characters, the best one first.
    """

    name: str
    letters: "re.Pattern[str]"
    tokenizations: Tuple[str, ...]


CHINESE = Script("Chinese", re.compile(f"[{IDEOGRAPHS}]"), ("zh",))
JAPANESE = Script("Japanese", re.compile(f"[{KANA}]"), ("ja-mecab", "char"))
KOREAN = Script("Korean", re.compile(f"[{HANGUL}]"), ("ko-mecab", "char"))
SOUTH_EAST = Script("a script without spaces between words", re.compile(f"[{SOUTH_EAST_ASIAN}]"), ("char",))
SCRIPTS = (CHINESE, JAPANESE, KOREAN, SOUTH_EAST)
ANY = re.compile(f"[{IDEOGRAPHS}{KANA}{HANGUL}{SOUTH_EAST_ASIAN}]")


def unspaced(texts: Sequence[str]) -> List[str]:
    """The texts most of whose letters belong to one of :data:`SCRIPTS`."""
    return [text for text in texts if 2 * len(ANY.findall(text)) > len(LETTER.findall(text))]


def script_of(texts: Sequence[str]) -> Script:
    """The script with the most characters in the texts of :func:`unspaced`; kana make ideographs Japanese."""
    counts = {script: sum(len(script.letters.findall(text)) for text in texts) for script in SCRIPTS}
    if counts[JAPANESE] > LEAST_KANA * (counts[JAPANESE] + counts[CHINESE]):
        counts[JAPANESE] += counts.pop(CHINESE)
    return max(counts, key=lambda script: counts[script])


def suitable_tokenization(references: Sequence[Sequence[str]]) -> Optional[str]:
    """The tokenization of sacreBLEU that the references [N][R] need; None if the default does.

    One warning says which is used, or that some of the texts would need another one.
    """
    texts = [text for several in references for text in several]
    found = unspaced(texts)
    if len(found) <= FEW * len(texts):
        return None
    script = script_of(found)
    name = next(name for name in script.tokenizations if is_installed(name))
    if len(found) <= MANY * len(texts):
        warn_once(
            f"{len(found):,} of {len(texts):,} references are in {script.name}, whose words BLEU's tokenization (13a) "
            f"does not separate; --tokenize {name} does, in training --eval-metric-args '{as_json(name)}'"
        )
        return None
    warn_once(
        f"the references are in {script.name}, so that BLEU uses sacreBLEU's tokenization "
        f"{name}{better(script, name)}; for another one, --tokenize NAME, in training "
        f"--eval-metric-args '{as_json('NAME')}'"
    )
    return name


def as_json(name: str) -> str:
    """The value of --eval-metric-args for a tokenization."""
    return f'{{"bleu": {{"tokenize": "{name}"}}}}'


def better(script: Script, name: str) -> str:
    """What sacreBLEU recommends for a script, if that is not installed."""
    best = script.tokenizations[0]
    return "" if best == name else f' ({best} needs: pip install "sacrebleu[{best[:2]}]")'


@functools.cache
def is_installed(tokenization: str) -> bool:
    """Whether sacreBLEU has what a tokenization needs."""
    from sacrebleu.metrics.bleu import BLEU

    try:
        BLEU(tokenize=tokenization)
    except (ImportError, RuntimeError):
        return False
    return True


def warn_of_unspaced(references: Sequence[Sequence[str]], metric: str) -> None:
    """Warns if a metric that separates words at spaces gets many texts that have none between their words."""
    texts = [text for several in references for text in several]
    found = [text for text in unspaced(texts) if len(LETTER.findall(text)) > LETTERS_PER_WORD * len(text.split())]
    if len(found) > FEW * len(texts):
        warn_once(
            f"{len(found):,} of {len(texts):,} references are in {script_of(found).name}, and {metric} separates words "
            "at spaces only; --postprocess basic separates Chinese characters, --metric bleu chooses a tokenization"
        )


@functools.cache
def warn_once(message: str) -> None:
    """Logs a warning that would otherwise be repeated at every validation."""
    logger.warning(message)
