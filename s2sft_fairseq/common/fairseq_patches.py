"""All changes that the package makes outside itself, one function per change; only commands make them.

fairseq's commands are patched when they import the package (as determined by ``host.fairseq_command``), the package's
own commands by :func:`run_command`. Other programs that import the package are not affected.

The package also uses the following members with a leading underscore, because there are no public ones. A new release
of fairseq, torch, Python or sacrebleu may remove them without notice:

- ``argparse.HelpFormatter._get_help_string``: the only way to choose which options show their default in ``--help``.
- ``argparse._ArgumentGroup``: the type of what ``add_argument_group`` returns.
- ``EpochBatchIterator._cur_epoch_itr``: the only way to stop an epoch's workers before the process ends.
- ``fairseq.checkpoint_utils._upgrade_state_dict``: what older checkpoints lack.
- ``FairseqOptimizer._optimizer``: where fairseq expects a subclass to put torch's optimizer.
- ``torch.nn.Module._apply``: what ``to``, ``cuda``, ``half`` and ``float`` all call.
- ``fairseq.distributed.utils._TensorPlaceholder``: replaces tensors in a checkpoint that is sent to other processes.
- sacrebleu's ``_extract_corpus_statistics`` and ``_compute_score_from_stats``: the counts of each line, which
  bootstrap samples add up; the public functions only return final scores.
"""

import argparse
import functools
import io
import itertools
import multiprocessing
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Callable, Iterator, List

import torch
from fairseq import checkpoint_utils, file_chunker_utils, options
from fairseq.binarizer import FileBinarizer
from fairseq.data import indexed_dataset
from fairseq.file_io import PathManager

from . import binarized_words
from .checkpoint_files import load_checkpoint
from .compressed_files import compression_of
from .errors import UserError, report_user_errors
from .fairseq_flags import CHECKED_TASKS, check_preprocessing, with_checked_flags
from .host import fairseq_command
from .text_lines import check_line_counts, read_lines
from .torch_files import TYPES


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
    execute_no_checkpoint()
    end_lines_at_line_feeds()
    check_flags_first()
    fork_data_workers()
    if fairseq_command() == "preprocess":
        check_texts_first()
    if fairseq_command() == "interactive":
        read_input_by_line_feeds()


def fork_data_workers() -> None:
    """Makes Python 3.14 start data workers on Linux as earlier ones do: by forking.

    From a server process (forkserver), the workers of each epoch import torch and fairseq again; and if training is
    killed, they stay for ever: the server ends when its last worker does, and each of them when the server does.
    """
    if sys.platform == "linux" and multiprocessing.get_start_method() == "forkserver":
        multiprocessing.set_start_method("fork", force=True)


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
    """Makes torch read the configuration as an object when several processes resume a training.

    The first process sends the checkpoint that it has read to the others.
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


def execute_no_checkpoint() -> None:
    """Makes fairseq read checkpoints as the package does: weights-only, and one line about a file that it cannot read.

    fairseq leaves the choice to torch's default, which an environment variable can reverse, and shows torch's
    traceback. The trainer and the functions for ensembles look up the reader in its module, so it is replaced there.
    """
    checkpoint_utils.load_checkpoint_to_cpu = load_checkpoint


def end_lines_at_line_feeds() -> None:
    """Makes fairseq end the lines of texts that it binarizes, or reads with ``--dataset-impl raw``, at line feeds only.

    Python's text files also end a line at a carriage return alone, so that one line of a source would become two
    examples, and all later pairs would be shifted. The modules call ``open``, which is looked up in them first.
    """
    for module in (file_chunker_utils, indexed_dataset):
        vars(module)["open"] = open_with_line_feeds


def open_with_line_feeds(file: Any, mode: str = "r", **options: Any) -> IO[Any]:
    """As ``open``, but only a line feed ends a line of text."""
    return open(file, mode, **options) if "b" in mode else open(file, mode, newline="\n", **options)


def read_input_by_line_feeds() -> None:
    """Makes fairseq-interactive take one example per line feed, from a file and from standard input, in strict UTF-8.

    fairseq's reader also ends lines at carriage returns, and would write more outputs than there are lines of input.
    """
    vars(command_module("interactive"))["buffered_read"] = buffered_lines


def buffered_lines(path: str, buffer_size: int) -> Iterator[List[str]]:
    """The lines of a file or of standard input (``-``), ``buffer_size`` at a time."""
    lines = (line.strip() for line in read_lines(path))
    while buffer := list(itertools.islice(lines, buffer_size)):
        yield buffer


def check_flags_first() -> None:
    """Makes fairseq's commands take --bf16 for a precision instead of a TPU, and refuse what cannot work at once.

    The commands look up the function that parses their flags after they have imported the package.
    """
    options.parse_args_and_arch = with_checked_flags(options.parse_args_and_arch)


def check_texts_first() -> None:
    """Makes fairseq-preprocess check the texts of this package's tasks before it writes anything.

    Otherwise it replaces invalid UTF-8, and writes sides of different lengths, which only training refuses.
    """
    command = command_module("preprocess")
    binarize = command.main

    def main(args: argparse.Namespace) -> None:
        if args.task in CHECKED_TASKS:
            check_preprocessing(args)
            check_texts(args)
            warn_of_odd_words()
        binarize(args)

    vars(command)["main"] = main


def warn_of_odd_words() -> None:
    """Makes fairseq-preprocess warn of text that is not tokenized, and of special tokens within a text.

    fairseq only logs the share of unknown words at the level INFO, and knows no special tokens.
    """
    binarize = FileBinarizer.multiprocess_dataset

    def binarize_and_warn(input_file: str, implementation: str, binarizer: Any, *args: Any, **options: Any) -> Any:
        summary = binarize(input_file, implementation, binarizer, *args, **options)
        binarized_words.warn_of_unknown(input_file, summary, binarizer.dict.unk_word)
        binarized_words.warn_of_special(input_file, binarizer.dict)
        return summary

    FileBinarizer.multiprocess_dataset = staticmethod(binarize_and_warn)


def command_module(name: str) -> ModuleType:
    """The module of one of fairseq's commands, which is called ``__main__`` with ``python -m``."""
    return sys.modules.get(f"fairseq_cli.{name}", sys.modules["__main__"])


def check_texts(args: argparse.Namespace) -> None:
    """Reads the files of every split once.

    Raises:
        UserError: a file is missing, compressed or not UTF-8, or source and target have different numbers of lines.
    """
    languages = [args.source_lang] if args.only_source else [args.source_lang, args.target_lang]
    suffixes = [f".{language}" if language else "" for language in languages]
    for prefix in text_prefixes(args):
        check_line_counts(plain(prefix + suffix) for suffix in suffixes)


def plain(path: str) -> Path:
    """The path of a file as fairseq-preprocess reads it; raises UserError if it is compressed or does not exist."""
    kind = compression_of(path)
    if kind is not None:
        raise UserError(f"{path} is compressed ({kind}), which fairseq-preprocess does not read; unpack it first")
    return Path(path)


def text_prefixes(args: argparse.Namespace) -> List[str]:
    """The prefixes of the texts of all splits."""
    given = (args.trainpref, args.validpref, args.testpref)
    return [prefix for prefixes_of_split in given if prefixes_of_split for prefix in prefixes_of_split.split(",")]
