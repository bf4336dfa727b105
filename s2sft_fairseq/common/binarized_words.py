"""Warnings about the words of a text that fairseq-preprocess has binarized."""

import logging
import re
from collections import Counter
from typing import Any, Iterable, Optional

from .text_lines import read_lines

logger = logging.getLogger(__name__)

MANY_UNKNOWN = 0.01
"""The share of unknown tokens from which a warning is logged; pieces of the vocabulary's own tokenizer have fewer."""

TOKENIZE = "expected pieces; tokenize the text first: python preprocess/pieces.py --s2s-ft-vocab PRETRAINED_DIR"


def warn_of_unknown(file: str, summary: Any, unknown: str) -> None:
    """Warns if many words are not in the vocabulary.

    Args:
        file: the name of the text.
        summary: what fairseq counted while it binarized the text.
        unknown: the token that replaces these words.
    """
    if not summary.num_replaced or summary.num_replaced < MANY_UNKNOWN * summary.num_tok:
        return
    examples = ", ".join(repr(word) for word, _ in summary.replaced.most_common(3))
    logger.warning(
        f"{file}: {summary.num_replaced:,} of {summary.num_tok:,} tokens ({summary.replaced_percent:.1f} %) are not in "
        f"the vocabulary and become {unknown}, such as {examples}; {TOKENIZE}"
    )


def warn_of_special(file: str, dictionary: Any) -> None:
    """Warns of lines with special tokens, except the unknown token, which tokenizing makes of unknown characters."""
    tokens = (dictionary.bos_word, dictionary.pad_word, dictionary.eos_word, dictionary.mask_word)
    found = special_lines(read_lines(file), re.compile(r"(?<!\S)(?:" + "|".join(map(re.escape, tokens)) + r")(?!\S)"))
    if found is not None:
        logger.warning(f"{file}: {found}")


def special_lines(lines: Iterable[str], pattern: "re.Pattern[str]") -> Optional[str]:
    """One line about the lines of a text in which a pattern of special tokens occurs; None if there are none."""
    numbers, tokens = [], Counter[str]()
    for number, line in enumerate(lines, start=1):
        if pattern.search(line):
            numbers.append(number)
            tokens.update(pattern.findall(line))
    if not numbers:
        return None
    counts = ", ".join(f"{token} {count:,} times" for token, count in sorted(tokens.items()))
    return (
        f"{len(numbers):,} lines contain special tokens ({counts}), the first is line {numbers[0]:,}: in a source, the "
        "end token separates parts (--source-layout), but a target ends there for the model; if they are meant as "
        "text: python preprocess/pieces.py --special-tokens text"
    )
