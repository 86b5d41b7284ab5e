"""HKDF (RFC 5869) over the standard library's HMAC, which is a single call into OpenSSL."""

from __future__ import annotations

from hmac import digest

from mls.errors import UsageError

__all__ = ["Kdf"]


class Kdf:
    """Extract and Expand with one hash. `Nh` is the hash's size in bytes."""

    __slots__ = ("Nh", "hash_name")

    def __init__(self, hash_name: str, size: int) -> None:
        self.hash_name = hash_name
        self.Nh = size

    def extract(self, salt: bytes | bytearray, ikm: bytes | bytearray) -> bytes:
        """HKDF-Extract: `Nh` bytes. An empty salt stands for zeros, as HMAC itself has it."""
        return digest(salt, ikm, self.hash_name)

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
