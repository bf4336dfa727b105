"""Parses the lines in which fairseq-generate and fairseq-interactive print their inputs and results.

``H-17<TAB>-0.5<TAB>pie ##ces`` is a record of kind H for input 17. These kinds are read:

    T   the reference                          T-17 <tab> text
    H   a hypothesis in the model's tokens     H-17 <tab> score <tab> text
    D   the same hypothesis, detokenized       D-17 <tab> score <tab> text
    P   the log-probability of its tokens      P-17 <tab> score score ... (base 2, as is the score)

Lines of other kinds, and log lines between them, are ignored.
"""

import re
from typing import NamedTuple, Optional

RECORD = re.compile(r"([THDP])-(\d+)\t(.*)", re.DOTALL)


class Record(NamedTuple):
    """One line of output.

    Attributes:
        kind: T, H, D or P.
        number: of the input, from 0.
        content: everything after the first tab.
    """

    kind: str
    number: int
    content: str

    def text(self) -> str:
        """The text of a hypothesis, without its score.

        Raises:
            ValueError: there is no score.
        """
        _, tab, text = self.content.partition("\t")
        if not tab:
            raise ValueError("expected a score and a text")
        return text


def parse_record(line: str) -> Optional[Record]:
    """The record on a line, or None if there is none.

    >>> parse_record("H-17\\t-0.5\\tpie ##ces")
    Record(kind='H', number=17, content='-0.5\\tpie ##ces')
    """
    found = RECORD.fullmatch(line)
    if found is None:
        return None
    return Record(found[1], int(found[2]), found[3])
