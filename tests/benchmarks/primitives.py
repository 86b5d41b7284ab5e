"""The bare cryptographic calls of a cipher suite, ready to be timed.

Each method prepares its keys and data and returns a call without arguments, made of `cryptography`, `nacl`,
`hashlib` and `hmac` alone: nothing of the engine is in what is timed. Key objects are parsed before, but for the
AEAD's, whose keys serve once.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hpke as native
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, x448, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

__all__ = ["Call", "Primitives", "opaque"]

Call: TypeAlias = Callable[[], object]

PrivateKey: TypeAlias = x25519.X25519PrivateKey | x448.X448PrivateKey | ec.EllipticCurvePrivateKey
SigningKey: TypeAlias = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | ec.EllipticCurvePrivateKey
Cipher: TypeAlias = type[AESGCM] | type[ChaCha20Poly1305]


def opaque(size: int) -> int:
    """Return the bytes that an `opaque<V>` of `size` bytes takes (section 2.1.2)."""
    return size + (1 if size < 1 << 6 else 2 if size < 1 << 14 else 4)


class _Parts(NamedTuple):
    """A cipher suite's parts (section 17.1). `kem` is `None` where `cryptography` has no HPKE for the curve."""

    curve: type[x25519.X25519PrivateKey | x448.X448PrivateKey] | ec.EllipticCurve
    kem: native.KEM | None
    hash_name: str
    cipher: Cipher
    key_size: int
    signs_with: type[ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey] | ec.EllipticCurve


_25519, _448 = x25519.X25519PrivateKey, x448.X448PrivateKey
_P256, _P384, _P521 = ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()

_SUITES = {
    1: _Parts(_25519, native.KEM.X25519, "sha256", AESGCM, 16, ed25519.Ed25519PrivateKey),
    2: _Parts(_P256, native.KEM.P256, "sha256", AESGCM, 16, _P256),
    3: _Parts(_25519, native.KEM.X25519, "sha256", ChaCha20Poly1305, 32, ed25519.Ed25519PrivateKey),
    4: _Parts(_448, None, "sha512", AESGCM, 32, ed448.Ed448PrivateKey),
    5: _Parts(_P521, native.KEM.P521, "sha512", AESGCM, 32, _P521),
    6: _Parts(_448, None, "sha512", ChaCha20Poly1305, 32, ed448.Ed448PrivateKey),
    7: _Parts(_P384, native.KEM.P384, "sha384", AESGCM, 32, _P384),
}

_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
_KDFS = {"sha256": native.KDF.HKDF_SHA256, "sha384": native.KDF.HKDF_SHA384, "sha512": native.KDF.HKDF_SHA512}

_NONCE = bytes(12)


class Primitives:
    """The calls of one cipher suite. Sizes are in bytes; `Nh` is the hash's."""

    def __init__(self, suite: int) -> None:
        self._parts = parts = _SUITES[suite]
        self._hash = getattr(hashlib, parts.hash_name)
        self._ecdsa = ec.ECDSA(_HASHES[parts.hash_name])
        self.Nh: int = self._hash().digest_size
        self._signing_key = _new_signing_key(parts)
        self._recipient = _new_key(parts)

    # Symmetric

    def hash(self, size: int) -> Call:
        """`Hash` of `size` bytes."""
        return partial(_digest, self._hash, bytes(size))

    def hmac(self, size: int = 40) -> Call:
        """One HMAC: what `KDF.Extract`, `KDF.Expand` to one hash, and `MAC` are."""
        return partial(hmac.digest, bytes(self.Nh), bytes(size), self._parts.hash_name)

    def seal(self, size: int, aad: int) -> Call:
        """AEAD encryption under a key that was not used before."""
        return partial(_seal, self._parts.cipher, bytes(self._parts.key_size), bytes(size), bytes(aad))

    def open(self, size: int, aad: int) -> Call:
        """AEAD decryption to `size` bytes under a key that was not used before."""
        cipher, key = self._parts.cipher, bytes(self._parts.key_size)
        sealed = _seal(cipher, key, bytes(size), bytes(aad))
        return partial(_open, cipher, key, sealed, bytes(aad))

    # Signatures

    def sign(self, size: int) -> Call:
        """A signature over `size` bytes."""
        data = bytes(size)
        match self._signing_key:
            case ec.EllipticCurvePrivateKey() as key:
                return partial(key.sign, data, self._ecdsa)
            case ed25519.Ed25519PrivateKey() as key:
                _, expanded = crypto_sign_seed_keypair(key.private_bytes_raw())
                return partial(crypto_sign, data, expanded)
            case key:
                return partial(key.sign, data)

    def verify(self, public_key: bytes, content: bytes, signature: bytes) -> Call:
        """The verification of a real signature: it raises where this list and the engine do not agree."""
        match self._parts.signs_with:
            case ec.EllipticCurve() as curve:
                point = ec.EllipticCurvePublicKey.from_encoded_point(curve, public_key)
                return partial(point.verify, signature, content, self._ecdsa)
            case ed25519.Ed25519PrivateKey:
                return partial(crypto_sign_open, signature + content, public_key)
            case _:
                return partial(ed448.Ed448PublicKey.from_public_bytes(public_key).verify, signature, content)

    # Public-key encryption

    def key_pair(self) -> Call:
        """A fresh key pair of the KEM, and its public key as on the wire."""
        return partial(_generate, self._parts)

    def derive_key_pair(self) -> list[Call]:
        """`DeriveKeyPair` with the public key as on the wire (RFC 9180, section 7.1.3)."""
        load, size = _loading(self._recipient)
        blocks = -(-size // self.Nh)
        return [*[self.hmac()] * (1 + blocks), load]

    def encrypt(self, size: int, info: int) -> list[Call]:
        """HPKE encryption of `size` bytes to a public key that is parsed already."""
        match self._recipient:
            case x448.X448PrivateKey() as key:
                exchange = partial(x448.X448PrivateKey.generate().exchange, key.public_key())
                return [self.key_pair(), exchange, *self._key_schedule(info), self.seal(size, 0)]
            case key:
                return [partial(self._hpke().encrypt, bytes(size), key.public_key(), info=bytes(info))]

    def decrypt(self, size: int, info: int) -> list[Call]:
        """HPKE decryption to `size` bytes."""
        match self._recipient:
            case x448.X448PrivateKey() as key:
                exchange = partial(key.exchange, x448.X448PrivateKey.generate().public_key())
                return [exchange, *self._key_schedule(info), self.open(size, 0)]
            case key:
                sealed = self._hpke().encrypt(bytes(size), key.public_key(), info=bytes(info))
                return [partial(self._hpke().decrypt, sealed, key, info=bytes(info))]

    def _hpke(self) -> native.Suite:
        parts = self._parts
        assert parts.kem is not None
        return native.Suite(parts.kem, _KDFS[parts.hash_name], _aead(parts))

    def _key_schedule(self, info: int) -> list[Call]:
        """ExtractAndExpand, then KeySchedule in base mode (RFC 9180, sections 4.1 and 5.1): two and four HMACs."""
        return [*[self.hmac()] * 5, self.hmac(info)]


def _aead(parts: _Parts) -> native.AEAD:
    if parts.cipher is ChaCha20Poly1305:
        return native.AEAD.CHACHA20_POLY1305
    return native.AEAD.AES_128_GCM if parts.key_size == 16 else native.AEAD.AES_256_GCM


def _new_key(parts: _Parts) -> PrivateKey:
    match parts.curve:
        case ec.EllipticCurve() as curve:
            return ec.generate_private_key(curve)
        case generator:
            return generator.generate()


def _new_signing_key(parts: _Parts) -> SigningKey:
    match parts.signs_with:
        case ec.EllipticCurve() as curve:
            return ec.generate_private_key(curve)
        case generator:
            return generator.generate()


# What is timed


def _digest(function: Callable[[bytes], hashlib._Hash], data: bytes) -> bytes:
    return function(data).digest()


def _seal(cipher: Cipher, key: bytes, data: bytes, aad: bytes) -> bytes:
    return cipher(key).encrypt(_NONCE, data, aad)


def _open(cipher: Cipher, key: bytes, sealed: bytes, aad: bytes) -> bytes:
    return cipher(key).decrypt(_NONCE, sealed, aad)


def _generate(parts: _Parts) -> bytes:
    return _public_bytes(_new_key(parts))


def _loading(key: PrivateKey) -> tuple[Call, int]:
    """Return the loading of a private key, and its size (`Nsk`)."""
    match key:
        case ec.EllipticCurvePrivateKey():
            return partial(_load_number, key.private_numbers().private_value, key.curve), -(-key.key_size // 8)
        case x25519.X25519PrivateKey():
            return partial(_load, x25519.X25519PrivateKey, key.private_bytes_raw()), 32
        case x448.X448PrivateKey():
            return partial(_load, x448.X448PrivateKey, key.private_bytes_raw()), 56


def _load(kind: type[x25519.X25519PrivateKey | x448.X448PrivateKey], data: bytes) -> bytes:
    return kind.from_private_bytes(data).public_key().public_bytes_raw()


def _load_number(number: int, curve: ec.EllipticCurve) -> bytes:
    return _public_bytes(ec.derive_private_key(number, curve))


def _public_bytes(key: PrivateKey) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key.public_key().public_bytes_raw()
