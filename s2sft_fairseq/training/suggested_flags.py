"""Flags of fairseq-train that suit given pairs and a given encoder; flags that the user gives replace them."""

import json
import math
from typing import Any, Dict, List, Mapping, NamedTuple

import numpy as np

from ..objectives.finetuning import OBJECTIVES
from .criterion import SlotCriterion

Flags = Dict[str, Any]
"""Values by the names of flags, without dashes; True for a flag without a value."""

COVERED = 0.99
"""The share of texts that are to be read and learned in full."""

STEP = 8
"""Maximum lengths are multiples of this."""

MANY_PAIRS = 10_000
BATCH = {"few": 16, "many": 64}
"""Pairs per update, for fewer than :data:`MANY_PAIRS` and for more; 64 is that of s2s-ft (section 4)."""

MAX_SLOTS = 8192
"""Packed slots computed at once."""

FEW_PAIRS = 2000
EPOCHS = {"few": 30, "many": 10}
"""Epochs, for fewer than :data:`FEW_PAIRS` and for more; 10 are about those of s2s-ft on XSum (section 4)."""

MAX_UPDATES = 30_000
VALIDATIONS = 10
"""How often a training is validated, at most; a checkpoint is written each time."""

VALIDATED = 200
"""Number of pairs for which text is generated at each validation."""

LONG_EPOCH = 2000
"""Number of updates after which a checkpoint is written, also within an epoch."""

LEARNING_RATES = ((256, 5e-4), (512, 3e-4), (768, 7e-5))
"""Learning rates by the largest hidden size that they suit; larger encoders get :data:`SMALLEST_RATE`."""

SMALLEST_RATE = 3e-5

METRICS = {"rouge": "rouge_l", "bleu": "bleu"}
"""The figure of each metric that decides which checkpoint is kept."""

REPLACED_BY = {
    "optimizer": ("weight-decay",),
    "lr-scheduler": ("warmup-updates", "total-num-update"),
    "criterion": ("label-smoothing",),
    "max-tokens": ("batch-size",),
    "max-epoch": ("max-update",),
    "fp16": ("cpu",),
    "bf16": ("fp16",),
    "cpu": ("fp16",),
    "amp": ("fp16",),
    "eval-metric": ("eval-rouge", "eval-bleu", "best-checkpoint-metric", "maximize-best-checkpoint-metric"),
}
"""Suggestions that go when the user gives a flag, beside that for the flag itself."""


class Encoder(NamedTuple):
    """What matters of a pretrained encoder: its hidden size, and the rows of its position table (0: none)."""

    hidden_size: int
    positions: int


class PairLengths(NamedTuple):
    """Numbers of pieces, without special tokens, int [n]."""

    sources: np.ndarray
    targets: np.ndarray


class Suggestion(NamedTuple):
    """The flags, and the reasons for those that depend on the data, one line each."""

    flags: Flags
    reasons: List[str]


def suggest(lengths: PairLengths, encoder: Encoder, given: Mapping[str, Any], *, metric: str, gpus: int) -> Suggestion:
    """Chooses flags for fairseq-train; what is given by the user counts in the choice of the others.

    Args:
        lengths: of the pairs to train on.
        encoder: that is fine-tuned.
        given: the user's flags, with the values that fairseq reads.
        metric: a key of :data:`METRICS`, for validation.
        gpus: number of GPUs; 0: the CPU computes.
    """
    flags: Flags = {"finetune-method": "pseudo_masked", **max_lengths(lengths, encoder, given)}
    flags.update({"criterion": "s2s_ft_label_smoothed", "label-smoothing": 0.1})
    flags.update({"optimizer": "s2s_ft_adamw", "weight-decay": 0.01, "clip-norm": 1.0})
    flags["lr"] = learning_rate(encoder.hidden_size)
    flags.update(schedule(lengths, {**flags, **given}, gpus=max(gpus, 1)))
    flags.update(validation(metric, {**flags, **given}))
    flags.update({"fp16": True} if gpus else {"cpu": True})
    final = {**flags, **given}
    reasons = [*describe_lengths(lengths, final), describe_schedule(lengths, final, encoder)]
    return Suggestion(without_replaced(flags, given), reasons)


def without_replaced(flags: Flags, given: Mapping[str, Any]) -> Flags:
    """The suggestions that are left beside the user's flags."""
    gone = {*given, *(name for flag in given for name in REPLACED_BY.get(flag, ()))}
    return {name: value for name, value in flags.items() if name not in gone}


def max_lengths(lengths: PairLengths, encoder: Encoder, given: Mapping[str, Any]) -> Flags:
    """Lengths that hold :data:`COVERED` of the texts with their special tokens, as far as there are positions."""
    extra = OBJECTIVES[str(given.get("finetune-method", "pseudo_masked"))].extra_positions
    positions = (encoder.positions or math.inf) - extra
    target = min(covering(lengths.targets, special=1), positions // 2)
    target = given.get("max-target-positions", target)
    source = min(covering(lengths.sources, special=2), max(positions - target, STEP))
    return {"max-source-positions": int(source), "max-target-positions": target}


def covering(lengths: np.ndarray, *, special: int) -> int:
    """The multiple of :data:`STEP` that holds :data:`COVERED` of the texts and their special tokens."""
    return math.ceil((int(np.quantile(lengths, COVERED, method="higher")) + special) / STEP) * STEP


def learning_rate(hidden_size: int) -> float:
    """The peak learning rate for an encoder of a hidden size."""
    return next((rate for largest, rate in LEARNING_RATES if hidden_size <= largest), SMALLEST_RATE)


def schedule(lengths: PairLengths, flags: Mapping[str, Any], *, gpus: int) -> Flags:
    """Batches and updates: a linear warmup over a tenth of them, and a linear decay."""
    pairs = len(lengths.sources)
    at_once, accumulated = batches(pairs, flags)
    per_epoch = math.ceil(pairs / (at_once * accumulated * gpus))
    epochs = flags.get("max-epoch") or EPOCHS["few" if pairs < FEW_PAIRS else "many"]  # 0: without a limit
    updates = flags.get("max-update") or min(epochs * per_epoch, MAX_UPDATES)
    interval = max(1, updates // per_epoch // VALIDATIONS)
    return {
        "batch-size": at_once,
        "update-freq": accumulated,
        "lr-scheduler": "polynomial_decay",
        "warmup-updates": updates // 10,
        "total-num-update": updates,
        "max-update": updates,
        "save-interval": interval,
        "validate-interval": interval,
        **({"save-interval-updates": LONG_EPOCH, "keep-interval-updates": 1} if per_epoch > LONG_EPOCH else {}),
    }


def batches(pairs: int, flags: Mapping[str, Any]) -> "tuple[int, int]":
    """Pairs that are computed at once, and how many such batches make an update."""
    slots = int(flags["max-source-positions"]) + 2 * int(flags["max-target-positions"])
    wanted = BATCH["few" if pairs < MANY_PAIRS else "many"]
    fitting = max(1, flags.get("max-tokens", MAX_SLOTS) // slots)
    accumulated = max(1, last(flags.get("update-freq", math.ceil(wanted / fitting))))
    return max(1, flags.get("batch-size", math.ceil(wanted / accumulated))), accumulated


def last(value: Any) -> Any:
    """A value, or that of the last epochs where each epoch has one."""
    return value[-1] if isinstance(value, list) else value


def validation(metric: str, flags: Mapping[str, Any]) -> Flags:
    """Generation at every validation, and which checkpoints are kept."""
    best = flags.get("best-checkpoint-metric", METRICS[metric])
    search = {"beam": 4, "max_len_b": int(flags["max-target-positions"]) - 1, "no_repeat_ngram_size": 3}
    return {
        f"eval-{metric}": True,
        "eval-sentences": VALIDATED,
        "eval-print-samples": 1,
        "eval-generation-args": json.dumps(search),
        "best-checkpoint-metric": best,
        **({} if best in SlotCriterion.logged else {"maximize-best-checkpoint-metric": True}),
        "no-epoch-checkpoints": True,
    }


def describe_lengths(lengths: PairLengths, flags: Mapping[str, Any]) -> List[str]:
    """How many texts the maximum lengths hold."""
    lines = []
    for side, texts, special in (("source", lengths.sources, 2), ("target", lengths.targets, 1)):
        limit = int(flags[f"max-{side}-positions"])
        longer = float(np.mean(texts + special > limit))
        lines.append(
            f"{side}s: median {int(np.median(texts))} pieces, {COVERED:.0%} of them at most "
            f"{int(np.quantile(texts, COVERED))}; --max-{side}-positions {limit} cuts {longer:.1%}"
        )
    return lines


def describe_schedule(lengths: PairLengths, flags: Mapping[str, Any], encoder: Encoder) -> str:
    """How long it trains, in batches of which size."""
    pairs = flags["batch-size"] * last(flags["update-freq"])
    return (
        f"training: {len(lengths.sources):,} pairs, {int(flags['max-update']):,} updates of up to {pairs} pairs, peak "
        f"learning rate {last(flags['lr'])} (hidden size {encoder.hidden_size})"
    )


def as_words(flags: Mapping[str, Any]) -> List[str]:
    """Flags as the words of a command line.

    >>> as_words({"lr": 0.1, "cpu": True})
    ['--lr', '0.1', '--cpu']
    """
    words: List[str] = []
    for name, value in flags.items():
        words.append(f"--{name}")
        words += [] if value is True else [str(value)]
    return words
