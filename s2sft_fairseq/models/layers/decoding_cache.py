"""Decoding in cached steps: what is kept of the source and of the target so far, and attention over both.

The source's keys and values are kept once per sentence, those of the target once per row of the search; only the latter
grow, and only they are reordered when hypotheses change places in the beam."""

from typing import List, NamedTuple, Optional

import torch
from torch import Tensor

from ...objectives.slots import Slots, concatenate
from .attention import Bias, FullPass, KeysValues, last
from .dropout import dropout as drop_out


class SourcePass(FullPass):
    """A full pass over the source alone [B, S] that keeps each layer's keys and values."""

    def __init__(self, slots: Slots, bias: Bias) -> None:
        super().__init__(slots, slots.token.size(1), bias, needed=torch.zeros_like(slots.token, dtype=torch.bool))
        self.kept: List[KeysValues] = []

    def keep(self, seen: KeysValues) -> None:
        self.kept.append(seen)


class SourceCache(NamedTuple):
    """What decoding needs of the sources, once per sentence: never copied per hypothesis.

    Attributes:
        slots: [B, S].
        layers: keys and values of every layer, [B, heads, S, D].
        beam: rows of the search that share a sentence, R = B × beam.
    """

    slots: Slots
    layers: List[KeysValues]
    beam: int

    def lengths(self) -> Tensor:
        """The source length for each row, [R, 1]."""
        return self.slots.group.eq(0).sum(1, keepdim=True).repeat_interleave(self.beam, dim=0)

    def reorder(self, rows: Tensor) -> "SourceCache":
        """Follows fairseq's row order [new R]: the first call widens the beam, later ones drop finished sentences.

        The rows of a sentence stay together and only change places, so nothing moves until a sentence is finished.
        """
        sentences = torch.unique_consecutive(torch.div(rows, self.beam, rounding_mode="floor"))
        beam = len(rows) // len(sentences)
        if len(sentences) == len(self.slots.token):
            return self._replace(beam=beam)
        return SourceCache(
            Slots(*(field.index_select(0, sentences) for field in self.slots)),
            [layer.index_select(sentences) for layer in self.layers],
            beam,
        )


class TargetCache:
    """Keys and values of the target's context per row: the only part that grows, and that beam search reorders.

    Memory is allocated for more slots than there are, so that a step copies nothing but reordered rows.

    Attributes:
        slots: the context so far, [R, t].
        layers: keys and values of every layer, [2, R, heads, capacity, D]; empty before the first token.
        beam: rows of the search that share a sentence.
        spare: memory for one more layer, which receives reordered rows.
    """

    MIN_CAPACITY = 16

    def __init__(self) -> None:
        self.slots: Optional[Slots] = None
        self.layers: List[Tensor] = []
        self.beam = 1
        self.spare: Optional[Tensor] = None

    def __len__(self) -> int:
        return 0 if self.slots is None else self.slots.token.size(1)

    def reorder(self, rows: Tensor) -> None:
        """Keeps the given rows, in that order; with a beam of 1, nothing moves until a sentence is finished."""
        assert self.slots is not None
        if self.beam == 1 and len(rows) == len(self.slots.token):
            return
        known = len(self)
        self.slots = Slots(*(field.index_select(0, rows) for field in self.slots))
        for number, layer in enumerate(self.layers):
            spare = torch.empty_like(layer) if self.spare is None else self.spare
            spare = spare.narrow(1, 0, len(rows))
            torch.index_select(layer[:, :, :, :known], 1, rows, out=spare[:, :, :, :known])
            self.layers[number], self.spare = spare, layer

    def put(self, layer: int, parts: KeysValues, start: int) -> KeysValues:
        """Stores keys and values [R, heads, l, D] of the slots from ``start`` on; returns those of all slots so far."""
        stop = start + parts.key.size(2)
        if layer == len(self.layers):
            self.layers.append(self.allocate(parts.key, stop))
        elif stop > self.layers[layer].size(3):
            larger = self.allocate(parts.key, stop)
            larger[:, :, :, :start] = self.layers[layer][:, :, :, :start]
            self.layers[layer], self.spare = larger, None
        memory = self.layers[layer]
        for kind, part in enumerate(parts):
            memory[kind, :, :, start:stop] = part
        return KeysValues(memory[0, :, :, :stop], memory[1, :, :, :stop])

    def allocate(self, like: Tensor, length: int) -> Tensor:
        """Memory for one layer's keys and values of twice ``length`` slots, at least MIN_CAPACITY."""
        rows, heads, _, size = like.shape
        return like.new_empty(2, rows, heads, max(self.MIN_CAPACITY, 2 * length), size)


class StepPass:
    """Attention of the slots that one decoding step adds, [R, l], over source, target so far, and themselves.

    A query slot is visible in its own step only: the next step overwrites its keys and values. In the row of slots,
    those of a column are next to each other; hidden states are needed for the last column.

    Args:
        slots: the new slots [R, l], context first.
        source: shared by the hypotheses of a sentence.
        target: extended by the new context slots, layer by layer.
        bias: computes the bias of the scores.
    """

    def __init__(self, slots: Slots, source: SourceCache, target: TargetCache, bias: Bias) -> None:
        self.source, self.target, self.known = source, target, len(target)
        target.beam = source.beam
        per_sentence = Slots(*(field[:: source.beam] for field in slots))  # hypotheses in a beam are equally long
        self.source_bias = bias(per_sentence, source.slots).unsqueeze(2)  # [B, 1 or heads, 1, l, S]
        seen = slots if target.slots is None else concatenate([target.slots, slots])
        self.target_bias = bias(slots, seen)
        target.slots = seen.columns(0, self.known + int(slots.group[0].eq(0).sum()))
        self.slots, self.rows = Slots(*(field.t().flatten() for field in slots)), len(slots.token)
        self.start = len(self.slots.token) - self.rows

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, *, dropout: float) -> Tensor:
        known = self.target.put(layer, KeysValues(self.columns(key), self.columns(value)), self.known)
        context = self.attend(self.columns(query), self.source.layers[layer], known, dropout)
        return context.permute(2, 0, 1, 3).flatten(0, 1)

    def columns(self, x: Tensor) -> Tensor:
        """[l · R, heads, D] → [R, heads, l, D]."""
        return x.unflatten(0, (-1, self.rows)).permute(1, 2, 0, 3)

    def attend(self, query: Tensor, given: KeysValues, known: KeysValues, dropout: float) -> Tensor:
        """Queries [R, heads, l, D] over source [B, heads, S, D] and target [R, heads, t, D] → [R, heads, l, D]."""
        query, length = query * query.size(-1) ** -0.5, query.size(2)
        on_source = self.by_sentence(query).flatten(2, 3) @ given.key.transpose(2, 3)
        on_source = on_source.unflatten(2, (self.source.beam, length)) + last(self.source_bias, length)
        on_target = query @ known.key.transpose(2, 3) + last(self.target_bias, length)
        scores = torch.cat([on_source, self.by_sentence(on_target)], dim=-1)  # [B, heads, beam, l, S + t]
        weights = drop_out(scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype), dropout)
        source_weights, target_weights = weights.split([given.key.size(2), known.key.size(2)], dim=-1)
        from_source = (source_weights.flatten(2, 3) @ given.value).unflatten(2, (self.source.beam, length))
        return self.by_row(from_source) + self.by_row(target_weights) @ known.value

    def by_sentence(self, rows: Tensor) -> Tensor:
        """[R, heads, l, X] → [B, heads, beam, l, X]: a sentence's hypotheses side by side, as they share its source."""
        return rows.unflatten(0, (-1, self.source.beam)).transpose(1, 2)

    def by_row(self, sentences: Tensor) -> Tensor:
        """[B, heads, beam, l, X] → [R, heads, l, X], the inverse of :meth:`by_sentence`."""
        return sentences.transpose(1, 2).flatten(0, 1)
