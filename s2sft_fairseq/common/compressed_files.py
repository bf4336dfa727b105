"""Opens a file that gzip, bzip2 or xz compressed as if it were not; its first bytes say so, whatever its name."""

import bz2
import gzip
import lzma
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Iterator, Optional, Union, cast

from .compression import LONGEST, compression
from .errors import UserError

OPENERS: Dict[str, Callable[[BinaryIO], object]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
"""What opens them; an archive of several files, and what Python has no module for, is refused."""


def compression_of(path: Union[str, Path]) -> Optional[str]:
    """The kind of compression of a file, None if it is not compressed; raises OSError if it cannot be opened."""
    with open(path, "rb") as file:
        return compression(file.peek(LONGEST))


@contextmanager
def open_decompressed(path: Union[str, Path]) -> Iterator[BinaryIO]:
    """Opens a file for reading, decompressed if need be; it is opened only once, so it may be a pipe.

    Raises:
        OSError: it cannot be opened.
        UserError: it is a zip archive or the like, or its compressed content is damaged.
    """
    with open(path, "rb") as file:
        kind = compression(file.peek(LONGEST))
        if kind is not None and kind not in OPENERS:
            raise UserError(f"{path} is compressed ({kind}); expected text, or text compressed by {', '.join(OPENERS)}")
        try:
            yield file if kind is None else cast(BinaryIO, OPENERS[kind](file))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise UserError(
                f"{path} is compressed ({kind}), but truncated or damaged ({error}); copy it again"
            ) from None
