"""What a user's mistake looks like: one line that says what was found, what was expected and how to mend it."""

import sys
from types import TracebackType
from typing import Iterator, Optional, Type

from .utf8 import explain_bad_utf8

PREFIX = "s2sft_fairseq: error:"
OF_FLAGS = ("--", "Must specify batch size ", "Sentences lengths should not exceed max_tokens", "The dataset is empty.")
"""How fairseq's complaints of flags begin, which it raises as AssertionError or Exception."""
NO_ALIGNMENT = "{flag}: this model has no cross-attention to align by; leave it out"


class UserError(ValueError):
    """A mistake that its maker can mend; a command prints it as one line and ends with status 1."""


def check_probability(flag: str, value: float) -> None:
    """Raises UserError unless an option is between 0 and 1."""
    if not 0 <= value <= 1:
        raise UserError(f"{flag} is {value}; expected a probability between 0 and 1")


def one_line(error: BaseException) -> Optional[str]:
    """Words the errors that a user can mend, and returns None for every other (those keep their traceback)."""
    mistake = next((e for e in chain_of(error) if isinstance(e, UserError)), None)  # fairseq may raise another on top
    if mistake is not None:
        return " ".join(str(mistake).split())
    decoding = next((e for e in chain_of(error) if isinstance(e, UnicodeDecodeError)), None)
    if decoding is not None:
        return explain_bad_utf8("the input", decoding)
    return refused_by_fairseq(error) or missing_file(error)


def refused_by_fairseq(error: BaseException) -> Optional[str]:
    """What fairseq says of its flags, in its own words but for one that does not hold here."""
    message = str(error)
    if type(error) not in (AssertionError, Exception) or not message.startswith(OF_FLAGS):
        return None
    return NO_ALIGNMENT.format(flag="--replace-unk") if message.startswith("--replace-unk") else message


def missing_file(error: BaseException) -> Optional[str]:
    """Files that are not there, and one that is."""
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"no such file or directory: {error.filename}"
    if isinstance(error, FileExistsError):
        return f"{error} is there already; remove its folder, or name another --destdir"
    if isinstance(error, OSError) and str(error).startswith("Model file not found"):
        return f"{error}; expected --path CHECKPOINT, as fairseq-train or import_pretrained wrote it"
    return None


def chain_of(error: Optional[BaseException]) -> Iterator[BaseException]:
    """An error, and those during whose handling it was raised (fairseq's reader trips over bad UTF-8 twice)."""
    while error is not None:
        yield error
        error = error.__context__


def report_user_errors() -> None:
    """Lets a user's mistake end the process with one line on standard error where Python would show a traceback."""
    inherited = sys.excepthook

    def hook(kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]) -> None:
        message = one_line(error)
        if message is None:
            inherited(kind, error, traceback)
        else:
            print(PREFIX, message, file=sys.stderr)

    sys.excepthook = hook
