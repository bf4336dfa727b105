"""Recognizes compressed files by their first bytes."""

import re
from typing import Optional

MAGIC = {
    "gzip": rb"\x1f\x8b",
    "bzip2": rb"BZh[1-9](1AY&SY|\x17rE8P\x90)",
    "xz": rb"\xfd7zXZ\x00",
    "zstd": rb"\x28\xb5\x2f\xfd",
    "zip": rb"PK\x03\x04",
}
"""How compressed files begin."""

LONGEST = 10
"""The number of bytes that decide."""


def compression(start: bytes) -> Optional[str]:
    """The kind of compression of a file that begins with these bytes; None: it is not compressed."""
    return next((kind for kind, magic in MAGIC.items() if re.match(magic, start)), None)
