"""The Diffie-Hellman KEMs of RFC 9180, section 4.1, with what `cryptography`'s HPKE does not offer.

`cryptography` seals and opens with the NIST curves; it cannot derive a key pair from a seed, take a given ephemeral
key, export a secret, or do any of it for X448. Those are here and in `mls.crypto.hpke`, and so is all of X25519.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, x448
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base

from mls.crypto.kem import HPKEPrivateKey, Kem, PrivateKey, PublicKey
from mls.errors import InternalError

if TYPE_CHECKING:
    from mls.crypto.kdf import Kdf
    from mls.crypto.random import Random

__all__ = ["DhKem", "NistKem", "X448Kem", "X25519Kem"]

_MIXED = "keys of two different KEMs were mixed"


class DhKem(Kem):
    """One DHKEM. What it encapsulates is an ephemeral public key."""

    __slots__ = ("_suite_id", "kdf")

    def __init__(self, number: int, kdf: Kdf, private_size: int, public_size: int) -> None:
        super().__init__(number, private_size, public_size, public_size)
        self.kdf = kdf
        self._suite_id = b"KEM" + number.to_bytes(2, "big")

    def encap(self, public_key: bytes, random: Random) -> tuple[bytes, bytes]:
        recipient = self.parse_public(public_key)
        ephemeral = self.generate_key_pair(random)
        enc = ephemeral.public_key
        dh = self.exchange(ephemeral, recipient)
        ephemeral.secret.wipe()
        return enc, self._shared_secret(dh, enc, public_key)

    def decap(self, private: HPKEPrivateKey, enc: bytes) -> bytes:
        dh = self.exchange(private, self.parse_public(enc))
        return self._shared_secret(dh, enc, private.public_key)

    @abstractmethod
    def exchange(self, private: HPKEPrivateKey, public: PublicKey) -> bytes:
        """Diffie-Hellman, with a public key that was parsed."""

    def _shared_secret(self, dh: bytes, enc: bytes, recipient: bytes) -> bytes:
        """`ExtractAndExpand`: what an encapsulation and its decapsulation agree on, `Nh` bytes."""
        prk = self.labeled_extract(b"eae_prk", dh)
        return self.labeled_expand(prk, b"shared_secret", enc + recipient, self.kdf.Nh)

    def labeled_extract(self, label: bytes, ikm: bytes | bytearray) -> bytes:
        """`LabeledExtract` with an empty salt, under this KEM's id (RFC 9180, section 4)."""
        return self.kdf.extract(b"", b"HPKE-v1" + self._suite_id + label + ikm)

    def labeled_expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        """`LabeledExpand` under this KEM's id (RFC 9180, section 4)."""
        return self.kdf.expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + self._suite_id + label + info, length)


class MontgomeryKem(DhKem):
    """What DHKEM(X25519, HKDF-SHA256) and DHKEM(X448, HKDF-SHA512) share: any bytes of the right size are a key.

    Of a private key, that is; a public key may not be a point of low order.
    """

    __slots__ = ("_low_order", "_mask", "_prime")

    def __init__(self, number: int, kdf: Kdf, size: int, prime: int, low_order: tuple[int, ...]) -> None:
        super().__init__(number, kdf, size, size)
        self._prime = prime
        self._mask = (1 << prime.bit_length()) - 1
        self._low_order = frozenset({0, 1, prime - 1, *low_order})

    def is_public_key(self, data: bytes) -> bool:
        # A point of low order gives every sender the same, known secret. The libraries refuse it too, but only when
        # one encrypts: too late, for the key is in the tree then. All other points will do. The coordinate is read as
        # RFC 7748, section 5, has it: the unused bit is masked, and values that are not reduced are accepted.
        coordinate = (int.from_bytes(data, "little") & self._mask) % self._prime
        return len(data) == self.Npk and coordinate not in self._low_order

    def require_public_key(self, data: bytes) -> None:
        """Raise `ValueError` unless `data` is a public key."""
        if not self.is_public_key(data):
            msg = "not a public key: a point of low order, or of another size"
            raise ValueError(msg)

    def derive_private(self, ikm: bytes | bytearray) -> bytes:
        return self.labeled_expand(self.labeled_extract(b"dkp_prk", ikm), b"sk", b"", self.Nsk)


class X25519Kem(MontgomeryKem):
    """DHKEM(X25519, HKDF-SHA256), by libsodium.

    It multiplies the base point in half of the time that OpenSSL takes, and lets other threads run while it works.
    """

    __slots__ = ()

    def __init__(self, kdf: Kdf) -> None:
        low_order = (
            # The two points of order 8 (RFC 7748, section 7, names the risk; the values follow from the curve).
            325606250916557431795983626356110631294008115727848805560023387167927233504,
            39382357235489614581723060781553021112529911719440698176882885853963445705823,
        )
        super().__init__(0x0020, kdf, 32, 2**255 - 19, low_order)

    @property
    def runs_in_parallel(self) -> bool:
        return True

    def parse_private(self, data: bytes | bytearray) -> tuple[PrivateKey, bytes]:
        if len(data) != self.Nsk:
            msg = f"{len(data)} bytes instead of {self.Nsk}"
            raise ValueError(msg)
        return None, crypto_scalarmult_base(bytes(data))

    def parse_public(self, data: bytes) -> PublicKey:
        self.require_public_key(data)
        return data

    def exchange(self, private: HPKEPrivateKey, public: PublicKey) -> bytes:
        if private.kem is not self or not isinstance(public, bytes):
            raise InternalError(_MIXED)
        return crypto_scalarmult(bytes(private.secret.value), public)


class X448Kem(MontgomeryKem):
    """DHKEM(X448, HKDF-SHA512)."""

    __slots__ = ()

    def __init__(self, kdf: Kdf) -> None:
        super().__init__(0x0021, kdf, 56, 2**448 - 2**224 - 1, ())

    def parse_private(self, data: bytes | bytearray) -> tuple[PrivateKey, bytes]:
        key = x448.X448PrivateKey.from_private_bytes(data)
        return key, key.public_key().public_bytes_raw()

    def parse_public(self, data: bytes) -> PublicKey:
        self.require_public_key(data)
        return x448.X448PublicKey.from_public_bytes(data)

    def exchange(self, private: HPKEPrivateKey, public: PublicKey) -> bytes:
        key = private.key
        if not isinstance(key, x448.X448PrivateKey) or not isinstance(public, x448.X448PublicKey):
            raise InternalError(_MIXED)
        return key.exchange(public)


class NistKem(DhKem):
    """DHKEM over a NIST curve. Public keys are uncompressed points, private keys big-endian integers."""

    __slots__ = ("bitmask", "curve")

    def __init__(self, number: int, kdf: Kdf, curve: ec.EllipticCurve, bitmask: int) -> None:
        size = -(-curve.key_size // 8)
        super().__init__(number, kdf, size, 2 * size + 1)
        self.curve = curve
        self.bitmask = bitmask

    def parse_private(self, data: bytes | bytearray) -> tuple[PrivateKey, bytes]:
        if len(data) != self.Nsk:
            msg = f"{len(data)} bytes instead of {self.Nsk}"
            raise ValueError(msg)
        key = ec.derive_private_key(int.from_bytes(data, "big"), self.curve)
        return key, key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def parse_public(self, data: bytes) -> ec.EllipticCurvePublicKey:
        if len(data) != self.Npk:  # the parser would take a compressed point too
            msg = "not an uncompressed point"
            raise ValueError(msg)
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self.curve, data)
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error

    def exchange(self, private: HPKEPrivateKey, public: PublicKey) -> bytes:
        key = private.key
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(public, ec.EllipticCurvePublicKey):
            raise InternalError(_MIXED)
        return key.exchange(ec.ECDH(), public)

    def derive_private(self, ikm: bytes | bytearray) -> bytes:
        prk = self.labeled_extract(b"dkp_prk", ikm)
        for counter in range(256):
            candidate = bytearray(self.labeled_expand(prk, b"candidate", bytes([counter]), self.Nsk))
            candidate[0] &= self.bitmask
            if 0 < int.from_bytes(candidate, "big") < self.curve.group_order:
                return bytes(candidate)
        msg = "no private key in 256 candidates"  # one seed in 2**8192 for P-256
        raise InternalError(msg)
