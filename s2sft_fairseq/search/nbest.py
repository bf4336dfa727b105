"""N-best lists with the scores of their tokens, read from what fairseq-generate and fairseq-interactive print."""

import math
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, NoReturn, Optional

from ..common.errors import UserError
from ..metrics.texts import read_lines

RECORD = re.compile(r"([THDP])-(\d+)\t(.*)")


class NBestHypothesis(NamedTuple):
    """A hypothesis.

    Attributes:
        text: detokenized if the output has it (D-), else in the model's tokens (H-).
        log_probability: the sum over its tokens (P-), in nats.
        length: how many tokens it has, the end included.
    """

    text: str
    log_probability: float
    length: int


class NBestLists(NamedTuple):
    """The hypotheses of every input, in the order of the input, and its reference if the data had one (T-)."""

    hypotheses: List[List[NBestHypothesis]]
    references: List[Optional[str]]


class Records:
    """What was printed of one input, record by record."""

    def __init__(self) -> None:
        self.reference: Optional[str] = None
        self.texts: List[str] = []
        self.scores: List[List[float]] = []

    def add(self, kind: str, content: str) -> None:
        """Takes a record; one that does not belong here raises ValueError."""
        if kind == "T":
            self.reference = content
        elif kind == "H":
            self.texts.append(content.split("\t", 1)[1] if "\t" in content else lacking("a score and a text"))
        elif len(self.texts) != len(self.scores) + 1:
            lacking("an H- line before it")
        elif kind == "D":
            self.texts[-1] = content.split("\t", 1)[1] if "\t" in content else lacking("a score and a text")
        else:
            self.scores.append([float(score) for score in content.split()] or lacking("scores"))

    def hypotheses(self) -> List[NBestHypothesis]:
        """The hypotheses."""
        return [
            NBestHypothesis(t, math.log(2) * sum(scores), len(scores)) for t, scores in zip(self.texts, self.scores)
        ]


def lacking(what: str) -> NoReturn:
    """Refuses a record."""
    raise ValueError(f"expected {what}")


def read_nbest(path: Path) -> NBestLists:
    """Reads the n-best lists in a file that fairseq-generate wrote (``--nbest N``, ``--results-path`` or redirected).

    Raises:
        UserError: the file cannot be read, has no hypotheses, is damaged, or an input has none.
    """
    found: Dict[int, Records] = {}
    for number, line in enumerate(read_lines(path), start=1):
        record = RECORD.fullmatch(line)
        if record:
            try:
                found.setdefault(int(record[2]), Records()).add(record[1], record[3])
            except ValueError as error:
                raise UserError(f"{path}: line {number} ({line[:40]!r}) is damaged: {error}") from None
    check_complete(path, found)
    records = [found[number] for number in range(len(found))]
    return NBestLists([record.hypotheses() for record in records], [record.reference for record in records])


def check_complete(path: Path, found: Dict[int, Records]) -> None:
    """Refuses traces without hypotheses, of some inputs only, or cut short."""
    if not any(record.texts for record in found.values()):
        raise UserError(f"{path} has no H- lines; expected what fairseq-generate --nbest N printed")
    for number in range(max(found) + 1):
        record = found.get(number)
        if record is None or not record.texts:
            raise UserError(f"{path} has no hypothesis for input {number}; expected every number up to {max(found)}")
        if len(record.texts) != len(record.scores):
            raise UserError(f"{path}: a hypothesis of input {number} has no P- line; the file is cut short")
