"""Validation by generation: what the model writes, scored as text (``--eval-rouge`` and its like)."""

import json
import logging
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
import torch
from fairseq import utils
from fairseq.data.iterators import EpochBatchIterator
from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.configs import GenerationConfig
from fairseq.distributed import utils as distributed
from fairseq.logging import metrics as log
from fairseq.tasks import FairseqTask
from omegaconf import II, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from tqdm import tqdm

from ..common.errors import UserError
from ..metrics import METRICS, Metric
from ..models.seq2seq_model import S2SFTModel
from ..text import checkpoint_vocabulary as checkpoint_vocabulary
from ..text.tokenizers.auto import AutoTokenizer
from ..text.tokenizers.tokenizer import Tokenizer, TokenizerOptions

logger = logging.getLogger(__name__)

SEED = 1
"""Of sampling (``{"sampling": true}``), the same at every validation."""

WITHOUT_USE = ("constraints", "prefix_size", "replace_unk", "sacrebleu", "score_reference")
"""Flags of fairseq's generating commands that say nothing of a search, or give it the reference."""


@dataclass
class ValidationOptions(FairseqDataclass):
    eval_rouge: bool = field(
        default=False,
        metadata={"help": "at every validation, generate and log rouge_1, rouge_2, rouge_l …"},
    )
    eval_bleu: bool = field(default=False, metadata={"help": "the same for bleu"})
    eval_metric: Optional[str] = field(
        default=None,
        metadata={"help": "the same for metrics by name, with commas between them: " + ", ".join(sorted(METRICS))},
    )
    eval_metric_args: str = field(
        default="{}",
        metadata={"help": """options of the metrics, as JSON: '{"rouge": {"words": "any"}}'"""},
    )
    eval_generation_args: str = field(
        default="{}",
        metadata={"help": """fairseq's search flags for --eval-…, as JSON: '{"beam": 4, "max_len_b": 40}'"""},
    )
    eval_sentences: int = field(
        default=0,
        metadata={"help": "generate for so many sentences at most, spread evenly over the set (default: 0, all)"},
    )
    eval_print_samples: int = field(
        default=3, metadata={"help": "how many sources, references and hypotheses --eval-… prints"}
    )
    eval_bpe: Any = field(default=II("bpe"))
    eval_tokenizer: Any = field(default=II("tokenizer"))
    batch_size_valid: Optional[int] = II("dataset.batch_size_valid")
    max_tokens_valid: Optional[int] = II("dataset.max_tokens_valid")
    best_checkpoint_metric: str = II("checkpoint.best_checkpoint_metric")
    maximize_best_checkpoint_metric: bool = II("checkpoint.maximize_best_checkpoint_metric")


class Example(NamedTuple):
    """The texts of one pair, the reference whole even where ``--truncate-target`` cuts it for the loss."""

    source: str
    reference: str
    hypothesis: str


class Evaluation:
    """Generates for a validation set, in all processes together, and scores the text of the best hypotheses.

    The sentences are put into batches before they are shared out, and the metrics see all of them at once, in the order
    of the set: the figures do not depend on how many processes there are.

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
        """Announces that a validation begins, and of which pairs."""
        self.batches, self.found = batches, None

    def log(self) -> None:
        """Logs the figures of the validation that has begun; generates when it is first called."""
        if self.found is None:
            self.found = self.figures()
        for name, value in self.found.items():
            log.log_scalar(name, value, weight=0, priority=25)

    def figures(self) -> Dict[str, float]:
        """Generates, in this process its share, and scores."""
        with utils.model_eval(self.model):
            generated = gather(dict(self.examples()), processes=self.batches.num_shards)
        ordered = [generated[index] for index in sorted(generated)]
        self.print_samples(ordered)
        return {name: value for metric in self.metrics for name, value in score(metric, ordered).items()}

    def print_samples(self, examples: Sequence[Example]) -> None:
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


def metric_names(options: ValidationOptions) -> List[str]:
    """The metrics that the options ask for, each once."""
    named = [name.strip() for name in (options.eval_metric or "").split(",")]
    flags = ["rouge"] * options.eval_rouge + ["bleu"] * options.eval_bleu
    return list(dict.fromkeys(filter(None, [*flags, *named])))


def chosen_metrics(options: ValidationOptions) -> List[Metric]:
    """The metrics that the options ask for.

    Raises:
        UserError: there is no such metric, or it has no such option.
    """
    names = metric_names(options)
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise UserError(f"--eval-metric {unknown[0]}: no such metric; expected some of {', '.join(sorted(METRICS))}")
    given = json_object("--eval-metric-args", options.eval_metric_args, '{"rouge": {"words": "any"}}')
    try:
        return [METRICS[name](**given.get(name, {})) for name in names]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"--eval-metric-args: {error}; expected what python -m s2sft_fairseq.evaluate lists") from None


def json_object(flag: str, text: str, example: str) -> Dict[str, Any]:
    """The value of a flag that is written in JSON.

    Raises:
        UserError: it is no JSON object.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{flag} is not valid JSON ({error}); expected an object such as '{example}'") from None
    if not isinstance(found, dict):
        raise UserError(f"{flag} holds no JSON object; expected one such as '{example}'")
    return found


def check_validation(options: ValidationOptions, logged: Sequence[str]) -> None:
    """Refuses, before a model is built, what would fail at the end of the first epoch, or keep the worst checkpoint.

    Args:
        options: those of the task.
        logged: what validation logs without generating.

    Raises:
        UserError: a bad option, or a ``--best-checkpoint-metric`` that is not logged, or is not to be maximized.
    """
    for flag in ("eval_sentences", "eval_print_samples"):
        if getattr(options, flag) < 0:
            raise UserError(f"--{flag.replace('_', '-')} {getattr(options, flag)}: expected a number, 0 or more")
    generation_config(options.eval_generation_args)
    generated = [name for metric in chosen_metrics(options) for name in score(metric, [Example("a", "a", "a")])]
    twice = next((name for name in generated if generated.count(name) > 1), None)
    if twice:
        raise UserError(f"--eval-metric: two of {', '.join(metric_names(options))} log {twice}; expected one that does")
    best = options.best_checkpoint_metric
    if best not in (*logged, *generated):
        raise UserError(
            f"--best-checkpoint-metric {best} is not logged; expected one of {', '.join((*logged, *generated))}: "
            "--eval-rouge, --eval-bleu and --eval-metric log more"
        )
    if best in generated and not options.maximize_best_checkpoint_metric:
        raise UserError(f"--best-checkpoint-metric {best} would keep the worst; add --maximize-best-checkpoint-metric")


def generation_config(text: str) -> Any:
    """Search flags in JSON, as fairseq's ``GenerationConfig``.

    Raises:
        UserError: no JSON object, a flag that fairseq does not have or that has no use here, or a bad value.
    """
    example = '{"beam": 4, "max_len_b": 40}'
    given = json_object("--eval-generation-args", text, example)
    defaults = OmegaConf.structured(GenerationConfig())
    for name in given:
        if name not in defaults or name in WITHOUT_USE:
            raise UserError(f"--eval-generation-args: no flag {name!r} in validation; expected such as '{example}'")
    try:
        return OmegaConf.merge(defaults, given)
    except OmegaConfBaseException as error:
        raise UserError(f"--eval-generation-args, {error.full_key}: {str(error).splitlines()[0]}") from None


def detokenizer(task: FairseqTask, options: ValidationOptions) -> Callable[[str], str]:
    """Makes text of pieces: first by ``--bpe``, or else as the pretrained model does, then by ``--tokenizer``.

    Raises:
        UserError: there is neither ``--bpe`` nor a pretrained model.
    """
    bpe = task.build_bpe(options.eval_bpe) or carried_tokenizer(task)
    tokenizer = task.build_tokenizer(options.eval_tokenizer)
    if bpe is None:
        raise UserError(
            f"--eval-metric {','.join(metric_names(options))} scores text and found only pieces; "
            "add --bpe s2s_ft --s2s-ft-vocab PRETRAINED_DIR"
        )
    return lambda pieces: tokenizer.decode(bpe.decode(pieces)) if tokenizer else bpe.decode(pieces)


def carried_tokenizer(task: FairseqTask) -> Optional[Tokenizer]:
    """The encoder of the pretrained model's files, which the task's state carries; None if it has none."""
    with checkpoint_vocabulary.unpacked(task.state_dict()) as folder:
        if not checkpoint_vocabulary.defines_tokenization(folder):
            return None
        return AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(folder)))


def spread(indices: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` of the indices [n], evenly spread; all of them if count is 0."""
    if not 0 < count < len(indices):
        return indices
    return indices[np.arange(count) * len(indices) // count]


def gather(mine: Dict[int, Example], *, processes: int) -> Dict[int, Example]:
    """What all processes have generated, in every process."""
    if processes == 1:
        return mine
    parts: List[Dict[int, Example]] = [{} for _ in range(processes)]
    torch.distributed.all_gather_object(parts, mine, group=distributed.get_data_parallel_group())
    return {index: example for part in parts for index, example in part.items()}


def score(metric: Metric, examples: Sequence[Example]) -> Dict[str, float]:
    """The figures of a metric over texts, of recall, precision and F1 the last alone."""
    sources, references, hypotheses = zip(*examples)
    found = metric.examples(hypotheses, [[reference] for reference in references], sources).figures()
    return {name: float(value) for name, value in found.items() if not name.endswith(("_recall", "_precision"))}
