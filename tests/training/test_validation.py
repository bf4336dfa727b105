"""Validation by generation: which text the metrics see, and that training does not notice."""

import json
from argparse import Namespace
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional, Sequence

import numpy as np
import pytest
import torch
from builders import SEGMENTS, VOCABULARY, framed, random_model, random_words
from commands import write_lines
from fairseq.data import ListDataset
from fairseq.dataclass.configs import GenerationConfig
from fairseq.logging import metrics as log
from torch import Tensor

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.metrics import METRICS, Examples, Means, Metric
from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.search.generator import S2SFTGenerator
from s2sft_fairseq.text import checkpoint_vocabulary
from s2sft_fairseq.training.criterion import SlotCriterion
from s2sft_fairseq.training.finetuning_options import TaskOptions
from s2sft_fairseq.training.finetuning_task import S2SFTTask
from s2sft_fairseq.training.validation import Evaluation, detokenizer, spread
from s2sft_fairseq.training.validation_options import WITHOUT_USE, Example, check_validation, metric_names

END = VOCABULARY.eos()
PAIRS = 23
LONGEST = 5
"""The most words of a target for the loss; some have more."""


class Seen(Metric):
    """Keeps what it is given, and logs how many that are."""

    calls: ClassVar[List[List[Example]]] = []

    def examples(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Optional[Sequence[str]] = None
    ) -> Examples:
        assert sources is not None
        assert all(len(group) == 1 for group in references)
        self.calls.append([Example(s, r, h) for s, (r,), h in zip(sources, references, hypotheses)])
        return Means({"seen": np.full(len(hypotheses), len(hypotheses))})


@pytest.fixture(autouse=True)
def seen(monkeypatch: pytest.MonkeyPatch) -> List[List[Example]]:
    """The calls of the metric ``seen``."""
    for name in ("seen", "again"):
        monkeypatch.setitem(METRICS, name, Seen)
    monkeypatch.setattr(Seen, "calls", [])
    return Seen.calls


def options(**values: Any) -> TaskOptions:
    """Options of the task, with the values that fairseq would interpolate."""
    interpolated = dict(
        eval_bpe=None, eval_tokenizer=None, batch_size_valid=4, max_tokens_valid=None, required_seq_len_multiple=1
    )
    interpolated.update(num_shards=1, shard_id=0)
    selection = dict(best_checkpoint_metric="loss", maximize_best_checkpoint_metric=False)
    return TaskOptions(**{"eval_metric": "seen", **interpolated, **selection, **values})


def lines(seed: int) -> List[Tensor]:
    """Binarized lines, their end token last."""
    rng = np.random.default_rng(seed)
    return [framed(random_words(rng, int(rng.integers(1, 9))), end=[END]) for _ in range(PAIRS)]


def words(line: Tensor) -> str:
    return " ".join(VOCABULARY[token] for token in line.tolist() if token != END)


class Run:
    """A task with a random model and a validation set."""

    def __init__(self, folder: Path, **values: Any) -> None:
        cfg = options(**values)
        self.task = S2SFTTask(cfg, VOCABULARY)
        self.model = random_model("masked", spread=0.6, dtype=torch.float32, max_target_positions=LONGEST + 1)
        self.task.objective = OBJECTIVES["masked"](VOCABULARY, SEGMENTS, cfg)
        self.task.model_cfg = self.model.cfg
        self.sources, self.targets = lines(1), lines(2)
        sides = (ListDataset(side, [len(line) for line in side]) for side in (self.sources, self.targets))
        self.dataset = self.task.pairs(*sides, training=False)
        write_lines(folder / "vocab.txt", VOCABULARY.symbols)
        self.task.load_state_dict(
            {checkpoint_vocabulary.KEY: checkpoint_vocabulary.pack(VOCABULARY, source=folder, added=[])}
        )
        self.evaluation = Evaluation(self.task, self.model, cfg)

    def begin(self, *, processes: int = 1, process: int = 0, batch_size: int = 4) -> None:
        """Begins a validation, as one of some processes."""
        sharded = dict(num_shards=processes, shard_id=process, disable_iterator_cache=True)
        batches = self.task.get_batch_iterator(self.dataset, max_sentences=batch_size, **sharded)
        self.evaluation.begin(batches)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that evaluates the metric ``seen``."""
    return Run(tmp_path)


class TestTexts:
    """What the metrics are given."""

    def test_texts_are_whole_and_in_the_order_of_the_set(self, run: Run, seen: List[List[Example]]) -> None:
        run.begin()
        assert run.evaluation.figures() == {"seen": PAIRS}
        ((*examples,),) = seen
        assert [example.source for example in examples] == list(map(words, run.sources))
        assert [example.reference for example in examples] == list(map(words, run.targets))
        assert max(len(words(target).split()) for target in run.targets) > LONGEST

    def test_hypotheses_are_those_of_a_search_on_each_source_alone(self, tmp_path: Path, seen: Any) -> None:
        run = Run(tmp_path, eval_generation_args=json.dumps({"beam": 3, "lenpen": 2.0, "max_len_b": 4}))
        run.begin()
        run.evaluation.figures()
        generator = S2SFTGenerator([run.model], VOCABULARY, beam_size=3, len_penalty=2.0, max_len_b=4)
        expected = []
        for index in range(PAIRS):
            sample = run.dataset.collater([run.dataset[index]])
            expected.append(words(generator.generate([run.model], sample)[0][0]["tokens"]))
        assert [example.hypothesis for example in seen[0]] == expected
        assert len(set(expected)) > 5

    def test_unknown_tokens_of_references_match_nothing(self, run: Run) -> None:
        run.targets[0][0] = VOCABULARY.unk()
        run.begin()
        example = run.evaluation.example(0, torch.tensor([VOCABULARY.unk(), END]))
        assert example.reference.split()[0] != example.hypothesis

    def test_pieces_are_joined(self, tmp_path: Path) -> None:
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing"]
        write_lines(tmp_path / "vocab.txt", tokens)
        carried = {
            checkpoint_vocabulary.KEY: checkpoint_vocabulary.pack(type(VOCABULARY)(tokens), source=tmp_path, added=[])
        }
        task = S2SFTTask(options(), VOCABULARY)
        task.load_state_dict(carried)
        assert detokenizer(task, options())("play ##ing play") == "playing play"

    def test_tokenizer_comes_last(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        task = S2SFTTask(options(), VOCABULARY)
        monkeypatch.setattr(task, "build_bpe", lambda cfg: Namespace(decode=lambda text: text.replace(" ##", "")))
        monkeypatch.setattr(task, "build_tokenizer", lambda cfg: Namespace(decode=lambda text: f"<{text}>"))
        assert detokenizer(task, options())("play ##ing") == "<playing>"


class TestProcesses:
    """However many there are, they generate the same together."""

    def test_shares_make_up_the_whole(self, run: Run) -> None:
        run.begin()
        whole = dict(run.evaluation.examples())
        shares = []
        for process in range(3):
            run.begin(processes=3, process=process)
            shares.append(dict(run.evaluation.examples()))
        assert sum(map(len, shares)) == len(whole) == PAIRS
        assert {index: example for share in shares for index, example in share.items()} == whole
        assert all(shares)

    def test_cap_is_the_same_for_all_batch_sizes(self, tmp_path: Path, seen: List[List[Example]]) -> None:
        run = Run(tmp_path, eval_sentences=7)
        for batch_size in (3, 8):
            run.begin(batch_size=batch_size)
            assert run.evaluation.figures() == {"seen": 7}
        assert seen[0] == seen[1]

    @pytest.mark.parametrize(("count", "expected"), [(0, 10), (3, 3), (10, 10), (11, 10)])
    def test_cap_spreads(self, count: int, expected: int) -> None:
        chosen = spread(np.arange(10), count)
        assert len(set(chosen.tolist())) == expected
        gaps = np.diff(chosen)
        assert gaps.max() - gaps.min() <= 1


class TestTraining:
    """A validation leaves no trace in the training."""

    def test_sampling_is_repeatable_and_disturbs_no_random_state(self, tmp_path: Path, seen: Any) -> None:
        run = Run(tmp_path, eval_generation_args='{"sampling": true, "beam": 2}')
        states = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            np.random.seed(seed)
            before = torch.get_rng_state(), np.random.get_state()[1]
            run.begin()
            run.evaluation.figures()
            states.append((before, (torch.get_rng_state(), np.random.get_state()[1])))
        for before, after in states:
            assert before[0].equal(after[0])
            assert (before[1] == after[1]).all()
        assert seen[0] == seen[1]

    @pytest.mark.parametrize("training", [True, False])
    def test_model_and_its_mode_are_as_before(self, run: Run, training: bool) -> None:
        before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
        run.model.train(training)
        run.begin()
        run.evaluation.figures()
        assert run.model.training is training
        assert all(tensor.equal(before[name]) for name, tensor in run.model.state_dict().items())
        assert all(parameter.grad is None for parameter in run.model.parameters())

    def test_generates_once_a_validation(self, run: Run, seen: List[List[Example]]) -> None:
        for validations in (1, 2):
            run.begin()
            with log.aggregate(new_root=True) as logged:
                run.evaluation.log()
                run.evaluation.log()
            assert logged.get_smoothed_values() == {"seen": PAIRS}
            assert len(seen) == validations

    def test_figures_can_be_saved(self, run: Run) -> None:
        """A checkpoint of fairseq holds the best figure, and is read with weights_only=True."""
        run.begin()
        assert all(type(value) is float for value in run.evaluation.figures().values())

    def test_samples_are_printed(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        run = Run(tmp_path, eval_print_samples=2)
        run.begin()
        with caplog.at_level("INFO", logger="s2sft_fairseq.training.validation"):
            run.evaluation.figures()
        said = [record.getMessage() for record in caplog.records if "sample" in record.getMessage()]
        assert len(said) == 2 * len(Example._fields)
        assert said[1] == f"sample 1, reference: {words(run.targets[0])}"


MISTAKES: Dict[str, Dict[str, Any]] = {
    "rogue": dict(eval_metric="seen,rogue"),
    "generation-args is not valid JSON": dict(eval_generation_args="{beam: 4}"),
    "metric-args is not valid JSON": dict(eval_metric_args="{'seen': 4}"),
    "--eval-metric-args: Seen": dict(eval_metric_args='{"seen": {"colour": 4}}'),
    "not a JSON object": dict(eval_generation_args="[4]"),
    "'beem'": dict(eval_generation_args='{"beem": 4}'),
    "'score_reference'": dict(eval_generation_args='{"score_reference": true}'),
    "args, beam:": dict(eval_generation_args='{"beam": "many"}'),
    "two of seen, again log seen": dict(eval_metric="seen,again"),
    "--eval-sentences -1": dict(eval_sentences=-1),
    "--eval-print-samples -1": dict(eval_print_samples=-1),
    "not logged": dict(best_checkpoint_metric="rouge_l"),
    "keep the worst checkpoint": dict(best_checkpoint_metric="seen"),
}


class TestOptions:
    """Mistakes are told before the first epoch."""

    @pytest.mark.parametrize("says", MISTAKES)
    def test_mistakes(self, says: str) -> None:
        with pytest.raises(UserError, match=says) as told:
            check_validation(options(**MISTAKES[says]), SlotCriterion.logged)
        assert "expected" in str(told.value) or "add" in str(told.value) or "could not be converted" in str(told.value)

    def test_pieces_alone_are_no_text(self) -> None:
        with pytest.raises(UserError, match="add --bpe"):
            detokenizer(S2SFTTask(options(), VOCABULARY), options())

    @pytest.mark.parametrize("metric", ["loss", "nll_loss", "ppl"])
    def test_best_checkpoint_by_the_loss(self, metric: str) -> None:
        check_validation(options(best_checkpoint_metric=metric), SlotCriterion.logged)

    def test_best_checkpoint_by_the_text(self) -> None:
        chosen = options(best_checkpoint_metric="seen", maximize_best_checkpoint_metric=True)
        check_validation(chosen, SlotCriterion.logged)

    def test_metrics_are_named_once(self) -> None:
        cfg = options(eval_rouge=True, eval_bleu=True, eval_metric=" chrf, rouge,chrf")
        assert metric_names(cfg) == ["rouge", "bleu", "chrf"]
        assert metric_names(options(eval_metric=None)) == []

    def test_refused_flags_are_flags_of_fairseq(self) -> None:
        assert {field.name for field in fields(GenerationConfig)} >= set(WITHOUT_USE)
