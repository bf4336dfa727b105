"""Reports user errors in one line that says what was found, what was expected and how to fix it."""

import errno
import re
import sys
from types import TracebackType
from typing import Iterator, Optional, Type

from .utf8 import explain_bad_utf8

PREFIX = "s2sft_fairseq: error:"
OF_FLAGS = (
    *("--", "Must specify batch size ", "Sentences lengths should not exceed max_tokens", "The dataset is empty."),
    *("Optimizer does not match", "Criterion does not match"),
)
"""The beginnings of fairseq's error messages about flags."""
OTHER_PARAMETERS = "loaded state dict"
"""The beginning of torch's error message about the state of an optimizer."""
REFUSALS = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
"""Why the system does not write a file: no right to, a file where a folder should be, a folder, a full disk."""

RESET = "the checkpoint's optimizer trained other parameters than this run; repeat its flags, or add --reset-optimizer"
NO_ALIGNMENT = "{flag}: this model has no cross-attention to align with; leave it out"


class UserError(ValueError):
    """An error that the user can fix; a command prints it as one line and exits with status 1."""


def check_probability(flag: str, value: float) -> None:
    """Raises UserError unless an option is between 0 and 1."""
    if not 0 <= value <= 1:
        raise UserError(f"{flag} is {value}; expected a probability between 0 and 1")


def one_line(error: BaseException) -> Optional[str]:
    """The message for an error that the user can fix; None for all others, which keep their traceback."""
    mistake = next((e for e in chain_of(error) if isinstance(e, UserError)), None)  # fairseq may wrap it
    if mistake is not None:
        return " ".join(str(mistake).split())
    decoding = next((e for e in chain_of(error) if isinstance(e, UnicodeDecodeError)), None)
    if decoding is not None:
        return explain_bad_utf8("the input", decoding)
    return refused_by_fairseq(error) or missing_file(error) or missing_package(error) or missing_value(error)


def refused_by_fairseq(error: BaseException) -> Optional[str]:
    """fairseq's own error message about its flags, except for one that is not true of this plugin."""
    message = str(error)
    if type(error) is ValueError and message.startswith(OTHER_PARAMETERS):
        return RESET
    if type(error) not in (AssertionError, ValueError, Exception) or not message.startswith(OF_FLAGS):
        return None
    return NO_ALIGNMENT.format(flag="--replace-unk") if message.startswith("--replace-unk") else message


def missing_file(error: BaseException) -> Optional[str]:
    """Messages for files that do not exist, for one that already exists, and for what the system refuses."""
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"no such file or directory: {error.filename}"
    if isinstance(error, FileExistsError):
        return f"{error} already exists; remove its folder, or name another --destdir"
    if isinstance(error, OSError) and str(error).startswith("Model file not found"):
        return f"{error}; expected --path CHECKPOINT, as fairseq-train or import_pretrained wrote it"
    if isinstance(error, OSError) and error.errno in REFUSALS:
        return str(error) if error.filename is None else f"{error.filename}: {error.strerror}"
    return None


def missing_package(error: BaseException) -> Optional[str]:
    """Messages for a package that an option of fairseq's needs (``--bpe gpt2``, ``--scoring wer``)."""
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        package = error.name.split(".")[0]
        return f"this needs the Python package {package}, which is not installed: pip install {package}"
    if isinstance(error, ImportError) and str(error).startswith("Please install"):
        return str(error)
    return None


def missing_value(error: BaseException) -> Optional[str]:
    """Messages for an option without the value that it needs (``--bpe sentencepiece`` alone), or fairseq cannot use."""
    if type(error).__module__ != "hydra.errors":
        return None
    without = re.search(r"Error merging override \w+\.(\w+)=null", str(error))
    unknown = re.search(r"Could not find '(\w+)/(\w+)'", str(error))
    if without is not None:
        return f"--{without[1].replace('_', '-')} has no value, and another option needs it; add it"
    if unknown is not None:
        return f"fairseq cannot configure --{unknown[1]} {unknown[2]}; use another"
    return None


def chain_of(error: Optional[BaseException]) -> Iterator[BaseException]:
    """An error, followed by those during whose handling it was raised (fairseq's reader fails twice on bad UTF-8)."""
    while error is not None:
        yield error
        error = error.__context__


def report_user_errors() -> None:
    """Makes Python report user errors, and Ctrl-C, in one line on standard error instead of a traceback."""
    inherited = sys.excepthook

    def hook(kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]) -> None:
        message = one_line(error)
        if isinstance(error, KeyboardInterrupt):
            print("s2sft_fairseq: interrupted", file=sys.stderr)
        elif message is None:
            inherited(kind, error, traceback)
        else:
            print(PREFIX, message, file=sys.stderr)

    sys.excepthook = hook
