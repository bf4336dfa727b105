"""What a user's mistake looks like: one line that says what was found, what was expected and how to mend it."""

import sys
from types import TracebackType
from typing import Optional, Type

PREFIX = "s2sft_fairseq: error:"


class UserError(ValueError):
    """A mistake that its maker can mend; on the command line it is printed as one line, with exit status 1."""


def one_line(error: BaseException) -> Optional[str]:
    """Words the errors that a user can mend, and returns None for every other (those keep their traceback)."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return (
            f"the input is not valid {error.encoding.upper()} (byte 0x{byte:02x}: {error.reason}); "
            "convert it first, for instance with `iconv -f LATIN1 -t UTF-8 FILE`"
        )
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"no such file or directory: {error.filename}"
    return None


def install_hook() -> None:
    """Lets uncaught user errors end the process with one line on standard error instead of a traceback."""
    inherited = sys.excepthook

    def hook(
        kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]
    ) -> None:
        message = one_line(error)
        if message is None:
            inherited(kind, error, traceback)
        else:
            print(PREFIX, message, file=sys.stderr)

    sys.excepthook = hook
