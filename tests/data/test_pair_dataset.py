"""Text as batches: cut and framed lines, packed lengths, noise of (seed, epoch, index) and nothing else."""

from typing import Any, Dict, List, Optional

import numpy as np
import pytest
import torch
from builders import CLS, METHODS, PAD, SEP, VOCABULARY, framed_text, ids, objective, random_words, text
from fairseq.data import data_utils
from torch import Tensor

from s2sft_fairseq.data.pair_dataset import POOL, PairDataset
from s2sft_fairseq.objectives.packed_batch import PackedBatch
from s2sft_fairseq.objectives.slots import IGNORE, PADDING, Slots


def random_lines(count: int, *, seed: int, longest: int = 9) -> List[Tensor]:
    """Random words, an empty line among them."""
    rng = np.random.default_rng(seed)
    return [random_words(rng, length) for length in [0, *rng.integers(longest + 1, size=count - 1)]]


def pair_dataset(
    method: str, *, count: int = 8, seed: Optional[int] = 1, targets: bool = True, **noise: float
) -> PairDataset:
    """Random pairs of a method; with a seed, training data."""
    laid_out_by = objective(method, **noise)
    end = SEP if laid_out_by.layout.source_end else None
    source = framed_text(random_lines(count, seed=1), eos=end, max_length=8)
    target = framed_text(random_lines(count, seed=2), bos=None, max_length=7) if targets else None
    return PairDataset(source, target, objective=laid_out_by, seed=seed, src_dict=VOCABULARY, tgt_dict=VOCABULARY)


class TestFramedText:
    @pytest.mark.parametrize(
        ("bos", "eos", "max_length", "expected"),
        [
            (CLS, SEP, None, "[CLS] w1 w2 w3 w4 [SEP]"),
            (CLS, SEP, 6, "[CLS] w1 w2 w3 w4 [SEP]"),
            (CLS, SEP, 5, "[CLS] w1 w2 w3 [SEP]"),
            (CLS, None, None, "[CLS] w1 w2 w3 w4"),
            (CLS, None, 4, "[CLS] w1 w2 w3"),
            (None, SEP, 5, "w1 w2 w3 w4 [SEP]"),
            (None, SEP, 3, "w1 w2 [SEP]"),
            (None, SEP, 1, "[SEP]"),
            (CLS, SEP, 2, "[CLS] [SEP]"),
        ],
    )
    def test_cut_text_keeps_its_end(
        self, bos: Optional[int], eos: Optional[int], max_length: Optional[int], expected: str
    ) -> None:
        """Section 2.1 of the published layouts: the longest result counts its special tokens."""
        lines = framed_text([ids("w1 w2 w3 w4")], bos=bos, eos=eos, max_length=max_length)
        assert text(lines[0]) == expected
        assert lines.sizes.tolist() == [len(expected.split())]
        assert lines[0].dtype is torch.int64

    def test_an_empty_line_is_its_frame(self) -> None:
        assert text(framed_text([ids("")])[0]) == "[CLS] [SEP]"
        assert framed_text([ids("")]).sizes.tolist() == [2]

    def test_padding_in_the_text_becomes_unknown(self) -> None:
        """It would be taken for padding: it can come in as the word [PAD]."""
        assert text(framed_text([ids("w1 [PAD] w2 [PAD]")])[0]) == "[CLS] w1 [UNK] w2 [UNK] [SEP]"

    @pytest.mark.parametrize("max_length", [None, 2, 5, 8])
    def test_sizes_are_lengths(self, max_length: Optional[int]) -> None:
        lines = framed_text(random_lines(30, seed=0), max_length=max_length)
        assert lines.sizes.tolist() == [len(lines[index]) for index in range(len(lines))]

    @pytest.mark.parametrize(("max_length", "cut"), [(None, 0), (6, 0), (5, 1), (4, 2), (2, 3)])
    def test_how_many_are_cut(self, max_length: Optional[int], cut: int) -> None:
        lines = [ids("w1 w2 w3 w4"), ids("w1 w2 w3"), ids("w1"), ids("")]
        assert framed_text(lines, max_length=max_length).cut() == cut


def packed_of(batch: Dict[str, Any]) -> Slots:
    return PackedBatch.from_sample(batch).slots


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [None, 1], ids=["evaluate", "train"])
class TestPairs:
    def test_counted_tokens_are_packed_slots(self, method: str, seed: Optional[int]) -> None:
        """``--max-tokens`` counts what the Transformer computes."""
        data = pair_dataset(method, seed=seed)
        packed = [data[index]["blocks"].packed().token.size(1) for index in range(len(data))]
        assert [data.num_tokens(index) for index in range(len(data))] == packed
        assert data.num_tokens_vec(np.arange(len(data))).tolist() == packed

    def test_sizes_are_lengths(self, method: str, seed: Optional[int]) -> None:
        data = pair_dataset(method, seed=seed)
        for index in range(len(data)):
            example = data[index]
            assert tuple(data.size(index)) == (len(example["source"]), len(example["target"]))

    def test_batch(self, method: str, seed: Optional[int]) -> None:
        """The longest source first, as in fairseq; all that a row holds is of one example."""
        data = pair_dataset(method, seed=seed)
        examples = [data[index] for index in (3, 0, 6, 1)]
        batch = data.collater(examples)
        packed, source_length = packed_of(batch), PackedBatch.from_sample(batch).source_length
        assert sorted(batch["id"].tolist()) == [0, 1, 3, 6]
        lengths = batch["net_input"]["src_lengths"]
        assert lengths.tolist() == sorted(lengths.tolist(), reverse=True)
        assert source_length == batch["net_input"]["src_tokens"].size(1)
        for row, index in enumerate(batch["id"].tolist()):
            alone = data[index]
            slots, real = alone["blocks"].packed(), packed.group[row].ne(PADDING)
            assert packed.token[row][real].equal(slots.token[0])
            assert packed.label[row][real].equal(slots.label[0])
            assert packed.label[row][~real].eq(IGNORE).all()
            assert batch["target"][row][batch["target"][row].ne(PAD)].equal(alone["target"])
            source = batch["net_input"]["src_tokens"][row]
            assert source[source.ne(PAD)].equal(alone["source"])

    def test_order_of_the_examples_does_not_matter(self, method: str, seed: Optional[int]) -> None:
        data = pair_dataset(method, seed=seed)
        one = data.collater([data[index] for index in range(8)])
        other = data.collater([data[index] for index in reversed(range(8))])
        assert one["net_input"]["src_lengths"].equal(other["net_input"]["src_lengths"])
        rows = [other["id"].tolist().index(index) for index in one["id"].tolist()]
        assert packed_of(one).token.equal(packed_of(other).token[rows])

    def test_without_targets(self, method: str, seed: Optional[int]) -> None:
        """As fairseq-interactive reads: nothing to lay out."""
        data = pair_dataset(method, seed=seed, targets=False)
        batch = data.collater([data[0], data[1]])
        assert "packed" not in batch and batch["target"] is None
        assert [data.num_tokens(index) for index in range(8)] == [len(data[index]["source"]) for index in range(8)]

    def test_no_examples(self, method: str, seed: Optional[int]) -> None:
        """fairseq asks for an empty batch when a worker has none."""
        assert pair_dataset(method, seed=seed).collater([]) == {}


@pytest.mark.parametrize("method", METHODS)
class TestNoise:
    """A function of (seed, epoch, index)."""

    def drawn(self, data: PairDataset, order: List[int]) -> Dict[int, List[int]]:
        """The tokens and labels of examples, read in this order."""
        blocks = {index: data[index]["blocks"].packed() for index in order}
        return {index: [*b.token[0].tolist(), *b.label[0].tolist()] for index, b in blocks.items()}

    def data(self, method: str, *, seed: Optional[int] = 1, epoch: int = 1) -> PairDataset:
        data = pair_dataset(method, count=30, seed=seed, target_mask_prob=0.5, source_mask_prob=0.5)
        data.set_epoch(epoch)
        return data

    def test_order_of_reading_does_not_matter(self, method: str) -> None:
        """So neither do workers, nor a run that resumes in the middle of an epoch."""
        there, back = list(range(30)), list(reversed(range(30)))
        data = self.data(method)
        assert self.drawn(data, there) == self.drawn(data, back) == self.drawn(self.data(method), there)

    @pytest.mark.parametrize("other", [{"epoch": 2}, {"seed": 2}])
    def test_other_epochs_and_seeds_draw_anew(self, method: str, other: Dict[str, int]) -> None:
        order = list(range(30))
        one, another = self.drawn(self.data(method), order), self.drawn(self.data(method, **other), order)
        assert sum(one[index] != another[index] for index in order) > 20

    def test_other_indices_draw_anew(self, method: str) -> None:
        """The same pair under another number."""
        data = self.data(method)
        source, target = data[5]["source"], data[5]["target"]
        draws = {tuple(data.blocks(index, source, target).packed().token[0].tolist()) for index in range(20)}
        assert len(draws) > 10

    def test_none_when_evaluating(self, method: str) -> None:
        data = self.data(method, seed=None)
        for index in range(30):
            example = data[index]
            blocks = objective(method).evaluate(example["source"], example["target"])
            assert example["blocks"].packed().token.equal(blocks.packed().token)


class TestOrder:
    """Examples of like lengths share a batch."""

    def padded_slots(self, pairs: PairDataset, *, size: int) -> int:
        """Slots of all batches, padding included."""
        order = pairs.ordered_indices()
        batches = [
            pairs.collater([pairs[i] for i in order[start : start + size]]) for start in range(0, len(order), size)
        ]
        return sum(packed_of(batch).token.numel() for batch in batches)

    def test_every_example_once(self) -> None:
        pairs = pair_dataset("pseudo_masked", count=50)
        assert sorted(pairs.ordered_indices()) == list(range(50))

    def test_training_pads_less_than_by_sources_alone(self) -> None:
        laid_out_by = objective("pseudo_masked")
        source = framed_text(random_lines(200, seed=1, longest=90))
        target = framed_text(random_lines(200, seed=2, longest=30), bos=None)
        dictionaries = dict(src_dict=VOCABULARY, tgt_dict=VOCABULARY)
        pairs = PairDataset(source, target, objective=laid_out_by, seed=1, **dictionaries)
        ours = self.padded_slots(pairs, size=8)
        pairs.ordered_indices = super(PairDataset, pairs).ordered_indices  # type: ignore[method-assign]
        assert ours < 0.96 * self.padded_slots(pairs, size=8)

    def test_without_noise_sources_decide(self) -> None:
        """As fairseq orders them: decoding knows no targets."""
        pairs = pair_dataset("masked", count=50, seed=None)
        assert (np.diff(pairs.src_sizes[pairs.ordered_indices()]) >= 0).all()

    def test_examples_alike_are_shuffled(self) -> None:
        pairs = pair_dataset("causal", count=200)
        with data_utils.numpy_seed(1):
            one = pairs.ordered_indices()
        with data_utils.numpy_seed(2):
            other = pairs.ordered_indices()
        assert not np.array_equal(one, other)
        lengths = list(zip(pairs.src_sizes // POOL, pairs.tgt_sizes))
        assert [lengths[i] for i in one] == [lengths[i] for i in other] == sorted(lengths)
