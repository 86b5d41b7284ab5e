"""Variable-size vector headers (RFC 9420, section 2.1.2).

The two most significant bits of the first byte give the header's size:

======  =====  ============  =====================
prefix  bytes  usable bits   values
======  =====  ============  =====================
00      1      6             0 .. 63
01      2      14            64 .. 16,383
10      4      30            16,384 .. 2**30 - 1
11      -      -             invalid
======  =====  ============  =====================

Exactly one of the sizes is right for a given value: a longer one is malformed.
"""

from __future__ import annotations

from mls import rules
from mls.errors import DecodeError, UsageError

__all__ = ["MAX_LENGTH", "decode_length", "encode_length", "encode_opaque", "long_length"]

MAX_LENGTH = (1 << 30) - 1
"""The largest length that a header can carry, in bytes."""

_ONE_BYTE = tuple(bytes([n]) for n in range(64))


def encode_length(length: int) -> bytes:
    """Return the header (1, 2 or 4 bytes) for a vector of `length` bytes.

    Raises `UsageError` above `MAX_LENGTH`.
    """
    if length < 64:
        return _ONE_BYTE[length]
    if length < 1 << 14:
        return (length | 0x4000).to_bytes(2, "big")
    if length <= MAX_LENGTH:
        return (length | 0x8000_0000).to_bytes(4, "big")
    msg = f"a vector of {length} bytes is longer than MLS can encode ({MAX_LENGTH}, RFC 9420 section 2.1.2)"
    raise UsageError(msg)


def encode_opaque(value: bytes | bytearray) -> bytes:
    """Return `value` as an `opaque<V>`: its header, then its bytes."""
    length = len(value)
    return (_ONE_BYTE[length] if length < 64 else encode_length(length)) + value


def long_length(data: bytes, pos: int) -> tuple[int, int]:
    """Read the header at `pos`, of any size; return the length and the position behind the header.

    Decoders read the one-byte form themselves and come here for the rest.
    Raises `IndexError` where `data` ends inside the header (the decoder's caller makes it a `DecodeError`).
    """
    first = data[pos]
    prefix = first >> 6
    if prefix == 0:
        return first, pos + 1
    if prefix == 1:
        length = (first & 0x3F) << 8 | data[pos + 1]
        if length < 64:
            rules.VECTOR_LENGTH_IS_MINIMAL.fail(f"{length} in 2 bytes, at byte {pos}")
        return length, pos + 2
    if prefix == 3:
        rules.VECTOR_LENGTH_PREFIX_IS_VALID.fail(f"at byte {pos}")
    length = (first & 0x3F) << 24 | data[pos + 1] << 16 | data[pos + 2] << 8 | data[pos + 3]
    if length < 1 << 14:
        rules.VECTOR_LENGTH_IS_MINIMAL.fail(f"{length} in 4 bytes, at byte {pos}")
    return length, pos + 4


def decode_length(data: bytes) -> int:
    """Decode a header that stands alone; return the length. Raises `DecodeError`."""
    try:
        length, end = long_length(data, 0)
    except IndexError:
        msg = "the vector header is truncated"
        raise DecodeError(msg, len(data)) from None
    if end != len(data):
        msg = "bytes follow the vector header"
        raise DecodeError(msg, end)
    return length
