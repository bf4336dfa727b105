"""The wire format of protocol buffers, as far as a SentencePiece model needs it.

Source: protobuf.dev/programming-guides/encoding
"""

from typing import Iterator, Tuple, Union

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
Value = Union[int, bytes]


def fields(message: bytes) -> Iterator[Tuple[int, Value]]:
    """The numbers and values of a message's fields, in their order; a sub-message is bytes like any other."""
    position = 0
    while position < len(message):
        key, position = read_varint(message, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, position = read_varint(message, position)
            yield number, value
            continue
        if wire_type == LENGTH_DELIMITED:
            length, position = read_varint(message, position)
        else:
            length = {FIXED32: 4, FIXED64: 8}[wire_type]
        yield number, message[position : position + length]
        position += length


def get_bytes(message: bytes, number: int) -> bytes:
    """A field that holds bytes, a string or a message; empty if it is not there."""
    return next((value for found, value in fields(message) if found == number and isinstance(value, bytes)), b"")


def get_int(message: bytes, number: int, default: int) -> int:
    """A field that holds a number."""
    return next((value for found, value in fields(message) if found == number and isinstance(value, int)), default)


def read_varint(message: bytes, position: int) -> Tuple[int, int]:
    """A number of variable length, and the position behind it."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
