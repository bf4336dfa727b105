"""Pre-training: texts out of lines, fragments out of texts, and the command line, resumed exactly."""

from collections import Counter
from pathlib import Path
from typing import Any, List, Optional, Tuple

import numpy as np
import pytest
import torch
from builders import CLS, METHODS, SEP, VOCABULARY, objective, random_words
from chance import assert_share, assert_uniform, rng
from commands import assert_equal_weights, random_lines, run, write_lines
from corpora import small_texts, texts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.data.text_dataset import TextDataset, block_bounds
from s2sft_fairseq.objectives.pretraining.ernie_gen import (
    ErnieGen,
    FragmentOptions,
    Lengths,
    draw_lengths,
    parse_lengths,
    place,
)
from s2sft_fairseq.objectives.slots import IGNORE


def ernie_gen(method: str = "infilling", **options: Any) -> ErnieGen:
    return ErnieGen(objective(method), VOCABULARY, FragmentOptions(**options))


class TestBlocks:
    @pytest.mark.parametrize(
        ("sizes", "bounds"),
        [
            ([3, 3, 3, 3], [0, 9, 12]),
            ([3, 0, 3, 3], [0, 3, 9]),
            ([25, 4, 3], [0, 10, 20, 29, 32]),
            ([4, 7, 3], [0, 4, 14]),
            ([10, 10], [0, 10, 20]),
            ([0, 0, 2, 0, 0], [0, 2]),
            ([0, 0], [0]),
            ([], [0]),
        ],
    )
    def test_by_hand(self, sizes: List[int], bounds: List[int]) -> None:
        """Blocks of 10: whole lines while they fit, a new block after an empty line, long lines in parts."""
        assert block_bounds(np.array(sizes, dtype=np.int64), 10).tolist() == bounds

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.integers(0, 30), max_size=15), st.integers(1, 12))
    def test_no_word_is_lost(self, sizes: List[int], max_length: int) -> None:
        texts = texts_of(sizes, max_length)
        spans = zip(texts.layout.starts.tolist(), texts.layout.sizes.tolist())
        blocks = [texts.words(start, size) for start, size in spans]
        assert [len(block) for block in blocks] == texts.layout.sizes.tolist()
        assert all(0 < len(block) <= max_length for block in blocks)
        assert [word for block in blocks for word in block.tolist()] == list(range(7, 7 + sum(sizes)))


class TestFragments:
    """003, section 3.1."""

    @pytest.mark.parametrize(("shortest", "longest"), [(1, 4), (4, 32)])
    def test_lengths_are_uniform(self, shortest: int, longest: int) -> None:
        """All but the last one drawn, which takes what is left."""
        counts: Counter = Counter()
        for seed in range(400):
            drawn = draw_lengths(512, Lengths(shortest, longest, 1.0), rng(seed))
            assert drawn.sum() == 512 and 0 < drawn[-1] <= longest
            counts.update(drawn[: 512 // longest - 1].tolist())  # so many there always are
        assert set(counts) == set(range(shortest, longest + 1))
        assert_uniform(counts, longest - shortest + 1)

    @pytest.mark.parametrize("share", [0.07, 0.1, 0.25, 0.5])
    @pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 40, 100, 509])
    def test_the_share_is_spent_and_not_exceeded(self, share: float, size: int) -> None:
        made_by = ernie_gen(fragment_share=share)
        for seed in range(20):
            source, target = made_by.pair(random_words(rng(seed), size), rng(seed))
            assert len(target) - 1 == -(-round(share * size * 1000) // 1000)
            assert len(source) - 2 + len(target) - 1 == size

    def test_both_granularities_with_their_probabilities(self) -> None:
        """A text's fragments are all short or all long, and 3 texts of 10 have short ones."""
        made_by = ernie_gen(fragment_lengths="1-2:0.3,8-9:0.7")
        longest = [max(runs_of(made_by, seed)) for seed in range(400)]
        assert_share(sum(length < 8 for length in longest), of=400, expected=0.3)

    def test_every_arrangement_is_as_likely(self) -> None:
        """Fragments of 2 and 1 among 5 tokens: 2 orders of 3 · 4 / 2 placings of the rest, some of which look alike."""
        counts: Counter = Counter()
        for seed in range(6000):
            counts[tuple(place(np.array([2, 1]), 5, rng(seed)))] += 1
        expected: Counter = Counter()
        for first, second in ((2, 1), (1, 2)):
            for before in range(3):
                for between in range(3 - before):
                    chosen = [False] * before + [True] * first + [False] * between + [True] * second
                    expected[tuple(chosen + [False] * (5 - len(chosen)))] += 1
        assert set(counts) == set(expected)
        for arrangement, ways in expected.items():
            assert_share(counts[arrangement], of=6000, expected=ways / 12)

    def test_rest_and_fragments_keep_their_order(self) -> None:
        text = torch.arange(7, 307)
        source, target = ernie_gen().pair(text, rng())
        assert source[0] == CLS and source[-1] == SEP and target[-1] == SEP
        rest, cut = source[1:-1], target[:-1]
        assert (rest.diff() > 0).all() and (cut.diff() > 0).all()
        assert torch.cat([rest, cut]).sort().values.equal(text)

    @pytest.mark.parametrize(
        "lengths",
        ["", "4", "4-1:1", "0-3:1", "1-4:0.4", "1-4:0.4,4-32:0.7", "1-4:0.4;4-32:0.6", "1-4:0.4.1,2-3:0.6", "1-4:."],
    )
    def test_lengths_that_are_none(self, lengths: str) -> None:
        with pytest.raises(UserError, match=r"--fragment-lengths .*expected SHORTEST-LONGEST:PROBABILITY"):
            parse_lengths(lengths)

    def test_three_thirds(self) -> None:
        """Rounded probabilities are as good as exact ones."""
        made_by = ernie_gen(fragment_lengths="1-2:0.333,3-4:.3334,5-9:0.3333")
        assert sum(lengths.probability for lengths in made_by.lengths) == pytest.approx(1, abs=1e-9)
        made_by.pair(random_words(rng(), 40), rng())

    @pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
    def test_a_share_that_is_none(self, share: float) -> None:
        with pytest.raises(UserError, match=f"--fragment-share is {share}"):
            ernie_gen(fragment_share=share)


def runs_of(made_by: ErnieGen, seed: int) -> List[int]:
    """Lengths of the fragments of a text; where two touch, which is seldom, they count as one."""
    _, target = made_by.pair(torch.arange(7, 407), rng(seed))
    cuts = torch.nonzero(target[:-1].diff() > 1).flatten() + 1
    return torch.diff(cuts, prepend=torch.tensor([0]), append=torch.tensor([len(target) - 1])).tolist()


@pytest.mark.parametrize("method", METHODS)
class TestTexts:
    """The data set of texts, under every fine-tuning method."""

    def data(self, method: str, *, seed: Optional[int] = 3) -> TextDataset:
        return TextDataset(small_texts([3, 9, 1, 2, 8, 0, 4, 5], 10), objective=ernie_gen(method), seed=seed)

    @pytest.mark.parametrize("seed", [3, None])
    def test_sizes_are_what_is_laid_out(self, method: str, seed: Optional[int]) -> None:
        data = self.data(method, seed=seed)
        for index in range(len(data)):
            assert data.num_tokens(index) == data[index]["example"].blocks.packed().token.numel()

    def test_noise_is_that_of_seed_epoch_and_index(self, method: str) -> None:
        def drawn(epoch: int) -> List[Any]:
            data = self.data(method)
            data.set_epoch(epoch)
            return [data[index]["example"].blocks.packed().token.tolist() for index in range(len(data))]

        assert drawn(1) == drawn(1) != drawn(2)

    def test_evaluation_does_not_change(self, method: str) -> None:
        one, other = self.data(method, seed=None), self.data(method, seed=None)
        other.set_epoch(2)
        for index in range(len(one)):
            assert one[index]["example"].blocks.packed().token.equal(other[index]["example"].blocks.packed().token)

    def test_batches(self, method: str) -> None:
        data = self.data(method)
        batch = data.collater([data[index] for index in range(len(data))])
        assert batch["nsentences"] == len(data) == len(batch["packed"].slots.token)
        assert batch["packed"].slots.label.ne(IGNORE).any(1).all()
        assert sorted(data.ordered_indices()) == list(range(len(data)))
        assert data.collater([]) == {}


TASK = ["--user-dir", "s2sft_fairseq", "--task", "s2s_pretraining"]
MODEL = [*TASK, "--arch", "s2s_ft", "--criterion", "s2s_ft_label_smoothed", "--optimizer", "adam", "--lr", "1e-3"]
LIMITS = ["--max-source-positions", "22", "--max-target-positions", "10", "--log-format", "simple", "--cpu"]


@pytest.fixture(scope="module")
def shards(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two folders of binarized text."""
    folder = tmp_path_factory.mktemp("monolingual")
    for shard in range(2):
        for split, count in (("train", 60), ("valid", 10)):
            write_lines(folder / f"{split}{shard}", [*random_lines(count, seed=shard), "", *random_lines(9, seed=9)])
        prefixes = ["--trainpref", folder / f"train{shard}", "--validpref", folder / f"valid{shard}"]
        options = ["--only-source", "--srcdict", bert / "vocab.txt", "--destdir", folder / f"bin{shard}"]
        run(["fairseq-preprocess", *TASK, *prefixes, *options])
    return ":".join(str(folder / f"bin{shard}") for shard in range(2))


@pytest.fixture(scope="module")
def spans(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spans") / "spans.txt"
    text = write_lines(path.with_name("text"), random_lines(300, seed=5))
    run(["python", "preprocess/span_vocabulary.py", "--vocab", bert, "--to", path, text])
    return path


OPTIONS = {
    "ernie_gen": ["--finetune-method", "infilling", "--noise-prob", "0.05", "--word-flow-weight", "0.5"],
    "unilm": [],
    "pmlm": ["--relative-buckets", "32"],
}
"""Of each objective, in the way of its paper; ernie_gen has spans too."""


def pretrain(
    shards: str, bert: Path, spans: Path, save: Path, updates: int, *more: object, objective: str = "ernie_gen"
) -> List[object]:
    """fairseq-train in the way of the paper."""
    own = [*OPTIONS[objective], *(["--span-vocab", spans] if objective == "ernie_gen" else [])]
    length = ["--max-update", updates, "--batch-size", "2", "--save-dir", save, *more]
    return ["fairseq-train", shards, *MODEL, *LIMITS, "--pretrained", bert, "--objective", objective, *own, *length]


def stopped(save: Path) -> Tuple[int, int]:
    """The epoch in which a run was stopped, and the batches of it that were seen."""
    iterator = torch.load(save / "checkpoint_last.pt", weights_only=False)["extra_state"]["train_iterator"]
    return iterator["epoch"], iterator["iterations_in_epoch"]


@pytest.mark.slow
class TestCommands:
    @pytest.mark.parametrize("objective", OPTIONS)
    @pytest.mark.long
    def test_shards_take_turns_and_a_run_resumes_exactly(
        self, objective: str, shards: str, bert: Path, spans: Path, tmp_path: Path
    ) -> None:
        """In the middle of the first shard, and again in that of the second; with data workers and without."""

        def command(name: str, updates: int, *more: object) -> List[object]:
            return pretrain(shards, bert, spans, tmp_path / name, updates, *more, objective=objective)

        whole = run(command("whole", 25, "--num-workers", "0")).out
        for shard in shards.split(":"):
            assert f"{shard}, train" in whole
        for updates, epoch in ((5, 1), (15, 2), (25, 3)):
            run(command("parts", updates, "--num-workers", "2"))
            stopped_in, seen = stopped(tmp_path / "parts")
            assert stopped_in == epoch and seen > 0
        assert_equal_weights(tmp_path / "whole", tmp_path / "parts")

    def test_fine_tuning_goes_on_from_it(
        self, shards: str, bert: Path, spans: Path, data: Path, tmp_path: Path
    ) -> None:
        run(pretrain(shards, bert, spans, tmp_path / "pretrained", 2))
        checkpoint = tmp_path / "pretrained" / "checkpoint_last.pt"
        start = ["--finetune-from-model", checkpoint, "--save-dir", tmp_path / "tuned"]
        task = ["--user-dir", "s2sft_fairseq", "--task", "s2s_ft", *MODEL[len(TASK) :]]
        options = ["--pretrained", bert, "--finetune-method", "infilling", "--noise-prob", "0.7", "--max-update", "2"]
        done = run(["fairseq-train", data, *task, *LIMITS, *options, "--batch-size", "8", *start])
        assert "loading pretrained model" in done.out + done.err
