"""The input of the model's forward pass: the slots of a batch, where their source ends, and where labels begin."""

from typing import Any, Mapping, NamedTuple, Optional, Sequence

from torch import Tensor

from .slots import IGNORE, PADDING, Blocks, Slots, collate

FIELD = "packed"
"""The key of the packed batch in a fairseq sample."""


class PackedBatch(NamedTuple):
    """A batch of laid-out examples.

    Attributes:
        slots: [B, L].
        source_length: slots of the source block, S.
        labelled_from: the first column with a label; hidden states before it are not needed.
        weight: of each labelled slot in the loss, [N]; None: equal weights.
    """

    slots: Slots
    source_length: int
    labelled_from: int
    weight: Optional[Tensor] = None

    @classmethod
    def from_examples(cls, examples: Sequence[Blocks], *, pad: int) -> "PackedBatch":
        """Pads single sentence pairs block by block, and packs the blocks."""
        blocks = collate(examples, pad=pad)
        slots = blocks.packed()
        labelled_from = int(slots.label.ne(IGNORE).any(0).long().argmax())
        return cls(slots, blocks.source.token.size(1), labelled_from)

    @classmethod
    def from_sample(cls, sample: Mapping[str, Any]) -> "PackedBatch":
        """The packed batch of a fairseq sample, rebuilt: moving samples to a device makes named tuples plain ones."""
        slots, *others = sample[FIELD]
        return cls(Slots(*slots), *others)

    @property
    def labels(self) -> Tensor:
        """The tokens to predict, sentence by sentence, [N]."""
        return self.slots.label[self.slots.label.ne(IGNORE)]

    def count_slots(self) -> Tensor:
        """Number of slots that are not padding, []."""
        return self.slots.group.ne(PADDING).sum()
