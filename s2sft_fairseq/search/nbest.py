"""N-best lists with token scores, read from the output of fairseq-generate and fairseq-interactive."""

import math
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from ..common.errors import UserError
from ..common.fairseq_output import Record, parse_record
from ..common.text_lines import read_all_lines


class NBestHypothesis(NamedTuple):
    """A hypothesis of an n-best list.

    Attributes:
        text: detokenized if the output has D- lines, otherwise in the model's tokens (H-).
        log_probability: the sum over the tokens (P-), in nats.
        length: number of tokens, the end token included.
    """

    text: str
    log_probability: float
    length: int


class NBestLists(NamedTuple):
    """The hypotheses for each input, in the order of the inputs, and its reference if the data had one (T-)."""

    hypotheses: List[List[NBestHypothesis]]
    references: List[Optional[str]]


class Records:
    """What was printed for one input, record by record."""

    def __init__(self) -> None:
        self.reference: Optional[str] = None
        self.texts: List[str] = []
        self.scores: List[List[float]] = []

    def add(self, record: Record) -> None:
        """Adds a record; raises ValueError if it does not follow from those before it."""
        if record.kind == "T":
            self.reference = record.content
        elif record.kind == "H":
            self.texts.append(record.text())
        elif len(self.texts) != len(self.scores) + 1:
            raise ValueError("expected an H- line before it")
        elif record.kind == "D":
            self.texts[-1] = record.text()
        else:
            self.scores.append(token_scores(record.content))

    def hypotheses(self) -> List[NBestHypothesis]:
        """The hypotheses in printed order, with scores converted from base 2 to nats."""
        return [
            NBestHypothesis(text, log_probability=math.log(2) * sum(scores), length=len(scores))
            for text, scores in zip(self.texts, self.scores)
        ]


def token_scores(content: str) -> List[float]:
    """The scores in a P- line; raises ValueError if there are none, or anything else is on it."""
    scores = [float(score) for score in content.split()]
    if not scores:
        raise ValueError("expected scores")
    return scores


def read_nbest(path: Path) -> NBestLists:
    """Reads n-best lists from the output of fairseq-generate ``--nbest N`` (``--results-path`` or redirected).

    Raises:
        UserError: the file cannot be read, has no hypotheses, is damaged, or an input has no hypothesis.
    """
    found: Dict[int, Records] = {}
    for number, line in enumerate(read_all_lines(path), start=1):
        record = parse_record(line)
        if record is None:
            continue
        try:
            found.setdefault(record.number, Records()).add(record)
        except ValueError as error:
            raise UserError(f"{path}: line {number} ({line[:40]!r}) is damaged: {error}") from None
    check_complete(path, found)
    records = [found[number] for number in range(len(found))]
    return NBestLists([record.hypotheses() for record in records], [record.reference for record in records])


def check_complete(path: Path, found: Dict[int, Records]) -> None:
    """Refuses n-best lists that are empty, leave out an input or are cut short."""
    if not any(record.texts for record in found.values()):
        raise UserError(f"{path} has no H- lines; expected the output of fairseq-generate --nbest N")
    for number in range(max(found) + 1):
        record = found.get(number)
        if record is None or not record.texts:
            raise UserError(f"{path} has no hypothesis for input {number}; expected every number up to {max(found)}")
        if len(record.texts) != len(record.scores):
            raise UserError(f"{path}: a hypothesis of input {number} has no P- line; the file is cut short")
