"""The signature schemes of the cipher suites (RFC 9420, section 5.1.2; encodings of RFC 8446, section 4.2.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from mls.crypto.random import Random
from mls.crypto.secret import Secret
from mls.errors import InternalError

__all__ = ["Ecdsa", "Ed25519", "EdDsa", "SignaturePrivateKey", "SignatureScheme"]

PrivateKey: TypeAlias = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | ec.EllipticCurvePrivateKey
PublicKey: TypeAlias = ed25519.Ed25519PublicKey | ed448.Ed448PublicKey | ec.EllipticCurvePublicKey

_ED25519_KEY = 32
_ED25519_SIGNATURE = 64

_PARSED_KEYS = 4096
"""How many parsed public keys each scheme keeps: they are public, small, and the same few sign again and again."""


class SignatureScheme(ABC):
    """One scheme. Public keys are bytes as on the wire; parsed ones are kept."""

    __slots__ = ("_parsed",)

    def __init__(self) -> None:
        self._parsed = lru_cache(_PARSED_KEYS)(self.parse_public)

    @abstractmethod
    def generate(self, random: Random) -> bytes:
        """Return a fresh private key, serialized."""

    @abstractmethod
    def parse_private(self, data: bytes | bytearray) -> PrivateKey:
        """Return the key object of a serialized private key. Raises `ValueError`."""

    @abstractmethod
    def parse_public(self, data: bytes) -> PublicKey:
        """Return the key object of a public key as on the wire. Raises `ValueError` for what is not one."""

    @abstractmethod
    def public_bytes(self, key: PublicKey) -> bytes:
        """Return a public key as on the wire. Raises `ValueError` for a key of another scheme."""

    def public_bytes_or_none(self, key: object) -> bytes | None:
        """Return any public key as on the wire, `None` for one of another scheme: for keys out of certificates."""
        if not isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey | ec.EllipticCurvePublicKey):
            return None
        try:
            return self.public_bytes(key)
        except ValueError:
            return None

    @abstractmethod
    def sign(self, key: PrivateKey, data: bytes) -> bytes:
        """Return the signature."""

    @abstractmethod
    def _verify(self, key: PublicKey, signature: bytes, data: bytes) -> None:
        """Raise `InvalidSignature` unless `signature` is one over `data`."""

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        """Return whether `signature` is one over `data` by `public_key`; `False` for a malformed key too."""
        try:
            self._verify(self._parsed(public_key), signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


class SignaturePrivateKey:
    """A private signature key, parsed once (parsing costs as much as signing) with its public key."""

    __slots__ = ("key", "public_key", "scheme", "secret")

    def __init__(self, scheme: SignatureScheme, secret: bytes | bytearray) -> None:
        self.scheme = scheme
        self.secret = Secret(secret)
        self.key = scheme.parse_private(secret)
        self.public_key = scheme.public_bytes(self.key.public_key())

    def __repr__(self) -> str:
        return f"<SignaturePrivateKey for {self.public_key.hex()[:16]}...>"


class EdDsa(SignatureScheme):
    """Ed25519 and Ed448 (RFC 8032): keys and signatures are raw bytes, `size` of them in a key."""

    __slots__ = ("_private_class", "_public_class", "_size")

    def __init__(
        self,
        size: int,
        private_class: type[ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey],
        public_class: type[ed25519.Ed25519PublicKey | ed448.Ed448PublicKey],
    ) -> None:
        super().__init__()
        self._size = size
        self._private_class = private_class
        self._public_class = public_class

    def generate(self, random: Random) -> bytes:
        return random(self._size)

    def parse_private(self, data: bytes | bytearray) -> PrivateKey:
        return self._private_class.from_private_bytes(data)

    def parse_public(self, data: bytes) -> PublicKey:
        return self._public_class.from_public_bytes(data)

    def public_bytes(self, key: PublicKey) -> bytes:
        if not isinstance(key, self._public_class):
            raise ValueError(_OTHER_SCHEME)  # noqa: TRY004 - a certificate may hold any key: not the caller's type error
        return key.public_bytes_raw()

    def sign(self, key: PrivateKey, data: bytes) -> bytes:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            raise InternalError(_OTHER_SCHEME)
        return key.sign(data)

    def _verify(self, key: PublicKey, signature: bytes, data: bytes) -> None:
        if isinstance(key, ec.EllipticCurvePublicKey):
            raise InternalError(_OTHER_SCHEME)
        key.verify(signature, data)


class Ed25519(EdDsa):
    """Ed25519, verified by libsodium: 1.8 times as fast as OpenSSL, and verification is where large groups' time goes.

    It is also stricter: keys and commitments (`R`) of small order and keys in a form that is not canonical are refused,
    so that no signature is valid for many messages or under many keys.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_ED25519_KEY, ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        # The sizes are checked here because the binding does not: it would read beyond a shorter key's end.
        if len(public_key) != _ED25519_KEY or len(signature) != _ED25519_SIGNATURE:
            return False
        try:
            crypto_sign_open(signature + data, public_key)
        except BadSignatureError:
            return False
        return True


class Ecdsa(SignatureScheme):
    """ECDSA over a NIST curve: signatures in DER, public keys as uncompressed points.

    Nonces are deterministic (RFC 6979): a bad generator cannot leak the key, and runs can be repeated.
    """

    __slots__ = ("_algorithm", "curve")

    def __init__(self, curve: ec.EllipticCurve, hash_algorithm: hashes.HashAlgorithm) -> None:
        super().__init__()
        self.curve = curve
        self._algorithm = ec.ECDSA(hash_algorithm, deterministic_signing=True)

    def generate(self, random: Random) -> bytes:
        # Reducing twice as many bits as the order has leaves a bias of 2**-256 or less (FIPS 186-5, A.2.1).
        size = -(-self.curve.key_size // 8)
        scalar = int.from_bytes(random(2 * size), "big") % (self.curve.group_order - 1) + 1
        return scalar.to_bytes(size, "big")

    def parse_private(self, data: bytes | bytearray) -> ec.EllipticCurvePrivateKey:
        size = -(-self.curve.key_size // 8)
        if len(data) != size:
            msg = f"{len(data)} bytes instead of {size}"
            raise ValueError(msg)
        return ec.derive_private_key(int.from_bytes(data, "big"), self.curve)

    def parse_public(self, data: bytes) -> ec.EllipticCurvePublicKey:
        if data[:1] != b"\x04":  # the parser would take a compressed point too
            msg = "not an uncompressed point"
            raise ValueError(msg)
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self.curve, data)
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error

    def public_bytes(self, key: PublicKey) -> bytes:
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != self.curve.name:
            raise ValueError(_OTHER_SCHEME)
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, key: PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise InternalError(_OTHER_SCHEME)
        return key.sign(data, self._algorithm)

    def _verify(self, key: PublicKey, signature: bytes, data: bytes) -> None:
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise InternalError(_OTHER_SCHEME)
        key.verify(signature, data, self._algorithm)


_OTHER_SCHEME = "the key belongs to another signature scheme"
