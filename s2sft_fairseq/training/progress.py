"""What training logs of its progress: packed slots a second, the peak of memory, the time left."""

import resource
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional

import torch
from fairseq.data.iterators import EpochBatchIterator
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from omegaconf import II

GB = 1 << 30
RESIDENT_UNIT = 1 if sys.platform == "darwin" else 1 << 10
"""Bytes that ``ru_maxrss`` counts as one."""


@dataclass
class ProgressOptions(FairseqDataclass):
    max_update: int = II("optimization.max_update")
    max_epoch: int = II("optimization.max_epoch")
    update_freq: List[int] = field(default=II("optimization.update_freq"))


class Start(NamedTuple):
    """When the first update of this process was done, and how many were done then."""

    time: float
    update: int


class Progress:
    """Follows a training run and logs, beside fairseq's own figures of speed:

    - ``slots_per_second``: packed slots of all processes without padding, those of sources and queries included
      (fairseq's ``wps`` counts the labelled ones only);
    - ``gb_peak``: the most memory that this process has taken, on a GPU what torch allocated there;
    - ``seconds_left``: until ``--max-update`` or ``--max-epoch``, at the mean speed of this process so far, its
      validations and checkpoints included.
    """

    batches: EpochBatchIterator

    def __init__(self, options: ProgressOptions) -> None:
        self.options = options
        self.start: Optional[Start] = None
        self.updates = 0
        self.gpu_peak = 0

    def begin(self, batches: EpochBatchIterator) -> None:
        """Follows the training batches of this and later epochs.

        Those of another shard end, and their workers with them: fairseq's iterator and its loader refer to each other,
        and workers that only the collector of such cycles finds keep the process waiting, five seconds each.
        """
        earlier = getattr(self, "batches", batches)
        if earlier is not batches:
            earlier._cur_epoch_itr = None
        self.batches = batches

    def after_update(self, earlier: int) -> None:
        """Notes an update, before which there were ``earlier``, and its memory (the trainer erases torch's record)."""
        self.updates = earlier + 1
        self.start = self.start or Start(time.perf_counter(), self.updates)
        if torch.cuda.is_available():
            self.gpu_peak = max(self.gpu_peak, torch.cuda.max_memory_allocated())

    def log(self, logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs what an update of all processes did; their outputs tell the slots."""
        slots = sum(output.get("nslots", 0) for output in logging_outputs)
        metrics.log_speed("slots_per_second", slots, priority=91, round=1)
        metrics.log_scalar("gb_peak", self.peak() / GB, weight=0, priority=1501, round=2)
        seconds = self.seconds_left()
        if seconds is not None:
            metrics.log_scalar("seconds_left", seconds, weight=0, priority=810, round=0)

    def peak(self) -> int:
        """The most memory so far, in bytes."""
        return self.gpu_peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RESIDENT_UNIT

    def seconds_left(self) -> Optional[float]:
        """How long the updates left will take; None if the run has no end or has done nothing."""
        left = self.updates_left()
        if left is None or self.start is None or self.updates <= self.start.update:
            return None
        return left * (time.perf_counter() - self.start.time) / (self.updates - self.start.update)

    def updates_left(self) -> Optional[float]:
        """Updates until the end of training, None if it has no end."""
        ends: List[float] = []
        if self.options.max_update:
            ends.append(self.options.max_update - self.updates)
        if self.options.max_epoch:
            ends.append(self.batches_left() / self.update_freq())
        return max(0, min(ends)) if ends else None

    def batches_left(self) -> int:
        """Batches of this process until ``--max-epoch``."""
        whole = (self.options.max_epoch - self.batches.epoch + 1) * len(self.batches)
        return whole - self.batches.iterations_in_epoch

    def update_freq(self) -> int:
        """Batches an update, in this epoch."""
        frequencies = self.options.update_freq
        return frequencies[min(self.batches.epoch, len(frequencies)) - 1]
