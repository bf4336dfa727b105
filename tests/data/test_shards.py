"""Shards: together they are the whole, for every number of shards, in each of the commands that know them."""

import re
from pathlib import Path
from typing import Dict

import pytest
from commands import PLUGIN, generate_command, hypotheses, mistake, run, train_command
from fork_server import Done

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.data.shards import batches_of_shard, check_shard, lines_of_shard

slow = pytest.mark.slow


@pytest.mark.parametrize("count", [1, 2, 3, 7, 11])
@pytest.mark.parametrize("total", [0, 1, 7, 10])
def test_lines_join_to_the_whole(total: int, count: int) -> None:
    shards = [lines_of_shard(shard, count, total) for shard in range(count)]
    assert [line for shard in shards for line in shard] == list(range(total))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("processes", [1, 2])
def test_batches_of_shards_and_processes_are_disjoint(processes: int) -> None:
    """fairseq gives process i of n the batches i, i + n, i + 2n …"""
    taken = []
    for shard in range(3):
        for process in range(processes):
            options = batches_of_shard(shard, 3, {"num_shards": processes, "shard_id": process, "seed": 1})
            assert options["seed"] == 1
            taken += range(options["shard_id"], 20, options["num_shards"])
    assert sorted(taken) == list(range(20))


@pytest.mark.parametrize(("shard", "count"), [(2, 2), (-1, 2), (1, 1), (0, 0)])
def test_no_such_shard(shard: int, count: int) -> None:
    with pytest.raises(UserError, match=r"--shard-id is .*; expected 0 to|--num-shards is 0; expected 1 or more"):
        check_shard(shard, count)


@slow
class TestGenerate:
    """fairseq-generate"""

    @pytest.mark.parametrize(("batch_size", "count"), [(7, 2), (40, 5)])
    def test_outputs_join_to_the_whole(
        self, data: Path, imported: Dict[str, Path], batch_size: int, count: int
    ) -> None:
        """Of 15 batches, an odd number; of 3 batches, so that some shards have none."""
        command = generate_command(data, imported["masked"], batch_size=batch_size, beam=2)
        whole = hypotheses(run(command).out)
        joined: Dict[int, object] = {}
        for shard in range(count):
            part = hypotheses(run([*command, "--num-shards", count, "--shard-id", shard]).out)
            assert not joined.keys() & part.keys()
            joined.update(part)
        assert joined == whole

    def test_mistakes(self, data: Path, imported: Dict[str, Path]) -> None:
        command = generate_command(data, imported["masked"])
        assert "--shard-id is 2; expected 0 to 1" in mistake([*command, "--num-shards", 2, "--shard-id", 2])
        interactive = ["fairseq-interactive", *command[1:], "--num-shards", 2]
        assert "fairseq-interactive answers all lines" in mistake(interactive, stdin=b"w1\nw2\n")


def validated(done: Done) -> float:
    """The loss that fairseq-validate logs."""
    (loss,) = re.findall(r"\bloss ([\d.]+)", done.out + done.err)
    return float(loss)


@slow
class TestValidate:
    """fairseq-validate"""

    def test_a_shard_has_its_part_of_the_loss(self, data: Path, imported: Dict[str, Path]) -> None:
        """One batch of nothing counts for nothing; a shard without a batch says so."""
        path = ["--path", imported["masked"], "--batch-size", 5, "--cpu", "--log-format", "simple"]
        command = ["fairseq-validate", data, *PLUGIN, *path]
        whole, *parts = (
            validated(run([*command, "--num-shards", count, "--shard-id", shard]))
            for count, shard in ((1, 0), (2, 0), (2, 1))
        )
        assert len({whole, *parts}) == 3
        assert min(parts) < whole < max(parts)
        assert "--shard-id 8 is empty" in mistake([*command, "--num-shards", 9, "--shard-id", 8])


@slow
def test_training_has_no_shards(data: Path, tmp_path: Path) -> None:
    command = train_command(data, tmp_path / "save", encoder_layers=1, num_shards=2)
    assert "--num-shards and --shard-id divide what is generated" in mistake(command)
