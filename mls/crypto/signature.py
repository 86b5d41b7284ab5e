"""The signature schemes of the cipher suites (RFC 9420, section 5.1.2; encodings of RFC 8446, section 4.2.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from mls.crypto.random import Random
from mls.crypto.secret import Secret

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

__all__ = ["Ecdsa", "Ed448", "Ed25519", "SignaturePrivateKey", "SignatureScheme"]

Sign: TypeAlias = Callable[[bytes], bytes]
"""From data to the signature on it, by a key that is parsed already."""

_ED25519_KEY = 32
_ED25519_SIGNATURE = 64
_ED448_KEY = 57

_PARSED_KEYS = 4096
"""How many parsed public keys each scheme keeps: they are public, small, and the same few sign again and again."""


class SignatureScheme(ABC):
    """One scheme. Public keys are bytes as on the wire."""

    __slots__ = ()

    @abstractmethod
    def generate(self, random: Random) -> bytes:
        """Return a fresh private key, serialized."""

    @abstractmethod
    def load(self, secret: bytes | bytearray) -> tuple[bytes, Sign]:
        """Return the public key of a serialized private key, and what signs with it. Raises `ValueError`."""

    @abstractmethod
    def public_bytes_or_none(self, key: object) -> bytes | None:
        """Return any public key as on the wire, `None` for one of another scheme: for keys out of certificates."""

    @abstractmethod
    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        """Return whether `signature` is one over `data` by `public_key`; `False` for a malformed key too."""


class SignaturePrivateKey:
    """A private signature key, parsed once (parsing costs as much as signing) with its public key."""

    __slots__ = ("public_key", "secret", "sign")

    def __init__(self, scheme: SignatureScheme, secret: bytes | bytearray) -> None:
        self.secret = Secret(secret)
        self.public_key, self.sign = scheme.load(secret)

    def __repr__(self) -> str:
        return f"<SignaturePrivateKey for {self.public_key.hex()[:16]}...>"


class Ed25519(SignatureScheme):
    """Ed25519 (RFC 8032), by libsodium: it verifies in 0.55 of OpenSSL's time, where large groups spend theirs.

    It is also stricter: keys and commitments (`R`) of small order, and keys in a form that is not canonical, are
    refused, so that no signature is valid for many messages or under many keys.
    """

    __slots__ = ()

    def generate(self, random: Random) -> bytes:
        return random(_ED25519_KEY)

    def load(self, secret: bytes | bytearray) -> tuple[bytes, Sign]:
        _require_size(secret, _ED25519_KEY)
        public_key, expanded = crypto_sign_seed_keypair(bytes(secret))
        return public_key, _Ed25519Signer(expanded)

    def public_bytes_or_none(self, key: object) -> bytes | None:
        return key.public_bytes_raw() if isinstance(key, ed25519.Ed25519PublicKey) else None

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        # The sizes are checked here because the binding does not: it would read beyond a shorter key's end.
        if len(public_key) != _ED25519_KEY or len(signature) != _ED25519_SIGNATURE:
            return False
        try:
            crypto_sign_open(signature + data, public_key)
        except BadSignatureError:
            return False
        return True


class _Ed25519Signer:
    """A parsed private key: the seed, and the public key behind it."""

    __slots__ = ("_expanded",)

    def __init__(self, expanded: bytes) -> None:
        self._expanded = expanded

    def __call__(self, data: bytes) -> bytes:
        return crypto_sign(data, self._expanded)[:_ED25519_SIGNATURE]


PublicKey = TypeVar("PublicKey", ed448.Ed448PublicKey, ec.EllipticCurvePublicKey)


class _OpenSslScheme(SignatureScheme, Generic[PublicKey]):
    """A scheme whose public keys are parsed before they verify; parsed ones are kept."""

    __slots__ = ("_parsed",)

    def __init__(self) -> None:
        self._parsed: _lru_cache_wrapper[PublicKey] = lru_cache(_PARSED_KEYS)(self.parse_public)

    @abstractmethod
    def parse_public(self, data: bytes) -> PublicKey:
        """Return the key object of a public key as on the wire. Raises `ValueError` for what is not one."""

    @abstractmethod
    def _verify(self, key: PublicKey, signature: bytes, data: bytes) -> None:
        """Raise `InvalidSignature` unless `signature` is one over `data`."""

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        try:
            self._verify(self._parsed(public_key), signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


class Ed448(_OpenSslScheme[ed448.Ed448PublicKey]):
    """Ed448 (RFC 8032): keys and signatures are raw bytes."""

    __slots__ = ()

    def generate(self, random: Random) -> bytes:
        return random(_ED448_KEY)

    def load(self, secret: bytes | bytearray) -> tuple[bytes, Sign]:
        key = ed448.Ed448PrivateKey.from_private_bytes(secret)
        return key.public_key().public_bytes_raw(), key.sign

    def parse_public(self, data: bytes) -> ed448.Ed448PublicKey:
        return ed448.Ed448PublicKey.from_public_bytes(data)

    def public_bytes_or_none(self, key: object) -> bytes | None:
        return key.public_bytes_raw() if isinstance(key, ed448.Ed448PublicKey) else None

    def _verify(self, key: ed448.Ed448PublicKey, signature: bytes, data: bytes) -> None:
        key.verify(signature, data)


class Ecdsa(_OpenSslScheme[ec.EllipticCurvePublicKey]):
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

    def load(self, secret: bytes | bytearray) -> tuple[bytes, Sign]:
        _require_size(secret, -(-self.curve.key_size // 8))
        key = ec.derive_private_key(int.from_bytes(secret, "big"), self.curve)
        public_key = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return public_key, _EcdsaSigner(key, self._algorithm)

    def parse_public(self, data: bytes) -> ec.EllipticCurvePublicKey:
        if data[:1] != b"\x04":  # the parser would take a compressed point too
            msg = "not an uncompressed point"
            raise ValueError(msg)
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self.curve, data)
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error

    def public_bytes_or_none(self, key: object) -> bytes | None:
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != self.curve.name:
            return None
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def _verify(self, key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
        key.verify(signature, data, self._algorithm)


class _EcdsaSigner:
    """A parsed private key, and how it signs."""

    __slots__ = ("_algorithm", "_key")

    def __init__(self, key: ec.EllipticCurvePrivateKey, algorithm: ec.ECDSA) -> None:
        self._key = key
        self._algorithm = algorithm

    def __call__(self, data: bytes) -> bytes:
        return self._key.sign(data, self._algorithm)


def _require_size(secret: bytes | bytearray, size: int) -> None:
    if len(secret) != size:
        msg = f"{len(secret)} bytes instead of {size}"
        raise ValueError(msg)
