"""What pre-training logs beside the loss: the parts that an objective's loss is the sum of, and sentence pairs.

Every process logs the same keys for every batch, whatever the batch has, so that fairseq can add them up.
"""

import math
from typing import Any, Dict, List, Sequence, Tuple

import torch
from fairseq import utils
from fairseq.logging import metrics
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..objectives.packed_batch import PackedBatch
from ..objectives.slots import IGNORE

NLL, COUNT = "nll_", "labels_"
"""Prefixes of the sums that are logged for each part: of the nll, and of labels."""

PAIRS = ("nsp_loss", "nsp_correct", "nsp_pairs")
"""Sums over pairs: their loss, the right decisions, and how many pairs there are."""


def log_names(losses: Sequence[str], *, pairs: bool) -> Tuple[str, ...]:
    """What validation logs of these parts, for ``--best-checkpoint-metric``."""
    names = [name for loss in losses for name in (f"nll_{loss}", f"ppl_{loss}")]
    return (*names, "nsp_loss", "nsp_accuracy") if pairs else tuple(names)


def parts(nll: Tensor, packed: PackedBatch, losses: Sequence[str]) -> Dict[str, Tensor]:
    """The nll [N] of labelled slots, summed by the loss that they belong to, and the number of these slots."""
    number = packed.loss_number
    assert number is not None
    sums = nll.new_zeros(len(losses)).index_add_(0, number, nll)
    counts = torch.bincount(number, minlength=len(losses))
    return {
        **{NLL + name: each for name, each in zip(losses, sums)},
        **{COUNT + name: each for name, each in zip(losses, counts)},
    }


def pair_loss(logits: Tensor, packed: PackedBatch) -> Tuple[Tensor, Dict[str, Tensor]]:
    """The loss of next-sentence prediction, [], and what is logged of it.

    A pair counts as often as it has predicted tokens, so that one sample size serves both losses. Examples of other
    kinds add 0, which keeps the head in every backward pass, as several processes need it.

    Args:
        logits: [B, 2].
        packed: has the labels, [B].
    """
    label = packed.unrelated
    assert label is not None
    each = cross_entropy(logits.float(), label, ignore_index=IGNORE, reduction="none")  # [B]
    loss = (each * packed.labels_per_example()).sum()
    correct = logits.argmax(1).eq(label)
    sums = (each.detach().sum(), correct.sum(), label.ne(IGNORE).sum())
    return loss, dict(zip(PAIRS, sums))


def log_parts(logging_outputs: List[Dict[str, Any]]) -> None:
    """Logs nll (base 2) and perplexity of every part, and loss (base 2) and accuracy of the pairs."""
    for key in dict.fromkeys(key for output in logging_outputs for key in output if key.startswith(COUNT)):
        log_nll(key[len(COUNT) :], logging_outputs)
    loss, correct, pairs = (total(key, logging_outputs) for key in PAIRS)
    if pairs:
        metrics.log_scalar("nsp_loss", loss / pairs / math.log(2), pairs, round=3)
        metrics.log_scalar("nsp_accuracy", 100 * correct / pairs, pairs, round=1)


def log_nll(name: str, logging_outputs: List[Dict[str, Any]]) -> None:
    """Logs one part, if anything belonged to it."""
    nll, count = (total(prefix + name, logging_outputs) for prefix in (NLL, COUNT))
    if count:
        metrics.log_scalar(f"nll_{name}", nll / count / math.log(2), count, round=3)
        metrics.log_derived(f"ppl_{name}", lambda meters: utils.get_perplexity(meters[f"nll_{name}"].avg))


def total(key: str, logging_outputs: List[Dict[str, Any]]) -> float:
    """The sum of what was logged under a key; 0 if nothing was."""
    return float(sum(output.get(key, 0) for output in logging_outputs))
