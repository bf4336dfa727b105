"""Segments and turns: they distinguish the source from the target, and the parts of a source from one another (003).

A source may consist of parts: the columns of a record, or the utterances of a dialogue. The end token between two parts
belongs to the first of them. The layouts are those of ERNIE-GEN's released code.
"""

from dataclasses import dataclass
from typing import ClassVar, Dict, NamedTuple, Optional, Tuple, Type, Union

import torch
from torch import Tensor

from ..common.errors import UserError


class TableSizes(NamedTuple):
    """Rows of the tables of segments and turns; 0: the model has no such table."""

    segments: int
    turns: int


class SegmentsAndTurns(NamedTuple):
    """Segment and turn of a source's slots, each [B, S], or one number for all of them."""

    segment: Union[Tensor, int]
    turn: Union[Tensor, int]


def numbered(source: Tensor, *, end: int, closed: bool) -> Tuple[Tensor, Tensor]:
    """The part that each token [B, S] belongs to, counted from 0, and the number of parts per source [B, 1].

    Args:
        source: [B, S].
        end: the token that ends a part.
        closed: whether the last part has an end token, too.

    >>> numbered(torch.tensor([[5, 6, 9, 7, 9]]), end=9, closed=True)
    (tensor([[0, 0, 0, 1, 1]]), tensor([[2]]))
    """
    ends = source.eq(end).long()
    return ends.cumsum(1) - ends, ends.sum(1, keepdim=True) + int(not closed)


@dataclass(frozen=True)
class Segments:
    """A source in one part, whatever end tokens it contains.

    Attributes:
        source, target: their segments.
        source_turn: dialogue turn of the source; that of the target is 0.
        parts: what the parts of a source are called; empty if it has none.
        min_parts: the minimum number of parts of a source.
        drops_oldest: whether a source with too many parts loses the oldest ones; otherwise it is an error.
    """

    source: int
    target: int
    source_turn: int = 0
    parts: ClassVar[str] = ""
    min_parts: ClassVar[int] = 1
    drops_oldest: ClassVar[bool] = False

    def segments_and_turns(self, source: Tensor, *, end: int, closed: bool) -> SegmentsAndTurns:
        """Segments and turns of a source's slots [B, S]; ``closed``: its last part has an end token, too."""
        return SegmentsAndTurns(self.source, self.source_turn)

    def check(self, sizes: TableSizes) -> None:
        """Raises UserError if tables of these sizes are too small, whatever the sources contain."""

    def max_parts(self, sizes: TableSizes) -> Optional[int]:
        """The maximum number of parts that tables of these sizes can distinguish; None: any number."""
        return None

    def cut(self, text: Tensor, *, end: int, max_length: int, max_parts: Optional[int]) -> Tensor:
        """The text [l] without the oldest parts beyond ``max_length`` tokens or ``max_parts`` parts; here unchanged."""
        return text


class Columns(Segments):
    """Columns of a record, each with a segment of its own, numbered from the source's segment on."""

    parts = "columns"

    def segments_and_turns(self, source: Tensor, *, end: int, closed: bool) -> SegmentsAndTurns:
        column, _ = numbered(source, end=end, closed=closed)
        return SegmentsAndTurns(self.source + column, self.source_turn)

    def check(self, sizes: TableSizes) -> None:
        if self.max_parts(sizes) < 2:
            raise UserError(
                f"--source-layout columns: two columns need segments {self.source} and {self.source + 1}; found "
                f"--target-type-id {self.target} and --type-vocab-size {sizes.segments}, expected both to be higher"
            )

    def max_parts(self, sizes: TableSizes) -> int:
        """The number of segments from the source's on, up to the target's or to the end of the table."""
        stop = min(self.target, sizes.segments) if self.source < self.target else sizes.segments
        return stop - self.source


class Dialogue(Segments):
    """Utterances of two alternating speakers, whose turns are counted back from the target, which is turn 0.

    Odd turns have the source's segment, even turns the target's: a segment is a role. A dialogue that is too long
    loses its oldest utterances.
    """

    parts = "utterances"
    drops_oldest = True

    def segments_and_turns(self, source: Tensor, *, end: int, closed: bool) -> SegmentsAndTurns:
        utterance, utterances = numbered(source, end=end, closed=closed)
        turn = utterances - utterance
        return SegmentsAndTurns(self.roles(turn), turn)

    def roles(self, turn: Tensor) -> Tensor:
        """The segments of the speakers of these turns [B, S]."""
        return torch.where(turn % 2 == 1, self.source, self.target)

    def check(self, sizes: TableSizes) -> None:
        if not sizes.segments and sizes.turns < 2:
            raise UserError(
                "--source-layout distinguishes utterances by segments and turns, but the model has neither; "
                "expected at least two rows, of --type-vocab-size or --turn-rows"
            )
        if sizes.turns == 1:
            raise UserError("--turn-rows is 1; expected at least 2: the target is turn 0, the last utterance turn 1")

    def max_parts(self, sizes: TableSizes) -> Optional[int]:
        return sizes.turns - 1 if sizes.turns else None

    def cut(self, text: Tensor, *, end: int, max_length: int, max_parts: Optional[int]) -> Tensor:
        ends = text.eq(end).nonzero().flatten()
        dropped = 0 if max_parts is None or len(ends) < max_parts else int(ends[-max_parts]) + 1
        return text[max(dropped, len(text) - max_length) :]


class GroundedDialogue(Dialogue):
    """A dialogue preceded by knowledge (a persona, a document), which has a third role and turn 0.

    The start token belongs to the first utterance. A source that is too long loses the beginning of its knowledge
    first, then its oldest utterances.
    """

    parts = "knowledge and utterances"
    min_parts = 2

    @property
    def knowledge(self) -> int:
        """The segment of the knowledge."""
        return max(self.source, self.target) + 1

    def segments_and_turns(self, source: Tensor, *, end: int, closed: bool) -> SegmentsAndTurns:
        part, parts = numbered(source, end=end, closed=closed)
        known = part.eq(0)
        known[:, 0] = False
        turn = (parts - part.clamp(min=1)).masked_fill(known, 0)
        return SegmentsAndTurns(self.roles(turn).masked_fill(known, self.knowledge), turn)

    def check(self, sizes: TableSizes) -> None:
        super().check(sizes)
        if 0 < sizes.segments <= self.knowledge:
            raise UserError(
                f"--source-layout grounded_dialogue gives knowledge segment {self.knowledge}; expected "
                f"--type-vocab-size of at least {self.knowledge + 1}, found {sizes.segments}"
            )

    def max_parts(self, sizes: TableSizes) -> Optional[int]:
        utterances = super().max_parts(sizes)
        return None if utterances is None else 1 + utterances

    def cut(self, text: Tensor, *, end: int, max_length: int, max_parts: Optional[int]) -> Tensor:
        first = 1 + int(text.eq(end).long().argmax())
        knowledge, dialogue = text[:first], text[first:]
        dialogue = super().cut(
            dialogue, end=end, max_length=max_length - 1, max_parts=None if max_parts is None else max_parts - 1
        )
        return torch.cat([knowledge[max(0, first - (max_length - len(dialogue))) :], dialogue])


LAYOUTS: Dict[str, Type[Segments]] = {
    "plain": Segments,
    "columns": Columns,
    "dialogue": Dialogue,
    "grounded_dialogue": GroundedDialogue,
}
"""The values of ``--source-layout``."""
