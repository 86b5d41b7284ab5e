"""The Diffie-Hellman KEMs of RFC 9180, section 4.1, with what `cryptography`'s HPKE does not offer.

`cryptography` seals and opens for most suites; it cannot derive a key pair from a seed, take a given ephemeral
key, export a secret, or do any of it for X448. Those four are here and in `mls.crypto.hpke`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mls.crypto.secret import Secret
from mls.errors import InternalError

if TYPE_CHECKING:
    from mls.crypto.kdf import Kdf

__all__ = ["HPKEPrivateKey", "Kem", "MontgomeryKem", "NistKem", "PrivateKey", "PublicKey"]

PrivateKey: TypeAlias = x25519.X25519PrivateKey | x448.X448PrivateKey | ec.EllipticCurvePrivateKey
PublicKey: TypeAlias = x25519.X25519PublicKey | x448.X448PublicKey | ec.EllipticCurvePublicKey


class Kem(ABC):
    """One DHKEM. Sizes are in bytes: `Nsk` of a private key, `Npk` of a public key and of an encapsulation."""

    __slots__ = ("Npk", "Nsk", "id", "kdf", "suite_id")

    def __init__(self, number: int, kdf: Kdf, private_size: int, public_size: int) -> None:
        self.id = number
        self.kdf = kdf
        self.Nsk = private_size
        self.Npk = public_size
        self.suite_id = b"KEM" + number.to_bytes(2, "big")

    @abstractmethod
    def parse_private(self, data: bytes | bytearray) -> PrivateKey:
        """Return the key object of a serialized private key. Raises `ValueError`."""

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
    def public_bytes(self, key: PrivateKey) -> bytes:
        """Return the serialized public key of a private key."""

    def exchange(self, private: PrivateKey, public: PublicKey) -> bytes:
        """Diffie-Hellman. Raises `ValueError` where the result is the neutral element."""
        match private, public:
            case x25519.X25519PrivateKey(), x25519.X25519PublicKey():
                return private.exchange(public)
            case x448.X448PrivateKey(), x448.X448PublicKey():
                return private.exchange(public)
            case ec.EllipticCurvePrivateKey(), ec.EllipticCurvePublicKey():
                return private.exchange(ec.ECDH(), public)
            case _:
                msg = "keys of two different KEMs were mixed"
                raise InternalError(msg)

    @abstractmethod
    def derive_private(self, ikm: bytes | bytearray) -> bytes:
        """`DeriveKeyPair`, its private half: `Nsk` bytes (RFC 9180, section 7.1.3)."""

    def derive_key_pair(self, ikm: bytes | bytearray) -> HPKEPrivateKey:
        """`DeriveKeyPair` (RFC 9180, section 7.1.3)."""
        return HPKEPrivateKey(self, self.derive_private(ikm))

    def labeled_extract(self, label: bytes, ikm: bytes | bytearray) -> bytes:
        """`LabeledExtract` with an empty salt, under this KEM's id (RFC 9180, section 4)."""
        return self.kdf.extract(b"", b"HPKE-v1" + self.suite_id + label + ikm)

    def labeled_expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        """`LabeledExpand` under this KEM's id (RFC 9180, section 4)."""
        return self.kdf.expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + self.suite_id + label + info, length)

    def shared_secret(self, dh: bytes, enc: bytes, recipient: bytes) -> bytes:
        """`ExtractAndExpand`: what an encapsulation and its decapsulation agree on, `Nh` bytes."""
        prk = self.labeled_extract(b"eae_prk", dh)
        return self.labeled_expand(prk, b"shared_secret", enc + recipient, self.kdf.Nh)


class HPKEPrivateKey:
    """A KEM's private key: serialized, and parsed when it is first used (parsing multiplies a point)."""

    __slots__ = ("_key", "_public", "kem", "secret")

    def __init__(self, kem: Kem, secret: bytes | bytearray) -> None:
        self.kem = kem
        self.secret = Secret(secret)
        self._key: PrivateKey | None = None
        self._public: bytes | None = None

    @property
    def key(self) -> PrivateKey:
        """The key object. Raises `ValueError` where the bytes are no private key of the KEM."""
        if self._key is None:
            self._key = self.kem.parse_private(self.secret.value)
        return self._key

    @property
    def public_key(self) -> bytes:
        """The serialized public key, `Npk` bytes."""
        if self._public is None:
            self._public = self.kem.public_bytes(self.key)
        return self._public

    def copy(self) -> HPKEPrivateKey:
        """Return the same key with a secret of its own, to be wiped on its own."""
        twin = HPKEPrivateKey(self.kem, self.secret.value)
        twin._key, twin._public = self._key, self._public
        return twin

    def __repr__(self) -> str:
        return f"<HPKEPrivateKey, KEM 0x{self.kem.id:04x}>"


class MontgomeryKem(Kem):
    """DHKEM(X25519, HKDF-SHA256) and DHKEM(X448, HKDF-SHA512): keys are raw bytes, and any bytes are a private key."""

    __slots__ = ("_low_order", "_mask", "_prime", "_private_class", "_public_class")

    def __init__(
        self,
        number: int,
        kdf: Kdf,
        size: int,
        prime: int,
        low_order: tuple[int, ...],
        private_class: type[x25519.X25519PrivateKey | x448.X448PrivateKey],
        public_class: type[x25519.X25519PublicKey | x448.X448PublicKey],
    ) -> None:
        super().__init__(number, kdf, size, size)
        self._prime = prime
        self._mask = (1 << prime.bit_length()) - 1
        self._low_order = frozenset({0, 1, prime - 1, *low_order})
        self._private_class = private_class
        self._public_class = public_class

    def parse_private(self, data: bytes | bytearray) -> PrivateKey:
        return self._private_class.from_private_bytes(data)

    def parse_public(self, data: bytes) -> PublicKey:
        if not self.is_public_key(data):
            msg = "not a public key: a point of low order, or of another size"
            raise ValueError(msg)
        return self._public_class.from_public_bytes(data)

    def is_public_key(self, data: bytes) -> bool:
        # A point of low order gives every sender the same, known secret. OpenSSL refuses it too, but only when it
        # encrypts: too late, for the key is in the tree then. All other points will do. The coordinate is read as
        # RFC 7748, section 5, has it: the unused bit is masked, and values that are not reduced are accepted.
        coordinate = (int.from_bytes(data, "little") & self._mask) % self._prime
        return len(data) == self.Npk and coordinate not in self._low_order

    def public_bytes(self, key: PrivateKey) -> bytes:
        return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def derive_private(self, ikm: bytes | bytearray) -> bytes:
        return self.labeled_expand(self.labeled_extract(b"dkp_prk", ikm), b"sk", b"", self.Nsk)


class NistKem(Kem):
    """DHKEM over a NIST curve. Public keys are uncompressed points, private keys big-endian integers."""

    __slots__ = ("bitmask", "curve")

    def __init__(self, number: int, kdf: Kdf, curve: ec.EllipticCurve, bitmask: int) -> None:
        size = -(-curve.key_size // 8)
        super().__init__(number, kdf, size, 2 * size + 1)
        self.curve = curve
        self.bitmask = bitmask

    def parse_private(self, data: bytes | bytearray) -> ec.EllipticCurvePrivateKey:
        if len(data) != self.Nsk:
            msg = f"{len(data)} bytes instead of {self.Nsk}"
            raise ValueError(msg)
        return ec.derive_private_key(int.from_bytes(data, "big"), self.curve)

    def parse_public(self, data: bytes) -> ec.EllipticCurvePublicKey:
        if len(data) != self.Npk:  # the parser would take a compressed point too
            msg = "not an uncompressed point"
            raise ValueError(msg)
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self.curve, data)
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error

    def public_bytes(self, key: PrivateKey) -> bytes:
        return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def derive_private(self, ikm: bytes | bytearray) -> bytes:
        prk = self.labeled_extract(b"dkp_prk", ikm)
        for counter in range(256):
            candidate = bytearray(self.labeled_expand(prk, b"candidate", bytes([counter]), self.Nsk))
            candidate[0] &= self.bitmask
            if 0 < int.from_bytes(candidate, "big") < self.curve.group_order:
                return bytes(candidate)
        msg = "no private key in 256 candidates"  # one seed in 2**8192 for P-256
        raise InternalError(msg)
