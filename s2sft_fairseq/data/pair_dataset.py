"""Sentence pairs as batches: framed and truncated text, laid out by the objective, padded block by block."""

from typing import Any, Dict, List, Optional, Protocol, Sequence

import numpy as np
import torch
from fairseq.data import BaseWrapperDataset, FairseqDataset, LanguagePairDataset
from torch import Tensor

from ..objectives.finetuning import FinetuningObjective
from ..objectives.packed_batch import FIELD, PackedBatch
from ..objectives.slots import Blocks, PredictionLayout, Slots
from .seeded_dataset import SeededDataset

POOL = 16
"""Training examples are sorted by source length in steps of this many tokens, and by target length within a step."""


class FramedText(BaseWrapperDataset):
    """Binarized lines, each ending with the end token, cut on the right and framed with special tokens.

    Args:
        lines: int64 [l] each, the end token last.
        pad, unk: a pad token in the text itself becomes unk, because padding is recognized by its token.
        bos: the token put before the text, or None.
        eos: the token put after the text, or None; a text that is cut has it, too.
        max_length: the maximum length of the result, special tokens included; None: nothing is cut.
    """

    def __init__(
        self,
        lines: FairseqDataset,
        *,
        pad: int,
        unk: int,
        bos: Optional[int],
        eos: Optional[int],
        max_length: Optional[int],
    ) -> None:
        super().__init__(lines)
        self.pad, self.unk = pad, unk
        self.before = torch.tensor([] if bos is None else [bos], dtype=torch.int64)
        self.after = torch.tensor([] if eos is None else [eos], dtype=torch.int64)
        frame = len(self.before) + len(self.after)
        self.max_text_length = None if max_length is None else max_length - frame
        text = np.asarray(lines.sizes) - 1
        self.uncut = text + frame
        self.framed_sizes = (text if self.max_text_length is None else np.minimum(text, self.max_text_length)) + frame

    def __getitem__(self, index: int) -> Tensor:
        text = self.dataset[index][:-1][: self.max_text_length].long()
        return torch.cat([self.before, text.masked_fill(text.eq(self.pad), self.unk), self.after])

    @property
    def sizes(self) -> np.ndarray:
        return self.framed_sizes

    def cut(self) -> int:
        """Number of lines that are too long and lose their tail."""
        return int((self.uncut > self.framed_sizes).sum())


class BatchLayout(Protocol):
    """What batching needs to know about the objective that laid out the examples."""

    @property
    def layout(self) -> PredictionLayout:
        """Provides the padding token."""

    def weights(self, packed: Slots) -> Optional[Tensor]:
        """The weight in the loss of each labelled slot of a training batch [B, L], [N]; None: equal weights."""


def packed_batch(examples: Sequence[Blocks], objective: BatchLayout, *, training: bool) -> PackedBatch:
    """A batch of examples; only training batches have weights."""
    packed = PackedBatch.from_examples(examples, pad=objective.layout.pad)
    return packed._replace(weight=objective.weights(packed.slots)) if training else packed


class PairDataset(SeededDataset, LanguagePairDataset):
    """A fairseq pair dataset whose batches hold the objective's slots in addition to fairseq's own fields.

    A batch has ``net_input`` and ``target``, as in every fairseq task, and a :class:`PackedBatch`.

    Args:
        source, target: framed text; the target may be missing for generation.
        objective: lays out the slots.
        seed: of the noise; None: no noise, and the whole target is predicted.
        **options: of ``LanguagePairDataset``.
    """

    def __init__(
        self,
        source: FairseqDataset,
        target: Optional[FairseqDataset],
        *,
        objective: FinetuningObjective,
        seed: Optional[int],
        **options: Any,
    ) -> None:
        sizes = None if target is None else target.sizes
        super().__init__(
            source,
            source.sizes,
            tgt=target,
            tgt_sizes=sizes,
            left_pad_source=False,
            left_pad_target=False,
            **options,
        )
        self.lay_out_by(objective, seed=seed)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        example = super().__getitem__(index)
        if example["target"] is not None:
            example["blocks"] = self.blocks(index, example["source"], example["target"])
        return example

    def blocks(self, index: int, source: Tensor, target: Tensor) -> Blocks:
        """The slots of one example, in training with this epoch's noise."""
        if self.seed is None:
            return self.objective.evaluate(source, target)
        return self.objective.train(source, target, self.noise(index))

    def collater(self, samples: List[Dict[str, Any]], pad_to_length: Optional[Dict[str, int]] = None) -> Dict[str, Any]:
        batch = super().collater(samples, pad_to_length=pad_to_length)
        if batch and batch["target"] is not None:
            by_id = {sample["id"]: sample["blocks"] for sample in samples}
            blocks = [by_id[i] for i in batch["id"].tolist()]
            batch[FIELD] = packed_batch(blocks, self.objective, training=self.seed is not None)
        return batch

    def ordered_indices(self) -> np.ndarray:
        """Training examples by length: by source length in steps of POOL tokens, within a step by target length.

        A batch is padded block by block, so both lengths matter; sorted by source alone, it would mostly pad targets.
        """
        if self.seed is None or self.tgt_sizes is None or self.buckets is not None:
            return super().ordered_indices()
        indices = np.random.permutation(len(self)) if self.shuffle else np.arange(len(self))
        return indices[np.lexsort((self.tgt_sizes[indices], self.src_sizes[indices] // POOL))]

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        """Packed slots of each example, int64 [n]: what ``--max-tokens`` counts."""
        if self.tgt_sizes is None:
            return self.src_sizes[indices]
        return self.count_slots(self.src_sizes[indices], self.tgt_sizes[indices])
