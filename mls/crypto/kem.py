"""What HPKE asks of a KEM (RFC 9180, section 4), and the private keys of one.

The KEMs themselves: `mls.crypto.dhkem` has those of the standard cipher suites, `mls.crypto.xwing` that of the
experimental ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeAlias

from mls.crypto.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, x448

    from mls.crypto.random import Random
    from mls.crypto.xwing import XWingPrivateKey, XWingPublicKey

__all__ = ["HPKEPrivateKey", "Kem", "PrivateKey", "PublicKey"]

PrivateKey: TypeAlias = "x448.X448PrivateKey | ec.EllipticCurvePrivateKey | XWingPrivateKey | None"
"""Parsed. `None` for X25519: its private key is the serialized one, in its `Secret` and nowhere else."""

PublicKey: TypeAlias = "bytes | x448.X448PublicKey | ec.EllipticCurvePublicKey | XWingPublicKey"


class Kem(ABC):
    """One KEM. Sizes are in bytes: `Nsk` of a private key, `Npk` of a public key, `Nenc` of an encapsulation."""

    __slots__ = ("Nenc", "Npk", "Nsk", "id")

    def __init__(self, number: int, private_size: int, public_size: int, encapsulation_size: int) -> None:
        self.id = number
        self.Nsk = private_size
        self.Npk = public_size
        self.Nenc = encapsulation_size

    @property
    def runs_in_parallel(self) -> bool:
        """Whether several threads encapsulate quicker than one: where the work lets go of the interpreter's lock."""
        return False

    @abstractmethod
    def parse_private(self, data: bytes | bytearray) -> tuple[PrivateKey, bytes]:
        """Return a serialized private key as it is used, and the serialized public key. Raises `ValueError`."""

    @abstractmethod
    def parse_public(self, data: bytes) -> PublicKey:
        """Return the key object of a serialized public key. Raises `ValueError` for what is not one."""

    def is_public_key(self, data: bytes) -> bool:
        """Return whether `data` is a serialized public key."""
        try:
            self.parse_public(data)
        except ValueError:
            return False
        return True

    @abstractmethod
    def derive_private(self, ikm: bytes | bytearray) -> bytes:
        """`DeriveKeyPair`, its private half: `Nsk` bytes."""

    def derive_key_pair(self, ikm: bytes | bytearray) -> HPKEPrivateKey:
        """`DeriveKeyPair`."""
        return HPKEPrivateKey(self, self.derive_private(ikm))

    def generate_key_pair(self, random: Random) -> HPKEPrivateKey:
        """Return a fresh key pair, derived from `Nsk` random bytes."""
        return self.derive_key_pair(random(self.Nsk))

    @abstractmethod
    def encap(self, public_key: bytes, random: Random) -> tuple[bytes, bytes]:
        """`Encap`: the encapsulation and the shared secret. Raises `ValueError` for a bad public key."""

    @abstractmethod
    def decap(self, private: HPKEPrivateKey, enc: bytes) -> bytes:
        """`Decap`: the shared secret. Raises `ValueError` for a bad `enc`."""


class HPKEPrivateKey:
    """A KEM's private key: serialized, and parsed when it is first used (parsing multiplies a point)."""

    __slots__ = ("_parsed", "kem", "secret")

    def __init__(self, kem: Kem, secret: bytes | bytearray) -> None:
        self.kem = kem
        self.secret = Secret(secret)
        self._parsed: tuple[PrivateKey, bytes] | None = None

    @property
    def key(self) -> PrivateKey:
        """The parsed key. Raises `ValueError` where the bytes are no private key of the KEM."""
        return self._parse()[0]

    @property
    def public_key(self) -> bytes:
        """The serialized public key, `Npk` bytes. Raises `ValueError`, as `key` does."""
        return self._parse()[1]

    def _parse(self) -> tuple[PrivateKey, bytes]:
        if self._parsed is None:
            self._parsed = self.kem.parse_private(self.secret.value)
        return self._parsed

    def copy(self) -> HPKEPrivateKey:
        """Return the same key with a secret of its own, to be wiped on its own."""
        twin = HPKEPrivateKey(self.kem, self.secret.value)
        twin._parsed = self._parsed
        return twin

    def __repr__(self) -> str:
        return f"<HPKEPrivateKey, KEM 0x{self.kem.id:04x}>"
