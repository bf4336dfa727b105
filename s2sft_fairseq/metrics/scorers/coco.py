"""BLEU and ROUGE-L of the COCO-caption scorers (Chen et al., 2015), by which question generation is measured."""

from typing import Sequence

import numpy as np

from ..rouge155 import subsequence
from .ngrams import Overlap, overlap, shared_ngrams

TINY, SMALL = 1e-15, 1e-9
"""What is added to the numbers of matches and of n-grams, so that no quotient lacks a value."""

BETA = 1.2
"""How much more ROUGE-L's recall weighs than its precision."""


def count(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Overlap:
    """Counts the n-grams of N hypotheses that their references have too."""
    outputs = [text.split() for text in hypotheses]
    golds = [[text.split() for text in texts] for texts in references]
    return overlap(outputs, golds, shared=map(shared_ngrams, outputs, golds))


def bleu(counts: Overlap) -> np.ndarray:
    """BLEU-1 to BLEU-4 from counts, or from their sums, in points: [..., 4]."""
    precisions = (counts.shared + TINY) / (counts.possible + SMALL)
    means = np.cumprod(precisions, axis=-1) ** (1 / np.arange(1, 5))
    ratio = (counts.possible[..., :1] + TINY) / (counts.closest[..., None] + SMALL)
    return 100 * means * np.exp(np.minimum(1 - 1 / ratio, 0))


def rouge_l(hypothesis: str, references: Sequence[str]) -> float:
    """ROUGE-L of one example in points, from the best recall and the best precision over the references.

    Only single spaces separate tokens, so that an empty text is one empty token, as the scorer has it.
    """
    tokens = hypothesis.split(" ")
    golds = [text.split(" ") for text in references]
    common = [subsequence.length(gold, tokens) for gold in golds]
    precision = max(common) / len(tokens)
    recall = max(length / len(gold) for length, gold in zip(common, golds))
    if not precision or not recall:
        return 0.0
    return 100 * (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
