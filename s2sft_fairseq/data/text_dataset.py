"""Texts as batches: lines are joined into blocks or split into several, and laid out by a pre-training objective."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from fairseq.data import FairseqDataset
from torch import Tensor

from ..objectives.packed_batch import FIELD, PackedBatch
from ..objectives.pretraining import PretrainingObjective
from ..objectives.pretraining.objective import Example, TextPair
from ..objectives.text_spans import CorpusLayout, Spans
from .pair_dataset import POOL, packed_batch
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


def document_bounds(lines: FairseqDataset) -> np.ndarray:
    """Where each document with words begins, counted in words, and the end of the last one, int64 [documents + 1].

    Args:
        lines: binarized, each ending with the end token; an empty line ends a document.
    """
    sizes = np.asarray(lines.sizes, dtype=np.int64) - 1
    ends = np.cumsum(sizes)
    return np.unique(np.concatenate([[0], ends[sizes == 0], ends[-1:]]))


class TextBlocks:
    """Binarized lines, each ending with the end token, as a corpus of words without special ones, in blocks.

    Args:
        lines: the binarized text.
        max_length: the maximum number of words in a block.
        pad, unk: a pad token in the text itself becomes unk, because padding is recognized by its token.

    Attributes:
        layout: where lines, documents and blocks end.
    """

    def __init__(self, lines: FairseqDataset, *, max_length: int, pad: int, unk: int) -> None:
        self.lines, self.max_length, self.pad, self.unk = lines, max_length, pad, unk
        sizes = np.asarray(lines.sizes, dtype=np.int64) - 1
        self.layout = CorpusLayout(np.cumsum(sizes), document_bounds(lines), block_bounds(sizes, max_length))

    def __len__(self) -> int:
        return len(self.layout.sizes)

    def words(self, start: int, size: int) -> Tensor:
        """A span of the corpus, int64 [size]."""
        if not size:
            return torch.zeros(0, dtype=torch.int64)
        first, last = np.searchsorted(self.layout.line_ends, [start, start + size - 1], side="right")
        text = torch.cat([self.lines[line][:-1] for line in range(first, last + 1)]).long()
        skipped = start - (self.layout.line_ends[first - 1] if first else 0)
        text = text[skipped : skipped + size]
        return text.masked_fill(text.eq(self.pad), self.unk)


class TextDataset(SeededDataset):
    """Texts whose batches hold a :class:`PackedBatch`.

    Which words make up an example is drawn for a whole epoch at once, so that batches are made of examples of like
    sizes. In evaluation, the randomness in an example is a function of the index alone.

    Args:
        texts: the corpus.
        objective: says which words make up the examples, and lays out their slots.
        seed: of the noise; None: evaluation, without noise.
    """

    def __init__(self, texts: TextBlocks, *, objective: PretrainingObjective, seed: Optional[int]) -> None:
        super().__init__()
        self.texts = texts
        self.lay_out_by(objective, seed=seed)
        self.spans = self.draw_spans()

    def draw_spans(self) -> Spans:
        """The words of the examples of this epoch."""
        training = self.seed is not None
        rng = np.random.default_rng(0 if self.seed is None else [self.seed, self.epoch])
        return self.objective.spans(self.texts.layout, longest=self.texts.max_length, training=training, rng=rng)

    def set_epoch(self, epoch: int) -> None:
        """Goes on to the examples and the noise of another epoch."""
        is_other = epoch != self.epoch
        super().set_epoch(epoch)
        if is_other:
            self.spans = self.draw_spans()

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """Batches depend on the examples, which differ from epoch to epoch."""
        return False

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        text = self.text(index)
        if self.seed is None:
            return {"id": index, "example": self.objective.evaluate(text, np.random.default_rng([index]))}
        return {"id": index, "example": self.objective.train(text, self.noise(index))}

    def text(self, index: int) -> TextPair:
        """The words of an example."""
        kind, first, first_size, second, second_size, unrelated = (int(column[index]) for column in self.spans)
        return TextPair(self.texts.words(first, first_size), self.texts.words(second, second_size), kind, unrelated)

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """A batch with those fields of a batch of pairs that training needs."""
        if not samples:
            return {}
        return {
            "id": torch.tensor([sample["id"] for sample in samples]),
            "nsentences": len(samples),
            "net_input": {},
            FIELD: self.packed([sample["example"] for sample in samples]),
        }

    def packed(self, examples: Sequence[Example]) -> PackedBatch:
        """A batch of examples, with what the objective's losses need beside labels."""
        blocks = [example.blocks for example in examples]
        batch = packed_batch(blocks, self.objective, training=self.seed is not None)
        batch = batch._replace(
            loss_number=self.objective.loss_numbers(batch.slots), labels_per_token=self.objective.labels_per_token
        )
        if not self.objective.predicts_next:
            return batch
        unrelated = torch.tensor([example.unrelated for example in examples])
        return batch._replace(unrelated=unrelated)

    @property
    def sizes(self) -> np.ndarray:
        """Number of words in each example, int64 [n]."""
        return self.spans.words

    def size(self, index: int) -> Any:
        """What fairseq compares with the maximum lengths; 0, because all texts have been split to fit."""
        return 0, 0

    def slot_counts(self, indices: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Slots of examples [n] in the source block, and in the two others, int64 [n] each."""
        spans = Spans(*(column[indices] for column in self.spans))
        return self.objective.slot_counts(spans, training=self.seed is not None)

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        """Packed slots of each example, int64 [n]: what ``--max-tokens`` counts."""
        source, rest = self.slot_counts(indices)
        return source + rest

    def ordered_indices(self) -> np.ndarray:
        """Examples by length: by slots of the source block in steps of POOL, within a step by the other slots.

        A batch is padded block by block, so both lengths matter. Those of equal length are in random order (fairseq
        sets the seed, and shuffles the batches).
        """
        indices = np.random.permutation(len(self))
        source, rest = self.slot_counts(indices)
        return indices[np.lexsort((rest, source // POOL))]
