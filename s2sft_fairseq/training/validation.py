"""Validation by generation: what the model generates, scored as text (``--eval-rouge`` and the like)."""

import logging
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import numpy as np
import torch
from fairseq import utils
from fairseq.data.iterators import EpochBatchIterator
from fairseq.distributed import utils as distributed
from fairseq.logging import metrics as log
from fairseq.tasks import FairseqTask
from torch import Tensor
from tqdm import tqdm

from ..common.errors import UserError
from ..metrics import Texts
from ..metrics.piece_marks import warn_of_pieces
from ..models.seq2seq_model import S2SFTModel
from ..text import checkpoint_vocabulary
from ..text.tokenizers.auto import AutoTokenizer
from ..text.tokenizers.tokenizer import Tokenizer, TokenizerOptions
from .validation_options import Example, ValidationOptions, chosen_metrics, generation_config, metric_names, score

logger = logging.getLogger(__name__)

SEED = 1
"""The seed of sampling (``{"sampling": true}``), the same at every validation."""


class Evaluation:
    """Generates for a validation set, in all processes together, and scores the text of the best hypotheses.

    The sentences are batched before they are distributed, and the metrics see all of them at once, in the order of the
    set: the figures do not depend on the number of processes.

    Args:
        task: builds and runs the generator.
        model: generates with the weights that it has at the time.
        options: which metrics, and how to generate.

    Raises:
        UserError: an unknown metric, bad search flags, a bad number, or no ``--bpe``.
    """

    batches: EpochBatchIterator

    def __init__(self, task: FairseqTask, model: S2SFTModel, options: ValidationOptions) -> None:
        self.task, self.model, self.options = task, model, options
        self.metrics = chosen_metrics(options)
        self.decode = detokenizer(task, options)
        self.generator = task.build_generator([model], generation_config(options.eval_generation_args))
        self.found: Optional[Dict[str, float]] = None

    def begin(self, batches: EpochBatchIterator) -> None:
        """Starts a validation of these pairs."""
        self.batches, self.found = batches, None

    def log(self) -> None:
        """Logs the figures of the current validation; generates when it is first called."""
        if self.found is None:
            self.found = self.figures()
        for name, value in self.found.items():
            log.log_scalar(name, value, weight=0, priority=25)

    def figures(self) -> Dict[str, float]:
        """Generates (in this process, its share), and scores what all processes generated."""
        with utils.model_eval(self.model):
            generated = gather(dict(self.examples()), processes=self.batches.num_shards)
        ordered = [generated[index] for index in sorted(generated)]
        self.print_samples(ordered)
        warn_of_pieces(Texts([one.hypothesis for one in ordered], [[one.reference] for one in ordered]))
        return {name: value for metric in self.metrics for name, value in score(metric, ordered).items()}

    def print_samples(self, examples: Sequence[Example]) -> None:
        """Logs the texts of the first examples, as many as ``--eval-print-samples`` says."""
        for number, example in enumerate(examples[: self.options.eval_print_samples], start=1):
            for name, text in example._asdict().items():
                logger.info(f"sample {number}, {name}: {text}")

    def examples(self) -> Iterator[Any]:
        """Generates for the batches of this process; yields the index of each pair and its :class:`Example`."""
        rank, size = self.batches.shard_id, self.batches.num_shards
        batches = list(enumerate(self.batches_by_length()))[rank::size]
        for number, batch in tqdm(batches, desc="generating", unit=" batches", leave=False, disable=rank > 0 or None):
            for index, tokens in zip(batch, self.generate(batch, seed=SEED + number)):
                yield index, self.example(index, tokens)

    def batches_by_length(self) -> List[List[int]]:
        """The indices of the chosen pairs, batch by batch."""
        dataset, kept = self.batches.dataset, np.sort(np.concatenate(self.batches.frozen_batches))
        chosen = spread(kept, self.options.eval_sentences)
        by_length = chosen[np.argsort(dataset.src_sizes[chosen], kind="stable")]
        limits = dict(max_tokens=self.options.max_tokens_valid, max_sentences=self.options.batch_size_valid)
        return [list(map(int, batch)) for batch in dataset.batch_by_size(by_length, **limits)]

    def generate(self, batch: Sequence[int], *, seed: int) -> List[Tensor]:
        """The tokens of the best hypothesis for each pair of a batch."""
        dataset = self.batches.dataset
        sample = dataset.collater([dataset[index] for index in batch])
        device = next(self.model.parameters()).device
        if device.type == "cuda":
            sample = utils.move_to_cuda(sample, device)
        with utils.set_torch_seed(seed):
            hypotheses = self.task.inference_step(self.generator, [self.model], sample)
        best = {index: found[0]["tokens"].cpu() for index, found in zip(sample["id"].tolist(), hypotheses)}
        return [best[index] for index in batch]

    def example(self, index: int, hypothesis: Tensor) -> Example:
        """The texts of a pair; an unknown token in its reference matches none in the hypothesis."""
        dataset, string = self.batches.dataset, self.task.target_dictionary.string
        source, reference = (lines.dataset[index] for lines in (dataset.src, dataset.tgt))
        pieces = (string(source), string(reference, escape_unk=True), string(hypothesis))
        return Example(*map(self.decode, pieces))


def detokenizer(task: FairseqTask, options: ValidationOptions) -> Callable[[str], str]:
    """A function from pieces to text: by ``--bpe``, or else the pretrained model's tokenizer; then ``--tokenizer``.

    Raises:
        UserError: there is neither ``--bpe`` nor a pretrained model.
    """
    bpe = task.build_bpe(options.eval_bpe) or carried_tokenizer(task)
    tokenizer = task.build_tokenizer(options.eval_tokenizer)
    if bpe is None:
        raise UserError(
            f"--eval-metric {','.join(metric_names(options))} scores text, but found only pieces; "
            "add --bpe s2s_ft --s2s-ft-vocab PRETRAINED_DIR"
        )
    return lambda pieces: tokenizer.decode(bpe.decode(pieces)) if tokenizer else bpe.decode(pieces)


def carried_tokenizer(task: FairseqTask) -> Optional[Tokenizer]:
    """The tokenizer defined by the vocabulary files in the task's state; None if they define none."""
    with checkpoint_vocabulary.unpacked(task.state_dict()) as folder:
        if not checkpoint_vocabulary.defines_tokenization(folder):
            return None
        return AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(folder)))


def spread(indices: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` of the indices [n], evenly spread; all of them if count is 0.

    >>> spread(np.arange(10), 4)
    array([0, 2, 5, 7])
    """
    if not 0 < count < len(indices):
        return indices
    return indices[np.arange(count) * len(indices) // count]


def gather(own: Dict[int, Example], *, processes: int) -> Dict[int, Example]:
    """The examples of all processes, in every process."""
    if processes == 1:
        return own
    parts: List[Dict[int, Example]] = [{} for _ in range(processes)]
    torch.distributed.all_gather_object(parts, own, group=distributed.get_data_parallel_group())
    return {index: example for part in parts for index, example in part.items()}
