"""The file of a backup: a head, and frames that are encrypted under a passphrase, read and written one at a time.

::

    head    magic, 8 bytes: "MLSBKUP" and a zero
            version, 2 bytes: 1
            cost, 1 byte: scrypt (RFC 7914) with N = 2^cost, r = 8, p = 1
            salt, 32 bytes
            check, 32 bytes: HMAC-SHA256 of all before, under the second half of what scrypt returns
    frame   length of what follows, 4 bytes
            ChaCha20-Poly1305 (RFC 8439) under the first half; nonce: the frame's number from 0 in 11 bytes, and
            1 in the last frame, 0 in the others

Numbers are big-endian. The last frame says that it is the last, so that a file that is cut short is known for one; the
number in the nonce keeps frames in their places. A salt is used once, and so a key is, too. The check comes first, so
that a wrong passphrase is told from a damaged file, and no key opens two files in different ways.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bridge.backup.errors import DamagedBackupError, NewerBackupError, NotABackupError, WrongPassphraseError

__all__ = ["COST", "MAX_FRAME", "VERSION", "SealedReader", "SealedWriter"]

VERSION: Final = 1

COST: Final = 17
"""Of scrypt: 2^17, 128 MiB of memory and about half a second."""

_LOWEST_COST: Final = 10
_HIGHEST_COST: Final = 18
"""256 MiB: whoever hands us a file shall not choose how much memory it takes."""

MAX_FRAME: Final = 4 << 20
"""Bytes of a frame, at most: what is held in memory at once."""

_MAGIC: Final = b"MLSBKUP\0"
_SALT: Final = 32
_CHECK: Final = 32
_TAG: Final = 16
_LENGTH: Final = 4
_BEFORE_CHECK: Final = len(_MAGIC) + 2 + 1 + _SALT


class SealedWriter:
    """Writes a backup. Every file has exactly one last frame."""

    def __init__(
        self, file: BinaryIO, passphrase: str, *, cost: int = COST, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        """Write the head. Takes half a second and 128 MiB, at the usual cost."""
        head = _MAGIC + VERSION.to_bytes(2, "big") + bytes([cost]) + random(_SALT)
        key, check_key = _keys(passphrase, head)
        self._file = file
        self._aead = ChaCha20Poly1305(key)
        self._number = 0
        file.write(head + hmac.digest(check_key, head, hashlib.sha256))

    def write(self, data: bytes, *, is_last: bool) -> None:
        """Write a frame of at most `MAX_FRAME` bytes."""
        if len(data) > MAX_FRAME:
            raise ValueError(f"a frame of {len(data)} bytes")
        sealed = self._aead.encrypt(_nonce(self._number, is_last=is_last), data, None)
        self._number += 1
        self._file.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)


class SealedReader:
    """Reads a backup."""

    def __init__(self, file: BinaryIO, passphrase: str, *, where: str) -> None:
        """Read the head. Raises `NotABackupError`, `NewerBackupError`, `DamagedBackupError`, `WrongPassphraseError`."""
        head = file.read(_BEFORE_CHECK)
        if not head.startswith(_MAGIC):
            raise NotABackupError(where=where)
        version = int.from_bytes(head[len(_MAGIC) : len(_MAGIC) + 2], "big")
        if version > VERSION:
            raise NewerBackupError(version, VERSION, where=where)
        check = file.read(_CHECK)
        if len(check) < _CHECK:
            raise DamagedBackupError("it is cut short: not even its head is whole", where=where)
        if version != VERSION or not _LOWEST_COST <= head[len(_MAGIC) + 2] <= _HIGHEST_COST:
            raise DamagedBackupError("its head holds what no version writes", where=where)
        key, check_key = _keys(passphrase, head)
        if not hmac.compare_digest(hmac.digest(check_key, head, hashlib.sha256), check):
            raise WrongPassphraseError(where=where)
        self._file = file
        self._where = where
        self._aead = ChaCha20Poly1305(key)

    def frames(self) -> Iterator[bytes]:
        """Yield the frames, up to the one that says that it is the last. Raises `DamagedBackupError`."""
        number = 0
        is_last = False
        while not is_last:
            data, is_last = self._frame(number)
            number += 1
            yield data
        if self._file.read(1):
            raise DamagedBackupError("something follows its end", where=self._where)

    def _frame(self, number: int) -> tuple[bytes, bool]:
        length = int.from_bytes(self._read(_LENGTH), "big")
        if not _TAG <= length <= MAX_FRAME + _TAG:
            raise DamagedBackupError("it was changed, or is damaged", where=self._where)
        sealed = self._read(length)
        for is_last in (False, True):
            try:
                return self._aead.decrypt(_nonce(number, is_last=is_last), sealed, None), is_last
            except InvalidTag:
                continue
        raise DamagedBackupError("it was changed, or is damaged", where=self._where)

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise DamagedBackupError("it is cut short: its end is missing", where=self._where)
        return data


def _keys(passphrase: str, head: bytes) -> tuple[bytes, bytes]:
    """Return the key of the frames and that of the check."""
    derived = Scrypt(salt=head[-_SALT:], length=64, n=1 << head[len(_MAGIC) + 2], r=8, p=1).derive(passphrase.encode())
    return derived[:32], derived[32:]


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
