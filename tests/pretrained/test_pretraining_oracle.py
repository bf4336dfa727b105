"""What pre-training computes is what published classes compute: of ``transformers``, on slots that objectives lay out.

The oracles get attention masks that this file draws, example by example, and not the rule of visibility.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import numpy as np
import pytest
import torch
from oracles import Checkpoint
from pretraining_runs import binarized, set_up
from tiny_checkpoints import BERT_VOCABULARY, bert
from torch import Tensor
from torch.nn.functional import cross_entropy

from s2sft_fairseq.objectives.packed_batch import PackedBatch
from s2sft_fairseq.objectives.pretraining.unilm import BIDIRECTIONAL, LEFT_TO_RIGHT, RIGHT_TO_LEFT, SEQ2SEQ
from s2sft_fairseq.objectives.slots import IGNORE, PADDING, Slots
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.training.criterion import SlotCriterion
from s2sft_fairseq.training.pretraining_task import PretrainingTask

LIMITS = {"max_source_positions": 24, "max_target_positions": 12}


def lines(made: Checkpoint) -> List[str]:
    """Documents of random lines."""
    words = [made.vocabulary[row] for row in made.words()]
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(words, size=size)) for size in [5, 4, 7, 0, 3, 9, 0, 1, 2, 2, 0, 30, 0, 4, 4, 4] * 3]


def task_from(made: Checkpoint, folder: Path, **options: Any) -> PretrainingTask:
    """Pre-training of the checkpoint's weights, with the smallest data."""
    data = binarized(folder / "data", lines(made), PretrainedDictionary(made.vocabulary))
    task = set_up(data, model={"pretrained": str(made.directory), "finetune_method": None, **LIMITS}, **options)
    task.model.eval()
    task.load_dataset("train")
    return task


class Batch(NamedTuple):
    """A batch of all training examples, with what the model makes of it.

    Attributes:
        packed: as the data set collates it.
        logits: at labelled slots, example by example in the order of slots, [N, V].
        kinds: of the examples.
    """

    packed: PackedBatch
    logits: Tensor
    kinds: List[int]


@torch.no_grad()
def whole_batch(task: PretrainingTask) -> Batch:
    data = task.dataset("train")
    packed = data.collater([data[index] for index in range(len(data))])["packed"]
    return Batch(packed, task.model(packed=packed)[0], data.spans.kind.tolist())


def sight(kind: int, segment: Tensor) -> Tensor:
    """Figure 1 of 004: who sees whom among n tokens in the order of the text, bool [n, n]."""
    n = len(segment)
    left = torch.ones(n, n, dtype=torch.bool).tril()
    if kind == LEFT_TO_RIGHT:
        return left
    if kind == RIGHT_TO_LEFT:
        return left.t()
    if kind == SEQ2SEQ:
        return left | (segment == segment[0])
    return torch.ones(n, n, dtype=torch.bool)


class OneText(NamedTuple):
    """One example's real slots in the order of the text, and the columns that they have in the batch."""

    slots: Slots
    columns: Tensor


def one_text(packed: PackedBatch, row: int) -> OneText:
    real = packed.slots.group[row].ne(PADDING).nonzero().flatten()
    columns = real[packed.slots.position[row, real].argsort(stable=True)]
    return OneText(Slots(*(field[row, columns] for field in packed.slots)), columns)


@torch.no_grad()
def published_output(made: Checkpoint, slots: Slots, allowed: Tensor, segment: Tensor) -> Any:
    """What the published class makes of one text [n]."""
    bias = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
    return made.oracle.model(
        input_ids=slots.token[None], position_ids=slots.position[None], token_type_ids=segment[None],
        attention_mask=bias[None, None],
    )  # fmt: skip


@pytest.mark.parametrize("segments", [2, 6])
class TestUniLM:
    """``BertForPreTraining`` with two segments, grown to six (004's own loader), and with six of its own."""

    GROWN = torch.tensor([0, 1, 0, 0, 0, 1])

    def run(self, segments: int, folder: Path) -> Any:
        made = bert(folder / "bert", kind="BertForPreTraining", type_vocab_size=segments)
        task = task_from(made, folder, objective="unilm", short_texts=0.3, seed=1)
        return made, task, whole_batch(task)

    def test_logits_and_losses_of_a_mixed_batch(self, segments: int, tmp_path: Path) -> None:
        made, task, batch = self.run(segments, tmp_path)
        packed = batch.packed
        assert {*batch.kinds} == {0, 1, 2, 3} and packed.unrelated.unique().tolist() == [IGNORE, 0, 1]
        expected, labels, pair_logits = [], [], []
        for row, kind in enumerate(batch.kinds):
            text = one_text(packed, row)
            segment = text.slots.segment if segments == 6 else self.GROWN[text.slots.segment]
            output = published_output(made, text.slots, sight(kind, text.slots.segment), segment)
            chosen = text.slots.label.ne(IGNORE)
            in_batch = text.columns[chosen].argsort()
            expected.append(output.prediction_logits[0, chosen][in_batch])
            labels.append(text.slots.label[chosen][in_batch])
            pair_logits.append(output.seq_relationship_logits[0])
        torch.testing.assert_close(batch.logits, torch.cat(expected), atol=1e-5, rtol=1e-4)
        self.check_losses(
            task, packed, [cross_entropy(a, b) for a, b in zip(expected, labels)], torch.stack(pair_logits)
        )

    def check_losses(self, task: PretrainingTask, packed: PackedBatch, means: List[Tensor], pairs: Tensor) -> None:
        """The criterion's sum: each example's mean nll and sentence nll, times its masked tokens."""
        loss, nll, pair_logits = task.model(packed=packed, label_smoothing=0.0)
        is_pair = packed.unrelated.ne(IGNORE)
        torch.testing.assert_close(pair_logits[is_pair], pairs[is_pair], atol=1e-5, rtol=1e-4)
        count = packed.labels_per_example()
        torch.testing.assert_close(loss, (torch.stack(means) * count).sum(), atol=1e-4, rtol=1e-5)
        criterion = SlotCriterion(task, label_smoothing=0.0)
        total, size, logged = criterion(task.model, {"packed": packed, "nsentences": len(count)})
        of_pairs = cross_entropy(pairs, packed.unrelated, ignore_index=IGNORE, reduction="none")
        torch.testing.assert_close(total, loss + (of_pairs * count).sum(), atol=1e-4, rtol=1e-5)
        assert size == int(count.sum()) and int(logged["nsp_pairs"]) == int(is_pair.sum())
        torch.testing.assert_close(logged["nsp_loss"], of_pairs.sum(), atol=1e-5, rtol=1e-5)
        for number, name in enumerate(task.losses):
            own = packed.loss_number == number
            assert int(logged[f"labels_{name}"]) == int(own.sum())
            torch.testing.assert_close(logged[f"nll_{name}"], nll[own].sum())


class TestPMLM:
    def test_masks_are_those_of_a_plain_masked_language_model(self, tmp_path: Path) -> None:
        """AE: the text with its masks, which nothing else influences."""
        made = bert(tmp_path / "bert")
        batch = whole_batch(task := task_from(made, tmp_path, objective="pmlm"))
        hidden = task.model.hidden(batch.packed.slots, batch.packed.source_length)
        for row in range(len(hidden)):
            source = batch.packed.slots.columns(0, batch.packed.source_length)
            real = source.group[row].ne(PADDING)
            slots = Slots(*(field[row, real] for field in source))
            everything = torch.ones(len(slots.token), len(slots.token), dtype=torch.bool)
            arguments = [field[None] for field in (slots.token, slots.position, slots.segment, everything)]
            torch.testing.assert_close(
                hidden[row, : batch.packed.source_length][real], made.oracle.hidden(*arguments)[0], atol=1e-5, rtol=1e-4
            )

    def test_relative_positions_begin_at_nothing(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Over an encoder that has none; the log says so."""
        made = bert(tmp_path / "bert")
        plain = whole_batch(task_from(made, tmp_path / "0", objective="pmlm"))
        options: Dict[str, Any] = {"pretrained": str(made.directory), "relative_buckets": 32, **LIMITS}
        data = binarized(tmp_path / "1", lines(made), PretrainedDictionary(BERT_VOCABULARY))
        with caplog.at_level("INFO"):
            task = set_up(data, model={"finetune_method": None, **options}, objective="pmlm")
        assert (
            "relative.weight" in caplog.text and "of zeros, which have no effect until they are trained" in caplog.text
        )
        task.model.eval()
        task.load_dataset("train")
        torch.testing.assert_close(whole_batch(task).logits, plain.logits, atol=1e-6, rtol=0)


def test_kinds_are_numbered_as_drawn() -> None:
    assert (BIDIRECTIONAL, SEQ2SEQ, LEFT_TO_RIGHT, RIGHT_TO_LEFT) == (0, 1, 2, 3)
