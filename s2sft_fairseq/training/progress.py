"""What training logs about its progress: packed slots per second, peak memory, time left."""

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
"""Bytes per unit of ``ru_maxrss``."""


@dataclass
class ProgressOptions(FairseqDataclass):
    max_update: int = II("optimization.max_update")
    max_epoch: int = II("optimization.max_epoch")
    update_freq: List[int] = field(default=II("optimization.update_freq"))


class Start(NamedTuple):
    """When the first update of this process was done, and the number of updates at that time."""

    time: float
    update: int


class Progress:
    """Follows a training run and logs, in addition to fairseq's own figures of speed:

    - ``slots_per_second``: packed slots of all processes without padding, those of sources and queries included
      (fairseq's ``wps`` counts only the labelled ones);
    - ``gb_peak``: the peak memory of this process; with a GPU, of what torch allocated there;
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
        """Follows the training batches of this epoch and later ones.

        Releases the iterator over an earlier shard, and its workers: fairseq's iterator and its loader refer to each
        other, and workers that are left to the garbage collector delay the process by five seconds each.
        """
        earlier = getattr(self, "batches", batches)
        if earlier is not batches:
            earlier._cur_epoch_itr = None
        self.batches = batches

    def after_update(self, previous: int) -> None:
        """Records an update after ``previous`` ones, and its memory (the trainer resets torch's record)."""
        self.updates = previous + 1
        self.start = self.start or Start(time.perf_counter(), self.updates)
        if torch.cuda.is_available():
            self.gpu_peak = max(self.gpu_peak, torch.cuda.max_memory_allocated())

    def log(self, logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs the figures after an update; the outputs of all processes contain their numbers of slots."""
        slots = sum(output.get("nslots", 0) for output in logging_outputs)
        metrics.log_speed("slots_per_second", slots, priority=91, round=1)
        metrics.log_scalar("gb_peak", self.peak() / GB, weight=0, priority=1501, round=2)
        seconds = self.seconds_left()
        if seconds is not None:
            metrics.log_scalar("seconds_left", seconds, weight=0, priority=810, round=0)

    def peak(self) -> int:
        """Peak memory so far, in bytes."""
        return self.gpu_peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RESIDENT_UNIT

    def seconds_left(self) -> Optional[float]:
        """The expected time for the remaining updates; None if the run has no end or has timed no update yet."""
        left = self.updates_left()
        if left is None or self.start is None or self.updates <= self.start.update:
            return None
        return left * (time.perf_counter() - self.start.time) / (self.updates - self.start.update)

    def updates_left(self) -> Optional[float]:
        """Updates until the end of training; None if it has no end."""
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
        """Batches per update, in this epoch."""
        frequencies = self.options.update_freq
        return frequencies[min(self.batches.epoch, len(frequencies)) - 1]
