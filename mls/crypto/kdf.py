"""HKDF (RFC 5869) over the standard library's HMAC, which is a single call into OpenSSL."""

from __future__ import annotations

import hashlib
from hmac import digest

from mls.errors import UsageError

__all__ = ["HmacKey", "Kdf"]

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class HmacKey:
    """An HMAC key (RFC 2104) for several messages: its two padded blocks are hashed once, not with each message.

    Three messages cost half of what three calls of `hmac.digest` do. The key is at most one block of the hash long,
    as every MLS secret is.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, empty: hashlib._Hash, key: bytes | bytearray) -> None:
        """`empty` is the hash of nothing, to be copied: that is quicker than to make one."""
        block = key.ljust(empty.block_size, b"\0")
        self._inner, self._outer = empty.copy(), empty.copy()
        self._inner.update(block.translate(_INNER))
        self._outer.update(block.translate(_OUTER))

    def digest(self, message: bytes | bytearray) -> bytes:
        """Return the HMAC of `message`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class Kdf:
    """Extract and Expand with one hash. `Nh` is the hash's size in bytes."""

    __slots__ = ("Nh", "_empty", "_without_salt", "hash_name")

    def __init__(self, hash_name: str, size: int) -> None:
        self.hash_name = hash_name
        self.Nh = size
        self._empty = hashlib.new(hash_name)
        self._without_salt = self.hmac_key(b"")

    def hmac_key(self, key: bytes | bytearray) -> HmacKey:
        """Return an HMAC key that serves several times."""
        return HmacKey(self._empty, key)

    def extract(self, salt: bytes | bytearray, ikm: bytes | bytearray) -> bytes:
        """HKDF-Extract: `Nh` bytes. An empty salt stands for zeros, as HMAC itself has it."""
        return digest(salt, ikm, self.hash_name) if salt else self._without_salt.digest(ikm)

    def expand(self, prk: bytes | bytearray, info: bytes, length: int) -> bytes:
        """HKDF-Expand: `length` bytes, at most `255 * Nh`. Raises `UsageError` above that."""
        if length <= self.Nh:
            block = digest(prk, info + b"\x01", self.hash_name)
            return block if length == self.Nh else block[:length]
        if length > 255 * self.Nh:
            msg = f"HKDF cannot expand to {length} bytes: at most {255 * self.Nh}"
            raise UsageError(msg)
        blocks = []
        block = b""
        for counter in range(1, -(-length // self.Nh) + 1):
            block = digest(prk, block + info + bytes([counter]), self.hash_name)
            blocks.append(block)
        return b"".join(blocks)[:length]
