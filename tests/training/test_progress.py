"""Progress of training: slots without padding, memory, and time left by a clock of our own."""

import time
from typing import Any, Iterator, Optional

import numpy as np
import pytest
import torch
from builders import METHODS, VOCABULARY, objective, random_pairs
from fairseq.data import ListDataset
from fairseq.data.iterators import EpochBatchIterator
from fairseq.logging import metrics
from torch import Tensor

from s2sft_fairseq.data.pair_dataset import PairDataset
from s2sft_fairseq.training.progress import GB, Progress, ProgressOptions


class Batches:
    """What is asked of fairseq's iterator: an epoch of some batches, so many of them done."""

    def __init__(self, length: int, *, epoch: int = 1, done: int = 0) -> None:
        self.length, self.epoch, self.iterations_in_epoch = length, epoch, done

    def __len__(self) -> int:
        return self.length


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Sets the time, in seconds."""
    yield lambda seconds: monkeypatch.setattr(time, "perf_counter", lambda: seconds)


def progress(**options: Any) -> Progress:
    """Progress with options that fairseq would interpolate."""
    return Progress(ProgressOptions(**{"max_update": 0, "max_epoch": 0, "update_freq": [1], **options}))


class TestTimeLeft:
    """At the mean speed since the first update of this process."""

    def test_nothing_is_known_of_the_first_update(self, clock: Any) -> None:
        followed = progress(max_update=10)
        assert followed.seconds_left() is None
        clock(100.0)
        followed.after_update(0)
        assert followed.seconds_left() is None

    @pytest.mark.parametrize("resumed", [0, 6])
    def test_updates(self, clock: Any, resumed: int) -> None:
        followed = progress(max_update=20)
        for update in range(4):
            clock(100.0 + 3 * update)
            followed.after_update(resumed + update)
        assert followed.seconds_left() == pytest.approx(3 * (20 - resumed - 4))

    def test_no_end(self) -> None:
        followed = progress()
        followed.after_update(0)
        followed.after_update(1)
        assert followed.seconds_left() is None

    def test_never_negative(self) -> None:
        followed = progress(max_update=1)
        followed.after_update(4)
        assert followed.updates_left() == 0

    @pytest.mark.parametrize(
        ("epoch", "done", "update_freq", "left"),
        [(1, 0, [1], 30), (1, 4, [1], 26), (3, 9, [1], 1), (3, 10, [1], 0), (2, 4, [2], 8), (2, 4, [1, 4], 4)],
    )
    def test_epochs(self, epoch: int, done: int, update_freq: Any, left: Optional[float]) -> None:
        followed = progress(max_epoch=3, update_freq=update_freq)
        followed.begin(Batches(10, epoch=epoch, done=done))
        assert followed.updates_left() == left

    def test_whichever_comes_first(self) -> None:
        followed = progress(max_epoch=3, max_update=12)
        followed.begin(Batches(10))
        assert followed.updates_left() == 12
        followed.begin(Batches(3))
        assert followed.updates_left() == 9


def test_workers_of_an_earlier_shard_end_with_it() -> None:
    """At once, not when the collector of cycles comes by: fairseq's iterator and torch's loader hold one another."""
    followed, lines = progress(), ListDataset([torch.tensor([row]) for row in range(4)], [1] * 4)
    shards = [EpochBatchIterator(lines, lines.collater, [[0, 1], [2, 3]], num_workers=1) for _ in range(2)]
    followed.begin(shards[0])
    next(shards[0].next_epoch_itr())
    (worker,) = shards[0]._cur_epoch_itr._itr._workers
    assert worker.is_alive()
    followed.begin(shards[0])
    assert worker.is_alive()
    followed.begin(shards[1])
    assert not worker.is_alive()


def test_peak_is_what_this_process_takes() -> None:
    before = progress().peak()
    assert 0.05 * GB < before < 64 * GB
    block = np.ones(GB // 4 // 8)  # a quarter of a GB, written to
    after = progress().peak()
    del block
    assert after >= before
    assert progress().peak() >= after  # it does not fall again


def test_slots_of_all_processes_are_logged(clock: Any) -> None:
    with metrics.aggregate(new_root=True) as logged:
        clock(0.0)
        progress().log([{"nslots": 5}])  # the first only starts fairseq's meter
        clock(2.0)
        progress().log([{"nslots": 30}, {"nslots": 10}])
        assert logged.get_smoothed_values()["slots_per_second"] == 20


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_slots_are_counted_without_padding(method: str, training: bool) -> None:
    chosen = objective(method)
    pairs = random_pairs(chosen.layout, count=7, seed=3)
    sources, targets = (ListDataset(list(side), [len(text) for text in side]) for side in zip(*pairs))
    dictionaries = dict(src_dict=VOCABULARY, tgt_dict=VOCABULARY)
    data = PairDataset(sources, targets, objective=chosen, seed=1 if training else None, **dictionaries)
    batch = data.collater([data[index] for index in range(len(pairs))])
    alone = [data.collater([data[index]])["packed"].slots.token for index in range(len(pairs))]
    assert batch["packed"].count_slots() == sum(map(Tensor.numel, alone))
    assert batch["packed"].count_slots() < batch["packed"].slots.token.numel()
