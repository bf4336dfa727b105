"""Small corpora for pre-training: lines of words, in blocks."""

from typing import List

import torch
from builders import PAD, SEP, UNK, VOCABULARY
from fairseq.data import ListDataset

from s2sft_fairseq.data.text_dataset import TextBlocks


def texts_of(sizes: List[int], max_length: int) -> TextBlocks:
    """Blocks of lines of so many words, all different; an empty line ends a document."""
    words = torch.arange(7, 7 + sum(sizes))
    lines = [torch.cat([line, torch.tensor([SEP])]) for line in words.split(sizes)]
    return TextBlocks(ListDataset(lines, [size + 1 for size in sizes]), max_length=max_length, pad=-1, unk=-1)


def small_texts(sizes: List[int], max_length: int) -> TextBlocks:
    """The same of words of the small vocabulary, which repeat."""
    ordinary = torch.from_numpy(VOCABULARY.ordinary_ids())
    words = ordinary[torch.arange(sum(sizes)) % len(ordinary)]
    lines = [torch.cat([line, torch.tensor([SEP])]) for line in words.split(sizes)]
    return TextBlocks(ListDataset(lines, [size + 1 for size in sizes]), max_length=max_length, pad=PAD, unk=UNK)
