"""What a user's mistake looks like: one line that says what was found, what was expected and how to mend it."""

import sys
from traceback import walk_tb
from types import TracebackType
from typing import Iterator, Optional, Type

PREFIX = "s2sft_fairseq: error:"


class UserError(ValueError):
    """A mistake that its maker can mend; on the command line it is printed as one line, with exit status 1."""


def check_probability(flag: str, value: float) -> None:
    """Raises UserError unless an option is between 0 and 1."""
    if not 0 <= value <= 1:
        raise UserError(f"{flag} is {value}; expected a probability between 0 and 1")


def one_line(error: BaseException) -> Optional[str]:
    """Words the errors that a user can mend, and returns None for every other (those keep their traceback)."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    decoding = next((e for e in chain_of(error) if isinstance(e, UnicodeDecodeError)), None)
    if decoding is not None:
        byte = decoding.object[decoding.start]
        return (
            f"the input is not valid {decoding.encoding.upper()} (byte 0x{byte:02x}: {decoding.reason}); "
            "convert it first, for instance with `iconv -f LATIN1 -t UTF-8 FILE`"
        )
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"no such file or directory: {error.filename}"
    if isinstance(error, FileExistsError):
        return f"{error} is there already; remove its folder, or name another --destdir"
    if isinstance(error, OSError) and str(error).startswith("Model file not found"):
        return f"{error}; expected --path CHECKPOINT, as fairseq-train or import_pretrained wrote it"
    checkpoint = checkpoint_being_read(error)
    reason = type(error).__name__
    return checkpoint and f"{checkpoint} cannot be read ({reason}): it is cut short, damaged or no fairseq checkpoint"


def chain_of(error: Optional[BaseException]) -> Iterator[BaseException]:
    """An error, and those during whose handling it was raised (fairseq's reader trips over bad UTF-8 twice)."""
    while error is not None:
        yield error
        error = error.__context__


def checkpoint_being_read(error: BaseException) -> Optional[str]:
    """The checkpoint that fairseq was reading when an error was raised, if it was."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    paths = [f.f_locals.get("path") for f in frames if f.f_code.co_name == "load_checkpoint_to_cpu"]
    return paths[0] if paths else None


def install_hook() -> None:
    """Lets uncaught user errors end the process with one line on standard error instead of a traceback."""
    inherited = sys.excepthook

    def hook(kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]) -> None:
        message = one_line(error)
        if message is None:
            inherited(kind, error, traceback)
        else:
            print(PREFIX, message, file=sys.stderr)

    sys.excepthook = hook
