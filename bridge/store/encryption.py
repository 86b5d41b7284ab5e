"""How values are encrypted at rest, so that deleting one is final.

    StoreKey          the caller's: from a file, the environment or the keyring
      └─ data key     one per database, random, wrapped in the table `store_key`: changing the StoreKey rewraps one row
           └─ value key   one per value, random, used once, wrapped in the table `value_keys`
                └─ value  wherever it belongs

Why a key for each value: SQLite's `secure_delete` overwrites what is deleted where it stands, but leaves copies behind
when it moves rows between pages (measured: pieces of about one deleted value in a thousand). The rows of `value_keys`
never move: all have the same size, are overwritten in place and are never deleted. A copy of a value is worth nothing
once its key is overwritten.

Wrapping is XAES-256-GCM (C2SP), AES-256-GCM with a 192-bit nonce: random nonces stay unique for 2**80 values, even
among copies of one database that share its key. Values are encrypted by AES-256-GCM; their keys are used once, so that
the nonce can be fixed. Associated data binds each ciphertext to its table, column and row: none passes for another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["KEY_SIZE", "WRAPPED_KEY_SIZE", "BadCiphertextError", "Place", "WrappingKey", "decrypt", "encrypt"]

KEY_SIZE: Final = 32
"""Bytes of every key here."""

Place: TypeAlias = tuple[str | bytes | int, ...]
"""Where a value belongs: table, column, and the row's key."""

_NONCE_SIZE: Final = 24
_TAG_SIZE: Final = 16
_BLOCK: Final = 16

WRAPPED_KEY_SIZE: Final = _NONCE_SIZE + KEY_SIZE + _TAG_SIZE
"""Bytes of a key that another one wraps."""


class BadCiphertextError(Exception):
    """The ciphertext is not one of this key in this place. Never leaves the package."""


class WrappingKey:
    """A key that wraps other keys: XAES-256-GCM."""

    __slots__ = ("_block", "_mask")

    def __init__(self, key: bytes) -> None:
        # What XAES asks of the block cipher is CMAC (NIST SP 800-108) on single blocks, not a mode of encryption.
        self._block = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()  # noqa: S305
        doubled = int.from_bytes(self._block.update(bytes(_BLOCK)), "big") << 1
        self._mask = doubled ^ (1 << 128 | 0x87) if doubled >> 128 else doubled

    def wrap(self, key: bytes, place: Place, random: Callable[[int], bytes]) -> bytes:
        """Return `key` for storing, bound to its place."""
        nonce = random(_NONCE_SIZE)
        return nonce + self.derived(nonce).encrypt(nonce[12:], key, _associated_data(place))

    def unwrap(self, wrapped: bytes, place: Place) -> bytes:
        """Return the key that was wrapped for this place. Raises `BadCiphertextError`."""
        nonce, ciphertext = wrapped[:_NONCE_SIZE], wrapped[_NONCE_SIZE:]
        try:
            return self.derived(nonce).decrypt(nonce[12:], ciphertext, _associated_data(place))
        except (InvalidTag, ValueError):
            raise BadCiphertextError from None

    def derived(self, nonce: bytes) -> AESGCM:
        """Return what encrypts under this nonce: the first half of it makes a key of its own."""
        blocks = b"".join(
            (int.from_bytes(prefix + nonce[:12], "big") ^ self._mask).to_bytes(_BLOCK, "big")
            for prefix in (b"\0\1X\0", b"\0\2X\0")
        )
        return AESGCM(self._block.update(blocks))


def encrypt(key: bytes, value: bytes, place: Place) -> bytes:
    """Encrypt a value under a key that is never used for another."""
    return AESGCM(key).encrypt(bytes(12), value, _associated_data(place))


def decrypt(key: bytes, ciphertext: bytes, place: Place) -> bytes:
    """Return the value that was encrypted for this place. Raises `BadCiphertextError`."""
    try:
        return AESGCM(key).decrypt(bytes(12), ciphertext, _associated_data(place))
    except (InvalidTag, ValueError):
        raise BadCiphertextError from None


def _associated_data(place: Place) -> bytes:
    # CBOR says where each part ends: no two places have the same bytes.
    return cbor2.dumps(place)
