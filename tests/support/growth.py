"""How the work of a function grows, counted instead of timed, so that it is the same on every machine."""

import sys
from types import FrameType
from typing import Any, Callable


def calls(function: Callable[[], object]) -> int:
    """The number of function calls, Python's and C's, while ``function`` runs."""
    count = 0

    def counted(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count
