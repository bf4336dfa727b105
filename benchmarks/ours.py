"""This project as its commands build it: the options of fairseq-train, its batches, its loss and its search."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import torch
from fairseq import options, tasks
from fairseq.data import ListDataset
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import DictConfig
from torch import Tensor

from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.training.finetuning_task import S2SFTTask

from .shapes import LENGTHS, Lengths, Shape
from .texts import SPLIT, data_bin, text_bin

Sample = dict[str, Any]
"""A batch as fairseq's tasks make it."""

LABEL_SMOOTHING = 0.1
ORDERED_BY = "pseudo_masked"
"""The method whose lengths decide which pairs share a batch."""


class System(NamedTuple):
    """What fairseq-train holds."""

    task: S2SFTTask
    model: S2SFTModel
    criterion: Any
    cfg: DictConfig

    def loss(self, sample: Sample) -> Tensor:
        """The mean over the labelled slots."""
        total, count, _ = self.criterion(self.model, sample)
        return total / count

    def decode(self, sample: Sample, beam: int, length: int) -> list[list[dict[str, Tensor]]]:
        """Hypotheses of ``length`` tokens, the end token included."""
        return self.task.inference_step(self.generator(beam, length), [self.model], sample)

    def for_inference(self, precision: str) -> "System":
        """The system as fairseq-generate prepares it with --inference-precision; it can be trained no more."""
        self.cfg.task.inference_precision = precision
        self.model.prepare_for_inference_(self.cfg)
        return self

    def generator(self, beam: int, length: int) -> Any:
        """A search for hypotheses of ``length`` tokens, the end token included."""
        search = Namespace(beam=beam, min_len=length - 1, max_len_a=0, max_len_b=length - 1)
        return self.task.build_generator([self.model], search)


def flags(shape: Shape, lengths: Lengths) -> dict[str, Any]:
    """Those of fairseq-train, whatever the task."""
    return {
        "--arch": "s2s_ft",
        "--criterion": "s2s_ft_label_smoothed",
        "--encoder-layers": shape.layers,
        "--encoder-embed-dim": shape.hidden,
        "--encoder-ffn-embed-dim": 4 * shape.hidden,
        "--encoder-attention-heads": shape.heads,
        "--max-source-positions": lengths.source,
        "--max-target-positions": lengths.target,
    }


def build(shape: Shape, *, method: str, lengths: Lengths = LENGTHS) -> System:
    """A model of random weights with all that belongs to it, for fine-tuning."""
    task = {"--task": "s2s_ft", "--finetune-method": method, "--label-smoothing": LABEL_SMOOTHING}
    return system(data_bin(shape.vocabulary), {**task, **flags(shape, lengths)})


def build_pretraining(shape: Shape, *, objective: Mapping[str, Optional[str]], text: int) -> System:
    """The same for pre-training, with texts of up to ``text`` tokens."""
    lengths = Lengths(source=text, target=LENGTHS.target)
    return system(text_bin(shape.vocabulary), {"--task": "s2s_pretraining", **objective, **flags(shape, lengths)})


def system(data: Path, values: Mapping[str, Any]) -> System:
    """What fairseq-train makes of its flags; the value None is that of a switch."""
    words = [str(data), "--cpu"]
    for flag, value in values.items():
        words += [flag] if value is None else [flag, str(value)]
    parsed = options.parse_args_and_arch(options.get_training_parser(), input_args=words)
    cfg = convert_namespace_to_omegaconf(parsed)
    task = tasks.setup_task(cfg.task)
    return System(task, task.build_model(cfg.model), task.build_criterion(cfg.criterion), cfg)


def builder_of_batches(shape: Shape, method: str, lengths: Lengths) -> S2SFTTask:
    """A task that lays out data, which it does once a model is built: the smallest one will do."""
    return build(Shape(1, 8, 1, shape.vocabulary), method=method, lengths=lengths).task


def real_samples(shape: Shape, *, method: str, count: int, size: int) -> list[Sample]:
    """Batches of real pairs of like lengths, from the shortest to the longest in equal steps.

    Args:
        shape: tells the vocabulary.
        method: lays out the slots; peers do not look at them.
        count: of batches.
        size: of a batch, in pairs.
    """
    pairs = real_pairs(shape, method)
    return [pairs.collater([pairs[index] for index in batch]) for batch in index_batches(shape, count, size)]


def real_pairs(shape: Shape, method: str) -> Any:
    """The training examples as a method lays them out."""
    task = builder_of_batches(shape, method, LENGTHS)
    task.load_dataset(SPLIT)
    return task.dataset(SPLIT)


def spread_batches(task: S2SFTTask, *, count: int, size: int) -> list[Sample]:
    """Batches of a task's training examples, from the smallest to the largest in equal steps."""
    batches = full_batches(task, count, size)
    data = task.dataset(SPLIT)
    return [data.collater([data[index] for index in batch]) for batch in batches]


def index_batches(shape: Shape, count: int, size: int) -> list[list[int]]:
    """Which pairs make a batch: the same for every method, though each would order them by its own lengths."""
    return full_batches(builder_of_batches(shape, ORDERED_BY, LENGTHS), count, size)


def full_batches(task: S2SFTTask, count: int, size: int) -> list[list[int]]:
    """Batches of examples of like lengths, from the shortest to the longest in equal steps."""
    task.load_dataset(SPLIT)
    batches = task.get_batch_iterator(task.dataset(SPLIT), max_sentences=size, seed=1).frozen_batches
    full = [batch for batch in batches if len(batch) == size]
    return [full[(2 * step + 1) * len(full) // (2 * count)] for step in range(count)]


def random_sample(task: S2SFTTask, *, source: int, target: int, size: int) -> Sample:
    """A batch of random tokens, all sources and targets equally long, special tokens included."""
    ids = torch.from_numpy(task.dictionary.ordinary_ids())
    end = torch.tensor([task.dictionary.eos()])
    lengths = source - int(task.objective.layout.source_end), target
    sides = [random_lines(ids, end, length=length, count=size) for length in lengths]
    pairs = task.pairs(*sides, training=True)
    return pairs.collater([pairs[index] for index in range(size)])


def random_lines(ids: Tensor, end: Tensor, *, length: int, count: int) -> ListDataset:
    """Lines of ``length`` tokens, the end token included, as fairseq-preprocess binarizes them."""
    words: Sequence[Tensor] = [ids[torch.randint(len(ids), (length - 1,))] for _ in range(count)]
    return ListDataset([torch.cat([line, end]) for line in words], [length] * count)
