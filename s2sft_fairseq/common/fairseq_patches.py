"""Everything that the package changes outside itself, one function a change; commands alone make these changes.

fairseq's commands get them when they import the package (``host.fairseq_command`` is the rule), those of the package
by :func:`run_command`. Whoever imports the package in Python gets none of them.

Next to these changes stand the members with a leading underscore that the package uses, for want of public ones. A new
release of fairseq, torch, argparse or sacrebleu may take them away without notice:

- ``argparse.HelpFormatter._get_help_string``: the only way to say which options show their default in ``--help``.
- ``argparse._ArgumentGroup``: the type of what ``add_argument_group`` returns.
- ``EpochBatchIterator._cur_epoch_itr``: nothing else lets go of an epoch's workers before the process ends.
- ``FairseqOptimizer._optimizer``: where fairseq expects a subclass to put torch's optimizer.
- ``torch.nn.Module._apply``: what ``to``, ``cuda``, ``half`` and ``float`` have in common.
- ``fairseq.distributed.utils._TensorPlaceholder``: what stands for each tensor in the checkpoint that processes share.
- sacrebleu's ``_extract_corpus_statistics`` and ``_compute_score_from_stats``: the counts of each line, which bootstrap
  samples add up; the public functions return finished scores.
"""

import argparse
import functools
import io
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Callable, List

import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

from .checkpoint_files import TYPES, names_its_checkpoint
from .errors import UserError, report_user_errors
from .host import fairseq_command
from .text_lines import count_lines

CHECKED_TASKS = ("s2s_ft", "s2s_pretraining")


def run_command(main: Callable[[], object]) -> None:
    """Runs a command of the package: ``main`` with the changes, so that a user's mistake ends it with one line."""
    apply_patches()
    main()


@functools.cache
def apply_patches() -> None:
    """Makes all changes, in the first call; each function tells what was wrong without it."""
    report_user_errors()
    ignore_warnings()
    refuse_bad_input()
    allow_checkpoint_types()
    copy_whole_files()
    name_unreadable_checkpoints()
    if fairseq_command() == "preprocess":
        check_texts_first()


def ignore_warnings() -> None:
    """Silences what a user can do nothing about: fairseq's old calls of Hydra and torch, a data loader on a CPU."""
    for start in (
        r"(?s).*\bhydra\b",
        "'pin_memory' argument is set",
        r"`torch\.cuda\.amp\.\w+\(args\.\.\.\)` is deprecated",
    ):
        warnings.filterwarnings("ignore", message=start)


def refuse_bad_input() -> None:
    """Lets fairseq-interactive read standard input as strictly as a file.

    In the C locale Python lets bytes pass that are no UTF-8, and the model would answer to something else.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")


def allow_checkpoint_types() -> None:
    """Lets torch ≥ 2.6 read fairseq's checkpoints, which hold the configuration as an object.

    fairseq's functions read those that import_pretrained wrote; and a training that several processes resume sends the
    checkpoint from the first process to the others.
    """
    if hasattr(torch.serialization, "add_safe_globals"):
        torch.serialization.add_safe_globals(list(TYPES))


def copy_whole_files() -> None:
    """Lets fairseq copy checkpoint_last.pt under a temporary name first, so that a kill leaves no half of it."""
    copy = PathManager.copy

    def copy_whole(src_path: str, dst_path: str, overwrite: bool = False) -> bool:
        copied = copy(src_path, f"{dst_path}.tmp", overwrite=True)
        os.replace(f"{dst_path}.tmp", dst_path)
        return bool(copied)  # fairseq asserts it

    PathManager.copy = staticmethod(copy_whole)


def name_unreadable_checkpoints() -> None:
    """Lets fairseq name the checkpoint that it cannot read, where it would show torch's traceback.

    The trainer and the functions for ensembles find the reader in its module, which is where it is replaced.
    """
    checkpoint_utils.load_checkpoint_to_cpu = names_its_checkpoint(checkpoint_utils.load_checkpoint_to_cpu)


def check_texts_first() -> None:
    """Lets fairseq-preprocess check the texts of this package's tasks before it writes anything.

    It would replace what is no UTF-8, and write sides of different lengths that only training refuses.
    """
    command = preprocess_module()
    binarize = command.main

    def main(args: argparse.Namespace) -> None:
        if args.task in CHECKED_TASKS:
            check_texts(args)
        binarize(args)

    vars(command)["main"] = main


def preprocess_module() -> ModuleType:
    """The module of fairseq-preprocess, which ``python -m`` names ``__main__``."""
    return sys.modules.get("fairseq_cli.preprocess", sys.modules["__main__"])


def check_texts(args: argparse.Namespace) -> None:
    """Reads the files of every split once.

    Raises:
        UserError: a file that is missing or not UTF-8, or source and target that differ in their number of lines.
    """
    languages = [args.source_lang] if args.only_source else [args.source_lang, args.target_lang]
    suffixes = [f".{language}" if language else "" for language in languages]
    for prefix in text_prefixes(args):
        counts = {prefix + suffix: count_lines(Path(prefix + suffix)) for suffix in suffixes}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{name} has {count:,} lines" for name, count in counts.items())
            raise UserError(f"{found}; expected one line each a pair")


def text_prefixes(args: argparse.Namespace) -> List[str]:
    """The texts given, of all splits."""
    given = (args.trainpref, args.validpref, args.testpref)
    return [prefix for prefixes_of_split in given if prefixes_of_split for prefix in prefixes_of_split.split(",")]
