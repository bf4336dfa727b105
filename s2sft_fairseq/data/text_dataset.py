"""Texts as batches: lines are joined into blocks or split into several, and laid out by a pre-training objective."""

from typing import Any, Dict, List, Optional

import numpy as np
import torch
from fairseq.data import FairseqDataset
from torch import Tensor

from ..objectives.packed_batch import FIELD
from ..objectives.pretraining import PretrainingObjective
from .pair_dataset import packed_batch
from .seeded_dataset import SeededDataset


def block_bounds(sizes: np.ndarray, max_length: int) -> np.ndarray:
    """Splits the tokens of lines of these sizes into blocks: where each block begins, and the end, int64 [blocks + 1].

    A block takes as many whole lines of a document as fit into ``max_length`` tokens; an empty line ends a document. A
    line that is longer than a block is split, and the rest of it begins the next block.

    >>> block_bounds(np.array([3, 2, 0, 7, 1]), max_length=5)
    array([ 0, 5, 10, 13])
    """
    ends, total = np.cumsum(sizes), int(sizes.sum())
    documents = np.append(ends[sizes == 0], total)
    bounds = [0]
    while bounds[-1] < total:
        start = bounds[-1]
        document = documents[np.searchsorted(documents, start, side="right")]
        whole_lines = ends[max(0, int(np.searchsorted(ends, start + max_length, side="right")) - 1)]
        bounds.append(
            int(min(document, whole_lines if start < whole_lines <= start + max_length else start + max_length))
        )
    return np.array(bounds)


class TextBlocks(FairseqDataset):
    """Binarized lines, each ending with the end token, as blocks of tokens without special ones, int64 [l] each.

    Args:
        lines: the binarized text.
        max_length: the maximum number of tokens in a block.
        pad, unk: a pad token in the text itself becomes unk, because padding is recognized by its token.
    """

    def __init__(self, lines: FairseqDataset, *, max_length: int, pad: int, unk: int) -> None:
        super().__init__()
        self.lines, self.pad, self.unk = lines, pad, unk
        words = np.asarray(lines.sizes, dtype=np.int64) - 1
        self.ends, self.bounds = np.cumsum(words), block_bounds(words, max_length)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def sizes(self) -> np.ndarray:
        """Number of tokens in each block, int64 [n]."""
        return np.diff(self.bounds)

    def __getitem__(self, index: int) -> Tensor:
        start, stop = self.bounds[index : index + 2]
        first, last = np.searchsorted(self.ends, [start, stop - 1], side="right")
        text = torch.cat([self.lines[line][:-1] for line in range(first, last + 1)]).long()
        skipped = start - (self.ends[first - 1] if first else 0)
        text = text[skipped : skipped + stop - start]
        return text.masked_fill(text.eq(self.pad), self.unk)


class TextDataset(SeededDataset):
    """Blocks of text whose batches hold a :class:`PackedBatch`.

    In evaluation, the randomness in an example is a function of the index alone.

    Args:
        texts: blocks of tokens.
        objective: lays out the slots.
        seed: of the noise; None: evaluation, without noise.
    """

    def __init__(self, texts: TextBlocks, *, objective: PretrainingObjective, seed: Optional[int]) -> None:
        super().__init__()
        self.texts = texts
        self.lay_out_by(objective, seed=seed)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        text = self.texts[index]
        if self.seed is None:
            return {"id": index, "blocks": self.objective.evaluate(text, np.random.default_rng([index]))}
        return {"id": index, "blocks": self.objective.train(text, self.noise(index))}

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """A batch with those fields of a batch of pairs that training needs."""
        if not samples:
            return {}
        blocks = [sample["blocks"] for sample in samples]
        return {
            "id": torch.tensor([sample["id"] for sample in samples]),
            "nsentences": len(samples),
            "net_input": {},
            FIELD: packed_batch(blocks, self.objective, training=self.seed is not None),
        }

    @property
    def sizes(self) -> np.ndarray:
        """Number of tokens in each text, int64 [n]."""
        return self.texts.sizes

    def size(self, index: int) -> Any:
        """What fairseq compares with the maximum lengths; 0, because all texts have been split to fit."""
        return 0, 0

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        """Packed slots of each example, int64 [n]: what ``--max-tokens`` counts."""
        return self.count_slots(self.sizes[indices])

    def ordered_indices(self) -> np.ndarray:
        """Texts by length, those of equal length in random order (fairseq sets the seed, and shuffles the batches)."""
        indices = np.random.permutation(len(self))
        return indices[np.argsort(self.sizes[indices], kind="stable")]
