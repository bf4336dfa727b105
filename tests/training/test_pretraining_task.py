"""The task of pre-training: shards, splits, noise and weights as fairseq-train asks for them, without a command."""

from pathlib import Path
from typing import Any, Dict

import pytest
from builders import VOCABULARY, span_file
from pretraining_runs import LINES, binarized, set_up

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.objectives.slots import PADDING
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.training.pretraining_task import PretrainingOptions, PretrainingTask


class TestTask:
    """What fairseq-train asks of the task."""

    def test_epochs_take_turns_with_the_shards(self, tmp_path: Path) -> None:
        """Texts are as long as a source may be; of the two shards, the second one has one text."""
        task = set_up(binarized(tmp_path / "0", LINES), binarized(tmp_path / "1", LINES[:1]))
        found = []
        for epoch in (1, 2, 3):
            task.load_dataset("train", epoch=epoch)
            found.append(task.dataset("train").sizes.tolist())
        assert found == [[7, 8, 8, 7, 3], [4], [7, 8, 8, 7, 3]]

    def test_training_data_get_the_noise_of_the_seed(self, tmp_path: Path) -> None:
        folder = binarized(tmp_path / "0", LINES)
        task = set_up(folder, noise_prob=1.0)
        for split in ("train", "valid"):
            task.load_dataset(split)
        noised, true = task.dataset("train"), task.dataset("valid")
        assert noised.seed == 3 and true.seed is None
        assert not noised[1]["example"].blocks.target.token.equal(true[1]["example"].blocks.target.token)

    def test_batches_of_all_texts(self, tmp_path: Path) -> None:
        """None is too long for the model, and a [PAD] in a text is [UNK]."""
        task = set_up(binarized(tmp_path / "0", LINES))
        task.load_dataset("train")
        batches = task.get_batch_iterator(task.dataset("train"), max_tokens=60, max_positions=task.max_positions())
        batches = list(batches.next_epoch_itr())
        assert sum(batch["nsentences"] for batch in batches) == 5
        for batch in batches:
            slots = batch["packed"].slots._asdict()
            assert slots["token"].eq(VOCABULARY.pad()).equal(slots["group"].eq(PADDING))

    def test_flows_are_weighed(self, tmp_path: Path) -> None:
        """As in fine-tuning: each labelled slot by λ or 1 − λ."""
        spans = span_file(tmp_path, "w1 w2")
        task = set_up(binarized(tmp_path / "0", LINES), word_flow_weight=0.25, span_vocab=spans)
        task.load_dataset("train")
        data = task.dataset("train")
        weight = data.collater([data[0]])["packed"].weight
        assert sorted(weight.tolist()) == [0.25] * 3 + [0.75] * 3

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"objective": "ernie_gen", "fragment_share": 2.0}, "--fragment-share is 2.0"),
            ({"fp16": True}, "--fp16 needs a GPU and found a CPU"),
            ({"word_flow_weight": 0.5, "span_vocab": "nowhere"}, "nowhere cannot be read"),
            ({"model": {"finetune_method": "causal"}, "noise_prob": 0.5}, "--noise-prob is an option of .* infilling"),
            ({"model": {"source_layout": "columns"}}, "--source-layout columns: a text has no parts"),
        ],
        ids=str,
    )
    def test_options_that_cannot_be(self, tmp_path: Path, options: Dict[str, Any], message: str) -> None:
        folder = binarized(tmp_path / "0", LINES)
        with pytest.raises(UserError, match=message):
            set_up(folder, **options).load_dataset("train")

    def test_data_that_are_none(self, tmp_path: Path) -> None:
        good, empty = binarized(tmp_path / "0", LINES), binarized(tmp_path / "empty", ["", ""])
        other = binarized(tmp_path / "other", LINES, PretrainedDictionary([*VOCABULARY.symbols, "w40"]))
        (tmp_path / "pairs").mkdir()
        for folders, message in (
            ((empty,), "empty: split 'train' has no text; expected lines with at least one token"),
            ((good, other), "other was binarized with a different vocabulary than .*0; run fairseq-preprocess"),
            ((good, tmp_path / "nowhere"), "no data directory '.*nowhere'"),
            ((tmp_path / "pairs",), "no .*dict.txt; expected the output of fairseq-preprocess --only-source"),
        ):
            with pytest.raises(UserError, match=message):
                set_up(*folders).load_dataset("train")
        with pytest.raises(UserError, match=r"no split 'test' in .*; expected the output of .* --only-source"):
            set_up(good).load_dataset("test")


@pytest.mark.parametrize("asked", [{"eval_rouge": True}, {"eval_bleu": True}, {"eval_metric": "rouge"}], ids=str)
def test_there_are_no_pairs_to_generate_for(asked: Dict[str, Any]) -> None:
    task = PretrainingTask(PretrainingOptions(**asked), VOCABULARY)
    with pytest.raises(
        UserError, match=r"--eval-metric (rouge|bleu) scores pairs, and --task s2s_pretraining has text"
    ):
        task.check_training()
