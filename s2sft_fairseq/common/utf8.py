"""The error message for text that is not UTF-8 (in a module of its own, so that :mod:`.errors` can use it, too)."""

import codecs

from .compression import compression


def explain_bad_utf8(place: str, error: UnicodeDecodeError) -> str:
    """One line that says where the bad byte is, what is wrong with it, and how to convert the file."""
    kind = compression(error.object)
    if kind is not None:
        return f"{place} is not text but compressed ({kind}); unpack it first"
    byte = error.object[error.start]
    encoding = "UTF-16" if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "LATIN1"
    return (
        f"{place} is not valid UTF-8 (byte 0x{byte:02x}: {error.reason}); "
        f"convert it first, for instance with `iconv -f {encoding} -t UTF-8 FILE`"
    )
