"""The AEADs of the cipher suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AES_128_GCM", "AES_256_GCM", "CHACHA20_POLY1305", "Aead"]


class Aead:
    """An AEAD with HPKE's number for it. `Nk`, `Nn` and `Nt` are the bytes of a key, a nonce and a tag."""

    __slots__ = ("Nk", "Nn", "Nt", "_cipher", "id")

    def __init__(
        self, number: int, key_size: int, cipher: Callable[[bytes | bytearray], AESGCM | ChaCha20Poly1305]
    ) -> None:
        self.id = number
        self.Nk = key_size
        self.Nn = 12
        self.Nt = 16
        self._cipher = cipher

    def seal(self, key: bytes | bytearray, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Return the ciphertext with its tag behind it."""
        return self._cipher(key).encrypt(nonce, plaintext, aad)

    def open(self, key: bytes | bytearray, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes | None:
        """Return the plaintext, or `None` where the tag is wrong."""
        try:
            return self._cipher(key).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            return None


AES_128_GCM = Aead(1, 16, AESGCM)
AES_256_GCM = Aead(2, 32, AESGCM)
CHACHA20_POLY1305 = Aead(3, 32, ChaCha20Poly1305)
