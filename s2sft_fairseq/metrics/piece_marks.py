"""Texts that still consist of a tokenizer's pieces: words that are cut in pieces match few others."""

import logging
import re
from typing import Iterable, NamedTuple

from .texts import Texts

logger = logging.getLogger(__name__)


class PieceMark(NamedTuple):
    """How a kind of tokenizer marks its pieces.

    Attributes:
        kind: of tokenizer.
        spelling: of the mark.
        piece: a pattern of a marked piece.
        least: the share of words above which they are pieces; text has some, too: ``##Heading``, Maltese ``Ġ``.
    """

    kind: str
    spelling: str
    piece: "re.Pattern[str]"
    least: float


PIECE_MARKS = (
    PieceMark("WordPiece", "##", re.compile(r"(?<!\S)##(?=\w)"), 0.02),
    PieceMark("byte-level BPE", "Ġ", re.compile(r"(?<!\S)Ġ"), 0.1),
    PieceMark("SentencePiece", "▁", re.compile(r"(?<!\S)▁(?!▁)"), 0.02),
    PieceMark("BPE", "@@", re.compile(r"(?<=\w)@@(?!\S)"), 0.02),
)


def warn_of_pieces(texts: Texts, *, joined: str = "") -> None:
    """Warns, in one line for each side, if hypotheses or references contain many marked pieces.

    Args:
        texts: what is to be scored.
        joined: the spelling of a mark that the metric removes itself.
    """
    sides = {"hypotheses": texts.hypotheses, "references": [text for several in texts.references for text in several]}
    for side, lines in sides.items():
        words = sum(len(line.split()) for line in lines)
        for mark in PIECE_MARKS:
            found = count(mark, lines)
            if mark.spelling != joined and found > mark.least * words:
                logger.warning(
                    f"the {side} contain {mark.kind}'s {mark.spelling!r} {found:,} times, as if their pieces were not "
                    f"joined; score text: {remedy(mark)}"
                )


def count(mark: PieceMark, lines: Iterable[str]) -> int:
    """How many pieces bear a mark."""
    return sum(len(mark.piece.findall(line)) for line in lines if mark.spelling in line)


def remedy(mark: PieceMark) -> str:
    """How pieces of a kind are joined."""
    if mark.spelling == "@@":
        return "generate with --remove-bpe"
    joined = "generate with --bpe s2s_ft --s2s-ft-vocab DIR and read the D- lines"
    return f"{joined}, or --postprocess wordpiece" if mark.spelling == "##" else joined
