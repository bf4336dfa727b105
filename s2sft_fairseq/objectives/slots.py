"""Slots: what one position of the packed sequence holds, and how a source and a target become slots.

Glossary of shapes, used throughout the package:

    B  sentences in a batch            R  rows of a beam search, B × beam
    S  slots of the source block       T  slots of the target block
    Q  slots of the query block        L  slots of the packed sequence, S + T + Q
    H  hidden size                     D  size of one attention head
    E  width of the token table        V  size of the vocabulary
    N  slots of a batch in one row: the labelled ones, or all that are not padding
"""

from typing import Iterable, NamedTuple, Optional, Sequence, Union

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .source_layouts import Segments

IGNORE = -100
"""The label of a slot at which nothing is predicted."""

PADDING = -1
"""The group of a padding slot; no slot attends to it."""


class Slots(NamedTuple):
    """Packed slots, each field int64 [B, L].

    Attributes:
        token: the vocabulary row to embed.
        position: the position to embed; a pseudo mask has that of the token it predicts.
        segment: the token type to embed.
        turn: the dialogue turn to embed, counted back from the target, which is turn 0 (003).
        step: factorization step: 0 = known from the start; 1, 2, … = the order in which tokens become known.
        group: 0 = context (a real token); > 0 = a query slot, visible to its own group only; or PADDING.
        label: the token to predict here, or IGNORE.
    """

    token: Tensor
    position: Tensor
    segment: Tensor
    turn: Tensor
    step: Tensor
    group: Tensor
    label: Tensor

    def columns(self, start: Optional[int], stop: Optional[int]) -> "Slots":
        """Slots ``start:stop`` of every sentence: [B, stop − start]."""
        return Slots(*(field[:, start:stop] for field in self))


PAD_SLOT = Slots(*map(torch.tensor, (0, 0, 0, 0, 1, PADDING, IGNORE)))
"""A padding slot, each field []. Its step is 1, so it attends to the source and no softmax is empty."""


class Blocks(NamedTuple):
    """Slots in three blocks, each padded on its right: source [B, S], target [B, T], queries [B, Q]."""

    source: Slots
    target: Slots
    query: Slots

    def packed(self) -> Slots:
        """The blocks concatenated: [B, S + T + Q]."""
        return concatenate(self)


class PredictionLayout(NamedTuple):
    """How a fine-tuning method lays out a sentence pair for prediction: what decoding needs to know.

    Attributes:
        pad: the padding token.
        end: the token that ends a target.
        segments: token types of source and target, and dialogue turns.
        source_end: whether the source keeps its end token.
        start: the token that opens the target's context; None: the first query directly follows the source.
        query: the token of query slots; None: the last known token predicts the next one.
    """

    pad: int
    end: int
    segments: Segments
    source_end: bool
    start: Optional[int]
    query: Optional[int]


def make(
    token: Tensor,
    *,
    pad: int,
    position: Tensor,
    step: Union[Tensor, int],
    segment: Union[Tensor, int],
    turn: Union[Tensor, int] = 0,
    group: Union[Tensor, int] = 0,
    label: Union[Tensor, int] = IGNORE,
) -> Slots:
    """Slots of the tokens [B, L], with the other fields broadcast to them; wherever a token is ``pad``, padding."""
    padded = token.eq(pad)

    def field(value: Union[Tensor, int], in_padding: Tensor) -> Tensor:
        return torch.as_tensor(value, device=token.device).expand_as(token).masked_fill(padded, int(in_padding))

    return Slots(
        token=token,
        position=field(position, PAD_SLOT.position),
        segment=field(segment, PAD_SLOT.segment),
        turn=field(turn, PAD_SLOT.turn),
        step=field(step, PAD_SLOT.step),
        group=field(group, PAD_SLOT.group),
        label=field(label, PAD_SLOT.label),
    )


def source_slots(source: Tensor, layout: PredictionLayout) -> Slots:
    """The slots of sources [B, S], padded on the right; all are known from the start."""
    segment, turn = layout.segments.segments_and_turns(source, end=layout.end, closed=layout.source_end)
    return make(
        source,
        pad=layout.pad,
        position=torch.arange(source.size(1), device=source.device),
        step=0,
        segment=segment,
        turn=turn,
    )


def context_slots(
    context: Tensor, layout: PredictionLayout, *, source_length: Tensor, label: Union[Tensor, int] = IGNORE
) -> Slots:
    """The slots of known target tokens [B, T], which follow the source (of length [B, 1]), one per step."""
    order = torch.arange(context.size(1), device=context.device)
    return make(
        context,
        pad=layout.pad,
        position=source_length + order,
        step=order + 1,
        segment=layout.segments.target,
        label=label,
    )


def query_slots(target: Tensor, layout: PredictionLayout, *, source_length: Tensor) -> Slots:
    """One query per target token [B, T], with the token's position and step, and a group of its own.

    (Paper 000, section 2.3: "the pseudo mask is assigned with the same position embedding".)
    """
    assert layout.query is not None
    order = torch.arange(target.size(1), device=target.device) + int(layout.start is not None)
    padded = target.eq(layout.pad)
    return make(
        torch.full_like(target, layout.query).masked_fill(padded, layout.pad),
        pad=layout.pad,
        position=source_length + order,
        step=order + 1,
        segment=layout.segments.target,
        group=order + 1,
        label=target,
    )


def lay_out(source: Tensor, target: Tensor, layout: PredictionLayout) -> Blocks:
    """Lays out sentence pairs for teacher forcing, without noise: every target token is predicted.

    Args:
        source: [B, S], padded on the right, with its start token and, if ``layout.source_end``, its end token.
        target: [B, T], padded on the right, with its end token.
    """
    length = source.ne(layout.pad).sum(1, keepdim=True)
    given = source_slots(source, layout)
    if layout.query is None:
        context = prepend_start(target, layout).narrow(1, 0, target.size(1))
        context = context.masked_fill(target.eq(layout.pad), layout.pad)
        known = context_slots(context, layout, source_length=length, label=target)
        return Blocks(given, known, given.columns(0, 0))
    known = context_slots(prepend_start(target, layout), layout, source_length=length)
    return Blocks(given, known, query_slots(target, layout, source_length=length))


def prepend_start(target: Tensor, layout: PredictionLayout) -> Tensor:
    """Puts the layout's start token, if it has one, before the target [B, T]: [B, T + 1] or [B, T]."""
    if layout.start is None:
        return target
    return torch.cat([target.new_full((len(target), 1), layout.start), target], dim=1)


def next_slots(prev_output_tokens: Tensor, layout: PredictionLayout, *, source_length: Tensor, known: int) -> Slots:
    """The slots that one decoding step adds: the context slots after the first ``known``, then the query, if any.

    The last slot predicts the next token. Positions and steps are those of :func:`lay_out`; the query is in group 1.

    Args:
        prev_output_tokens: [R, 1 + t], fairseq's placeholder and the t tokens generated so far.
        source_length: [R, 1].
        known: number of context slots that earlier steps have processed.
    """
    tokens = prepend_start(prev_output_tokens[:, 1:], layout)
    if layout.query is not None:
        tokens = torch.cat([tokens, tokens.new_full((len(tokens), 1), layout.query)], dim=1)
    order = torch.arange(known, tokens.size(1), device=tokens.device)
    is_query = order.eq(tokens.size(1) - 1) & (layout.query is not None)
    return make(
        tokens[:, known:],
        pad=-1,
        position=source_length + order,
        step=order + 1,
        segment=layout.segments.target,
        group=is_query.long(),
    )


def concatenate(parts: Iterable[Slots]) -> Slots:
    """Concatenates slots along the sequence: [B, L1], [B, L2], … → [B, L1 + L2 + …]."""
    return Slots(*(torch.cat(fields, dim=1) for fields in zip(*parts)))


def stack(examples: Sequence[Slots], *, pad: int) -> Slots:
    """A batch of single sentences, each [1, l], padded on the right: [B, max l]."""
    pad_slot = PAD_SLOT._replace(token=torch.tensor(pad))
    columns = []
    for fields, padding in zip(zip(*examples), pad_slot):
        rows = [field[0] for field in fields]
        columns.append(pad_sequence(rows, batch_first=True, padding_value=float(padding)))
    return Slots(*columns)


def collate(examples: Sequence[Blocks], *, pad: int) -> Blocks:
    """A batch of single sentences, padded block by block."""
    return Blocks(*(stack(block, pad=pad) for block in zip(*examples)))
