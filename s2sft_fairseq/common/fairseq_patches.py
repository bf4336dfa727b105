"""All changes that the package makes outside itself, one function per change; only commands make them.

fairseq's commands are patched when they import the package (as determined by ``host.fairseq_command``), the package's
own commands by :func:`run_command`. Other programs that import the package are not affected.

The package also uses the following members with a leading underscore, because there are no public ones. A new release
of fairseq, torch, Python or sacrebleu may remove them without notice:

- ``argparse.HelpFormatter._get_help_string``: the only way to choose which options show their default in ``--help``.
- ``argparse._ArgumentGroup``: the type of what ``add_argument_group`` returns.
- ``EpochBatchIterator._cur_epoch_itr``: the only way to stop an epoch's workers before the process ends.
- ``FairseqOptimizer._optimizer``: where fairseq expects a subclass to put torch's optimizer.
- ``torch.nn.Module._apply``: what ``to``, ``cuda``, ``half`` and ``float`` all call.
- ``fairseq.distributed.utils._TensorPlaceholder``: replaces tensors in a checkpoint that is sent to other processes.
- sacrebleu's ``_extract_corpus_statistics`` and ``_compute_score_from_stats``: the counts of each line, which
  bootstrap samples add up; the public functions only return final scores.
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
    """Runs ``main`` of one of the package's commands, after the patches; user errors are reported in one line."""
    apply_patches()
    main()


@functools.cache
def apply_patches() -> None:
    """Makes all changes, on the first call only; each function says why it is needed."""
    report_user_errors()
    ignore_warnings()
    refuse_bad_input()
    allow_checkpoint_types()
    copy_whole_files()
    name_unreadable_checkpoints()
    if fairseq_command() == "preprocess":
        check_texts_first()


def ignore_warnings() -> None:
    """Silences warnings that users cannot act on: fairseq's outdated use of Hydra and torch, data loaders on CPUs."""
    for start in (
        r"(?s).*\bhydra\b",
        "'pin_memory' argument is set",
        r"`torch\.cuda\.amp\.\w+\(args\.\.\.\)` is deprecated",
    ):
        warnings.filterwarnings("ignore", message=start)


def refuse_bad_input() -> None:
    """Makes fairseq-interactive read standard input as strictly as a file.

    In the C locale, Python accepts invalid UTF-8, and the model would read something else than the user's text.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")


def allow_checkpoint_types() -> None:
    """Makes torch read fairseq's checkpoints, which contain the configuration as an object.

    fairseq's functions read the checkpoints of import_pretrained, and when several processes resume a training, the
    first one sends the checkpoint to the others.
    """
    torch.serialization.add_safe_globals(list(TYPES))


def copy_whole_files() -> None:
    """Makes fairseq copy checkpoint_last.pt to a temporary name first, so that a kill does not leave half of it."""
    copy = PathManager.copy

    def copy_whole(src_path: str, dst_path: str, overwrite: bool = False) -> bool:
        copied = copy(src_path, f"{dst_path}.tmp", overwrite=True)
        os.replace(f"{dst_path}.tmp", dst_path)
        return bool(copied)  # fairseq asserts the result

    PathManager.copy = staticmethod(copy_whole)


def name_unreadable_checkpoints() -> None:
    """Makes fairseq name a checkpoint that it cannot read, instead of showing torch's traceback.

    The trainer and the functions for ensembles look up the reader in its module, so it is replaced there.
    """
    checkpoint_utils.load_checkpoint_to_cpu = names_its_checkpoint(checkpoint_utils.load_checkpoint_to_cpu)


def check_texts_first() -> None:
    """Makes fairseq-preprocess check the texts of this package's tasks before it writes anything.

    Otherwise it replaces invalid UTF-8, and writes sides of different lengths, which only training refuses.
    """
    command = preprocess_module()
    binarize = command.main

    def main(args: argparse.Namespace) -> None:
        if args.task in CHECKED_TASKS:
            check_texts(args)
        binarize(args)

    vars(command)["main"] = main


def preprocess_module() -> ModuleType:
    """The module of fairseq-preprocess, which is called ``__main__`` with ``python -m``."""
    return sys.modules.get("fairseq_cli.preprocess", sys.modules["__main__"])


def check_texts(args: argparse.Namespace) -> None:
    """Reads the files of every split once.

    Raises:
        UserError: a file is missing or not UTF-8, or source and target have different numbers of lines.
    """
    languages = [args.source_lang] if args.only_source else [args.source_lang, args.target_lang]
    suffixes = [f".{language}" if language else "" for language in languages]
    for prefix in text_prefixes(args):
        counts = {prefix + suffix: count_lines(Path(prefix + suffix)) for suffix in suffixes}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{name} has {count:,} lines" for name, count in counts.items())
            raise UserError(f"{found}; expected one line of each per pair")


def text_prefixes(args: argparse.Namespace) -> List[str]:
    """The prefixes of the texts of all splits."""
    given = (args.trainpref, args.validpref, args.testpref)
    return [prefix for prefixes_of_split in given if prefixes_of_split for prefix in prefixes_of_split.split(",")]
