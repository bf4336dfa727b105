"""The one wording of a text that is not UTF-8 (a module of its own, so that :mod:`.errors` can use it as well)."""


def explain_bad_utf8(place: str, error: UnicodeDecodeError) -> str:
    """One line that says where the bad byte is, what is wrong with it, and which command mends the file."""
    byte = error.object[error.start]
    return (
        f"{place} is not valid UTF-8 (byte 0x{byte:02x}: {error.reason}); "
        "convert it first, for instance with `iconv -f LATIN1 -t UTF-8 FILE`"
    )
