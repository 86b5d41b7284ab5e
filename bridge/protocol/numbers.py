"""The digits that people compare (PROTOCOL.md, "Numbers").

Each group of five digits is five bytes of SHA-512, as one number, modulo 100,000. Sixty digits are 199 bits: whoever
sits between two people and wants both to see the same number has to find a collision, 2^99 attempts.
"""

from __future__ import annotations

import hashlib

from bridge.protocol.code_points import GROUP_NUMBER_LABEL, PAIR_NUMBER_LABEL
from mls.codec import encode_opaque

__all__ = ["group_number", "pair_number"]

_BYTES = 5
_DIGITS = 5


def pair_number(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> str:
    """Return the 60 digits of two people, each given by credential identity and signature key, in either order."""
    sides = sorted(encode_opaque(identity) + encode_opaque(key) for identity, key in (one, other))
    return _digits(PAIR_NUMBER_LABEL + b"".join(sides), 12)


def group_number(group_id: bytes, epoch: int, epoch_authenticator: bytes) -> str:
    """Return the 30 digits of a group's epoch (RFC 9420, section 8.7)."""
    content = encode_opaque(group_id) + epoch.to_bytes(8, "big") + encode_opaque(epoch_authenticator)
    return _digits(GROUP_NUMBER_LABEL + content, 6)


def _digits(content: bytes, groups: int) -> str:
    digest = hashlib.sha512(content).digest()
    numbers = (int.from_bytes(digest[at * _BYTES : (at + 1) * _BYTES], "big") for at in range(groups))
    return "".join(f"{number % 10**_DIGITS:05}" for number in numbers)
