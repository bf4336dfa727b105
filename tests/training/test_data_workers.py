"""What data workers get where they are not forked (Python 3.14, macOS, Windows): data sets that can be pickled."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from builders import METHODS, VOCABULARY, framed_text, random_words, span_file
from chance import rng
from omegaconf import OmegaConf
from pretraining_runs import LINES, RUN, SMALL, binarized

from s2sft_fairseq.models.options import ModelOptions
from s2sft_fairseq.objectives.pretraining import PRETRAINING
from s2sft_fairseq.training.finetuning_options import TaskOptions
from s2sft_fairseq.training.finetuning_task import S2SFTTask
from s2sft_fairseq.training.pretraining_task import PretrainingOptions, PretrainingTask


def configuration(options: Any, **model: Any) -> Any:
    """As fairseq has it: sections that know each other, with choices as enumerations."""
    return OmegaConf.create(
        {"task": OmegaConf.structured(options), "model": OmegaConf.structured(ModelOptions(**{**SMALL, **model}))}
    )


def assert_the_same_elsewhere(data: Any) -> None:
    """Examples of the data set, and of what arrives in another process."""
    arrived = pickle.loads(pickle.dumps(data))
    for index in range(len(data)):
        assert str(arrived[index]) == str(data[index])
    assert str(arrived.collater([arrived[0]])) == str(data.collater([data[0]]))


@pytest.mark.parametrize("method", METHODS)
def test_pairs(method: str) -> None:
    cfg = configuration(TaskOptions(**RUN), finetune_method=method)
    task = S2SFTTask(cfg.task, VOCABULARY)
    task.build_model(cfg.model)
    sides = [framed_text([random_words(rng(seed), 5)], bos=None, eos=None).dataset for seed in (1, 2)]
    assert_the_same_elsewhere(task.pairs(*sides, training=True))


@pytest.mark.parametrize("objective", PRETRAINING)
def test_texts(objective: str, tmp_path: Path) -> None:
    spans = {"word_flow_weight": 0.5, "span_vocab": span_file(tmp_path, "w1 w2")} if objective == "ernie_gen" else {}
    folder = binarized(tmp_path / "data", LINES)
    options = PretrainingOptions(data=str(folder), objective=objective, **RUN, **spans)
    cfg = configuration(options, finetune_method=None)
    task = PretrainingTask.setup_task(cfg.task)
    task.build_model(cfg.model)
    task.load_dataset("train")
    assert_the_same_elsewhere(task.dataset("train"))
