"""The input of the model's forward pass: the slots of a batch, where their source ends, and where labels begin."""

from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

from torch import Tensor

from .slots import IGNORE, PADDING, Blocks, Slots, collate

FIELD = "packed"
"""The key of the packed batch in a fairseq sample."""


class PackedBatch(NamedTuple):
    """A batch of laid-out examples.

    Attributes:
        slots: [B, L].
        source_length: slots of the source block, S.
        weight: of each labelled slot in the loss, [N]; None: equal weights.
        loss_number: which of several losses each labelled slot belongs to, [N]; None: there is only one.
        labels_per_token: number of losses, and so of labels, per predicted token.
        unrelated: whether the second text of each example follows its first (0) or not (1), or IGNORE, [B]; None: that
            is not predicted.
    """

    slots: Slots
    source_length: int
    weight: Optional[Tensor] = None
    loss_number: Optional[Tensor] = None
    labels_per_token: int = 1
    unrelated: Optional[Tensor] = None

    @classmethod
    def from_examples(cls, examples: Sequence[Blocks], *, pad: int) -> "PackedBatch":
        """Pads single sentence pairs block by block, and packs the blocks."""
        blocks = collate(examples, pad=pad)
        slots = blocks.packed()
        return cls(slots, blocks.source.token.size(1))

    @classmethod
    def from_sample(cls, sample: Mapping[str, Any]) -> "PackedBatch":
        """The packed batch of a fairseq sample, rebuilt: moving samples to a device makes named tuples plain ones."""
        slots, *others = sample[FIELD]
        return cls(Slots(*slots), *others)

    @property
    def labels(self) -> Tensor:
        """The tokens to predict, sentence by sentence, [N]."""
        return self.slots.label[self.slots.label.ne(IGNORE)]

    def needed(self) -> Tensor:
        """The slots whose hidden states a loss needs, bool [B, L]."""
        needed = self.slots.label.ne(IGNORE)
        if self.unrelated is not None:
            needed[:, 0] = True  # of [CLS], which pairs are judged by
        return needed

    def sample_size(self) -> Union[int, float]:
        """What the summed loss is divided by: the number of predicted tokens, or the sum of their weights."""
        if self.weight is not None:
            return float(self.weight.float().sum())
        return len(self.labels) // self.labels_per_token

    def labels_per_example(self) -> Tensor:
        """Number of labelled slots of each example, [B]."""
        return self.slots.label.ne(IGNORE).sum(1)

    def count_slots(self) -> Tensor:
        """Number of slots that are not padding, []."""
        return self.slots.group.ne(PADDING).sum()
