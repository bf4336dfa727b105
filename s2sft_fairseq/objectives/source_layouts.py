"""Segments and turns: what tells the source from the target, and the parts of a source from one another (003).

A source may have parts: the columns of a record, or the utterances of a dialogue. The end token stands between two
parts and belongs to the first of them. The layouts are those of the released code of ERNIE-GEN.
"""

from dataclasses import dataclass
from typing import ClassVar, Dict, NamedTuple, Optional, Tuple, Type, Union

import torch
from torch import Tensor

from ..common.errors import UserError


class Rows(NamedTuple):
    """Rows of the tables of segments and turns; 0: the model has no such table."""

    segments: int
    turns: int


class Marks(NamedTuple):
    """Segment and turn of a source's slots, each [B, S], or one for all of them."""

    segment: Union[Tensor, int]
    turn: Union[Tensor, int]


def numbered(source: Tensor, *, end: int, closed: bool) -> Tuple[Tensor, Tensor]:
    """The part that each token [B, S] is of, from 0 on, and how many parts its source has [B, 1]."""
    ends = source.eq(end).long()
    return ends.cumsum(1) - ends, ends.sum(1, keepdim=True) + int(not closed)


@dataclass(frozen=True)
class Segments:
    """A source in one part, whatever end tokens there are in it.

    Attributes:
        source, target: segments.
        source_turn: dialogue turn of the source; that of the target is 0.
        parts: what the parts of a source are called; empty if there are none.
        least: how many of them a source must have.
        drops_oldest: whether a source with too many is cut; otherwise it is a mistake.
    """

    source: int
    target: int
    source_turn: int = 0
    parts: ClassVar[str] = ""
    least: ClassVar[int] = 1
    drops_oldest: ClassVar[bool] = False

    def marks(self, source: Tensor, *, end: int, closed: bool) -> Marks:
        """What tells the slots of a source [B, S] apart; ``closed``: its last part has an end token too."""
        return Marks(self.source, self.source_turn)

    def check(self, rows: Rows) -> None:
        """Raises UserError if tables of so many rows are too small, whatever the sources."""

    def most(self, rows: Rows) -> Optional[int]:
        """How many parts can be told apart; None: any number."""
        return None

    def cut(self, text: Tensor, *, end: int, room: int, most: Optional[int]) -> Tensor:
        """The text [l] without what has to give way before its tail does, to ``room`` tokens and ``most`` parts."""
        return text


class Columns(Segments):
    """Columns of a record, each with a segment of its own, from the source's on."""

    parts = "columns"

    def marks(self, source: Tensor, *, end: int, closed: bool) -> Marks:
        column, _ = numbered(source, end=end, closed=closed)
        return Marks(self.source + column, self.source_turn)

    def check(self, rows: Rows) -> None:
        if self.most(rows) < 2:
            raise UserError(
                f"--source-layout columns: two columns need segments {self.source} and {self.source + 1}; found "
                f"--target-type-id {self.target} and --type-vocab-size {rows.segments}, expected both to be higher"
            )

    def most(self, rows: Rows) -> int:
        """As many as segments follow one another, that of the target not among them."""
        stop = min(self.target, rows.segments) if self.source < self.target else rows.segments
        return stop - self.source


class Dialogue(Segments):
    """Utterances of two speakers who take turns, counted back from the target, which is turn 0.

    Odd turns have the source's segment, even ones that of the target: a segment is a role. A dialogue that is too long
    loses its oldest utterances.
    """

    parts = "utterances"
    drops_oldest = True

    def marks(self, source: Tensor, *, end: int, closed: bool) -> Marks:
        utterance, utterances = numbered(source, end=end, closed=closed)
        turn = utterances - utterance
        return Marks(self.roles(turn), turn)

    def roles(self, turn: Tensor) -> Tensor:
        """The segments of those who speak in the turns [B, S]."""
        return torch.where(turn % 2 == 1, self.source, self.target)

    def check(self, rows: Rows) -> None:
        if not rows.segments and rows.turns < 2:
            raise UserError(
                "--source-layout tells utterances apart by segments and turns, and the model has neither; "
                "expected two rows at least, of --type-vocab-size or --turn-rows"
            )
        if rows.turns == 1:
            raise UserError("--turn-rows is 1; expected 2 at least: the target is turn 0, the last utterance turn 1")

    def most(self, rows: Rows) -> Optional[int]:
        return rows.turns - 1 if rows.turns else None

    def cut(self, text: Tensor, *, end: int, room: int, most: Optional[int]) -> Tensor:
        ends = text.eq(end).nonzero().flatten()
        dropped = 0 if most is None or len(ends) < most else int(ends[-most]) + 1
        return text[max(dropped, len(text) - room) :]


class GroundedDialogue(Dialogue):
    """A dialogue after a part of knowledge (a persona, a document), which has a third role and turn 0.

    The start token is of the first utterance. What is too long loses the beginning of the knowledge, then the oldest
    utterances.
    """

    parts = "knowledge and utterances"
    least = 2

    @property
    def knowledge(self) -> int:
        """The segment of knowledge."""
        return max(self.source, self.target) + 1

    def marks(self, source: Tensor, *, end: int, closed: bool) -> Marks:
        part, parts = numbered(source, end=end, closed=closed)
        known = part.eq(0)
        known[:, 0] = False
        turn = (parts - part.clamp(min=1)).masked_fill(known, 0)
        return Marks(self.roles(turn).masked_fill(known, self.knowledge), turn)

    def check(self, rows: Rows) -> None:
        super().check(rows)
        if 0 < rows.segments <= self.knowledge:
            raise UserError(
                f"--source-layout grounded_dialogue gives knowledge segment {self.knowledge}; expected "
                f"--type-vocab-size {self.knowledge + 1} at least, found {rows.segments}"
            )

    def most(self, rows: Rows) -> Optional[int]:
        utterances = super().most(rows)
        return None if utterances is None else 1 + utterances

    def cut(self, text: Tensor, *, end: int, room: int, most: Optional[int]) -> Tensor:
        first = 1 + int(text.eq(end).long().argmax())
        knowledge, dialogue = text[:first], text[first:]
        dialogue = super().cut(dialogue, end=end, room=room - 1, most=None if most is None else most - 1)
        return torch.cat([knowledge[max(0, first - (room - len(dialogue))) :], dialogue])


LAYOUTS: Dict[str, Type[Segments]] = {
    "plain": Segments,
    "columns": Columns,
    "dialogue": Dialogue,
    "grounded_dialogue": GroundedDialogue,
}
"""The values of ``--source-layout``."""
