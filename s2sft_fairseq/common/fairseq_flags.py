"""Flags of fairseq's commands: --bf16 without a TPU, and in one line what cannot work, before anything starts."""

import argparse
import ast
import functools
import importlib.util
import inspect
import os
from itertools import chain
from typing import Any, Callable, Iterator, List, Optional

import numpy as np
import torch

from .errors import NO_ALIGNMENT, UserError
from .host import fairseq_command

CHECKED_TASKS = ("s2s_ft", "s2s_pretraining")
"""The tasks of this package."""

FORMATS = ("mmap", "lazy", "cached", "raw")
"""The values of ``--dataset-impl`` that fairseq can write and read."""


LEAST = {
    **dict.fromkeys(("batch_size", "batch_size_valid", "max_tokens", "max_tokens_valid", "log_interval"), 1),
    **dict.fromkeys(("required_batch_size_multiple", "required_seq_len_multiple"), 1),
    **dict.fromkeys(("save_interval", "validate_interval"), 1),
    "num_workers": 0,
}
"""The least values of flags; fairseq checks none of them."""


LITERALS = (
    ("model_overrides", (dict,), "{'dropout': 0.2}"),
    ("optimizer_overrides", (dict,), "{'lr': 1e-4}"),
    ("adam_betas", (tuple, list), "(0.9, 0.999)"),
    ("adamax_betas", (tuple, list), "(0.9, 0.999)"),
    ("adafactor_eps", (tuple, list), "(1e-30, 1e-3)"),
    ("update2lr", (dict,), "{1000: 1e-4}"),
    ("epoch2lr", (dict,), "{2: 1e-4}"),
)
"""The flags that fairseq evaluates, what they are, and an example."""


class Flags:
    """The flags of a command; those that it does not have are None."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.given = vars(args)

    def __getattr__(self, name: str) -> Any:
        return self.given.get(name)

    def on_cpu(self) -> bool:
        """Whether the command computes on a CPU."""
        return bool(self.cpu) or not torch.cuda.is_available()


def with_checked_flags(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps fairseq's parser of flags, so that --bf16 is a precision, and what cannot work is refused.

    fairseq takes --bf16 for a TPU's (upstream issue #4696). With ``suppress_defaults`` it returns what fairseq-validate
    overrides in a checkpoint's options: there, the precision of the training does not count.
    """

    @functools.wraps(parse)
    def parse_and_check(parser: argparse.ArgumentParser, input_args: Optional[List[str]] = None, **options: Any) -> Any:
        try:
            parsed = parse(parser, input_args=input_args, **options)
        except ValueError as error:
            if not str(error).startswith("Cannot combine --fp16"):
                raise
            raise UserError("--fp16 excludes --bf16 and --tpu, which compute in bfloat16; use only one") from None
        args = parsed[0] if options.get("parse_known") else parsed
        if options.get("suppress_defaults"):
            vars(args).setdefault("bf16", False)
            return parsed
        args.tpu = getattr(parser.parse_known_args(input_args)[0], "tpu", False)
        choose_backends(args)
        check_flags(args)
        return parsed

    return parse_and_check


def check_flags(args: argparse.Namespace) -> None:
    """Refuses flags that fail with this package's tasks, or would be ignored.

    Raises:
        UserError: names the first problem.
    """
    flags = Flags(args)
    if flags.task not in CHECKED_TASKS:
        return
    kinds = (wrong_devices, wrong_processes, wrong_models, wrong_values, wrong_numbers, missing_packages)
    for problem in chain.from_iterable(kind(flags) for kind in kinds):
        raise UserError(problem)


def wrong_devices(flags: Flags) -> Iterator[str]:
    """Flags for devices that this machine does not have, or that this model cannot be divided among."""
    if flags.tpu and importlib.util.find_spec("torch_xla") is None:
        yield "--tpu needs torch_xla, which is not installed; leave it out"
    if flags.pipeline_model_parallel:
        yield "--pipeline-model-parallel: this model cannot be divided among devices; leave it out"
    if (flags.model_parallel_size or 1) > 1:
        yield f"--model-parallel-size {flags.model_parallel_size}: this model is kept whole on a device; leave it out"
    if flags.profile and not torch.cuda.is_available():
        yield "--profile marks what a GPU computes, and found none; leave it out"
    if flags.amp and flags.on_cpu():
        yield "--amp needs a GPU and found a CPU; leave --amp out"


def wrong_processes(flags: Flags) -> Iterator[str]:
    """Several processes that fairseq cannot start, or that could not speak to one another."""
    if not flags.distributed_world_size:
        return
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if launched == 1 and not flags.distributed_no_spawn and flags.on_cpu():
        if flags.distributed_world_size > 1 or flags.distributed_init_method:
            yield (
                "fairseq starts several processes on GPUs only, and this one is on a CPU; leave "
                f"--distributed-world-size {flags.distributed_world_size} out, or start them to train: torchrun "
                "--nproc_per_node 2 $(which fairseq-train) ... --distributed-backend gloo --ddp-backend legacy_ddp"
            )
    elif (
        launched == 1
        and flags.distributed_world_size > torch.cuda.device_count()
        and not (flags.distributed_init_method or (flags.distributed_port or 0) > 0)
    ):
        yield (
            f"--distributed-world-size {flags.distributed_world_size}: this machine has {torch.cuda.device_count()} "
            "GPUs; expected no more processes"
        )


def choose_backends(args: argparse.Namespace) -> None:
    """Lets processes on a CPU speak by what works there: fairseq's defaults need GPUs."""
    flags = Flags(args)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and flags.task in CHECKED_TASKS and flags.on_cpu():
        args.distributed_backend = "gloo"
        if flags.ddp_backend in ("c10d", "pytorch_ddp"):
            args.ddp_backend = "legacy_ddp"


def wrong_models(flags: Flags) -> Iterator[str]:
    """Flags for another kind of model, or for targets that there are none of."""
    if flags.lm_path:
        yield (
            f"--lm-path {flags.lm_path}: a language model of fairseq has a dictionary of its own, not this model's "
            "pretrained vocabulary, so their scores cannot be added; leave it out"
        )
    if flags.retain_iter_history:
        yield "--retain-iter-history: this model does not generate iteratively, so it has no history; leave it out"
    for name in ("score_reference", "prefix_size"):
        if getattr(flags, name) and fairseq_command() == "interactive":
            yield f"--{name.replace('_', '-')} needs targets, which fairseq-interactive does not read; leave it out"
    if flags.scoring == "meteor":
        yield (
            "--scoring meteor: fairseq's does not work with today's nltk; leave it out, and score the results: "
            "python -m s2sft_fairseq.evaluate --metric meteor"
        )


def wrong_values(flags: Flags) -> Iterator[str]:
    """Values that fairseq fails on."""
    if flags.dataset_impl not in (None, *FORMATS):
        yield f"--dataset-impl {flags.dataset_impl}: fairseq cannot read it here; expected one of {', '.join(FORMATS)}"
    if flags.num_batch_buckets and "interpolation" not in inspect.signature(np.percentile).parameters:
        yield (
            f"--num-batch-buckets {flags.num_batch_buckets}: fairseq fails to make these lengths, which only TPUs "
            "need, with today's numpy; leave it out"
        )
    for name, kinds, example in LITERALS:
        value = getattr(flags, name)
        if isinstance(value, str) and not isinstance(literal(value), kinds):
            kind = "dictionary" if dict in kinds else "pair"
            yield f'--{name.replace("_", "-")} {value}: expected a Python {kind} such as "{example}"'


def literal(text: str) -> Any:
    """The value that a text spells in Python; None if it spells none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def wrong_numbers(flags: Flags) -> Iterator[str]:
    """Numbers that fairseq divides by, or otherwise fails on in the middle of a run."""
    for name, least in LEAST.items():
        value = getattr(flags, name)
        if isinstance(value, int) and value < least:
            yield f"--{name.replace('_', '-')} {value}; expected {least} or more"
    if isinstance(flags.seed, int) and not 0 <= flags.seed < 2**32:
        yield f"--seed {flags.seed}; expected 0 to {2**32 - 1}"
    if flags.lr == []:
        yield "--lr has no value; expected a learning rate, such as 1e-4, or one for each epoch, separated by commas"
    if isinstance(flags.update_freq, list) and not (flags.update_freq and min(flags.update_freq) >= 1):
        yield f"--update-freq {flags.update_freq}; expected 1 or more batches per update, for each epoch"


def missing_packages(flags: Flags) -> Iterator[str]:
    """Flags of packages that are not installed; without iopath, fairseq trains nothing and ends with status 0."""
    asked = (
        ("iopath", "--write-checkpoints-asynchronously", flags.write_checkpoints_asynchronously),
        ("fairscale", "--ddp-backend fully_sharded", flags.ddp_backend == "fully_sharded"),
        ("fairscale", "--zero-sharding os", flags.zero_sharding == "os"),
    )
    for package, flag, is_asked in asked:
        if is_asked and importlib.util.find_spec(package) is None:
            yield f"{flag} needs the package {package}, which is not installed: pip install {package}, or leave it out"
    if flags.use_plasma_view:
        yield "--use-plasma-view needs plasma_store, which pyarrow no longer has; leave it out"
    if flags.optimizer == "composite":
        yield "--optimizer composite: fairseq cannot configure it from flags; use another, such as s2s_ft_adamw"


def check_preprocessing(args: argparse.Namespace) -> None:
    """Refuses flags of fairseq-preprocess that it fails on; one dictionary given twice is given once.

    Raises:
        UserError: names the first problem.
    """
    if args.joined_dictionary and args.srcdict and args.tgtdict:
        if os.path.realpath(args.srcdict) != os.path.realpath(args.tgtdict):
            raise UserError(
                "--joined-dictionary is one for both sides, but --srcdict and --tgtdict are two; leave --tgtdict out"
            )
        args.tgtdict = None
    if args.dataset_impl not in FORMATS:
        raise UserError(
            f"--dataset-impl {args.dataset_impl}: fairseq-preprocess cannot write it; expected one of "
            f"{', '.join(FORMATS)}"
        )
    for flag, value in (("--alignfile", args.alignfile), ("--align-suffix", args.align_suffix)):
        if value:
            raise UserError(NO_ALIGNMENT.format(flag=flag))
