"""Reports user errors in one line that says what was found, what was expected and how to fix it."""

import sys
from types import TracebackType
from typing import Iterator, Optional, Type

from .utf8 import explain_bad_utf8

PREFIX = "s2sft_fairseq: error:"
OF_FLAGS = ("--", "Must specify batch size ", "Sentences lengths should not exceed max_tokens", "The dataset is empty.")
"""The beginnings of fairseq's error messages about flags, which it raises as AssertionError or Exception."""
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
    return refused_by_fairseq(error) or missing_file(error)


def refused_by_fairseq(error: BaseException) -> Optional[str]:
    """fairseq's own error message about its flags, except for one that is not true of this plugin."""
    message = str(error)
    if type(error) not in (AssertionError, Exception) or not message.startswith(OF_FLAGS):
        return None
    return NO_ALIGNMENT.format(flag="--replace-unk") if message.startswith("--replace-unk") else message


def missing_file(error: BaseException) -> Optional[str]:
    """Messages for files that do not exist, and for one that already exists."""
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"no such file or directory: {error.filename}"
    if isinstance(error, FileExistsError):
        return f"{error} already exists; remove its folder, or name another --destdir"
    if isinstance(error, OSError) and str(error).startswith("Model file not found"):
        return f"{error}; expected --path CHECKPOINT, as fairseq-train or import_pretrained wrote it"
    return None


def chain_of(error: Optional[BaseException]) -> Iterator[BaseException]:
    """An error, followed by those during whose handling it was raised (fairseq's reader fails twice on bad UTF-8)."""
    while error is not None:
        yield error
        error = error.__context__


def report_user_errors() -> None:
    """Makes Python report user errors in one line on standard error instead of a traceback."""
    inherited = sys.excepthook

    def hook(kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]) -> None:
        message = one_line(error)
        if message is None:
            inherited(kind, error, traceback)
        else:
            print(PREFIX, message, file=sys.stderr)

    sys.excepthook = hook
