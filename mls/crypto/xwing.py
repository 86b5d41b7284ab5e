"""X-Wing: the KEM that combines ML-KEM-768 with X25519 (draft-connolly-cfrg-xwing-kem, -06 to -10).

What it encapsulates stays secret as long as one of the two is unbroken, so that what is recorded today cannot be read
once a quantum computer breaks X25519. It is a draft. Another one, draft-ietf-hpke-pq, takes it over and derives key
pairs in another way; this module does it as X-Wing's own draft says, and so do the implementations that it meets.

X25519 gives zeros for a point of low order, whatever the private key. X-Wing's draft does not say what to do then, and
so leaves the choice that RFC 7748, section 6.1, gives. RFC 9180, section 7.1.4, does not give it: such points are
refused here, in keys and in encapsulations.
"""

from __future__ import annotations

from hashlib import sha3_256, shake_256
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from mls.crypto.kem import HPKEPrivateKey, Kem, PrivateKey, PublicKey
from mls.errors import InternalError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.crypto.dhkem import X25519Kem
    from mls.crypto.random import Random

__all__ = ["XWingKem", "XWingPrivateKey", "XWingPublicKey"]

Key = TypeVar("Key", MLKEM768PrivateKey, MLKEM768PublicKey)

_LABEL = b"\\.//^\\"
_ML_KEM_SEED = 64
_ML_KEM_PUBLIC_KEY = 1184
_ML_KEM_CIPHERTEXT = 1088


class XWingPrivateKey(NamedTuple):
    """The two halves of a decapsulation key."""

    ml_kem: MLKEM768PrivateKey
    x25519: HPKEPrivateKey


class XWingPublicKey(NamedTuple):
    """The two halves of an encapsulation key."""

    ml_kem: MLKEM768PublicKey
    x25519: PublicKey


class XWingKem(Kem):
    """X-Wing. A private key is the seed of both halves; what is public has ML-KEM's half first.

    An encapsulation is never repeatable: of the randomness that goes into it, X25519's half is drawn from the caller's
    source, and ML-KEM's half comes from OpenSSL, for `cryptography` takes none from outside. Key pairs are repeatable.
    """

    __slots__ = ("_x25519",)

    def __init__(self, x25519: X25519Kem) -> None:
        super().__init__(0x647A, 32, _ML_KEM_PUBLIC_KEY + x25519.Npk, _ML_KEM_CIPHERTEXT + x25519.Npk)
        self._x25519 = x25519

    def parse_private(self, data: bytes | bytearray) -> tuple[PrivateKey, bytes]:
        if len(data) != self.Nsk:
            msg = f"{len(data)} bytes instead of {self.Nsk}"
            raise ValueError(msg)
        expanded = shake_256(data).digest(_ML_KEM_SEED + self._x25519.Nsk)
        ml_kem = _parse(MLKEM768PrivateKey.from_seed_bytes, expanded[:_ML_KEM_SEED])
        x25519 = HPKEPrivateKey(self._x25519, expanded[_ML_KEM_SEED:])
        return XWingPrivateKey(ml_kem, x25519), ml_kem.public_key().public_bytes_raw() + x25519.public_key

    def parse_public(self, data: bytes) -> XWingPublicKey:
        # The parser makes the modulus check of FIPS 203, section 7.2, that X-Wing asks for.
        ml_kem = _parse(MLKEM768PublicKey.from_public_bytes, data[:_ML_KEM_PUBLIC_KEY])
        return XWingPublicKey(ml_kem, self._x25519.parse_public(data[_ML_KEM_PUBLIC_KEY:]))

    def derive_private(self, ikm: bytes | bytearray) -> bytes:
        return shake_256(ikm).digest(self.Nsk)

    def encap(self, public_key: bytes, random: Random) -> tuple[bytes, bytes]:
        recipient = self.parse_public(public_key)
        ephemeral = HPKEPrivateKey(self._x25519, random(self._x25519.Nsk))
        enc = ephemeral.public_key
        dh = self._x25519.exchange(ephemeral, recipient.x25519)
        ephemeral.secret.wipe()
        secret, ciphertext = recipient.ml_kem.encapsulate()
        return ciphertext + enc, _combine(secret, dh, enc, public_key[_ML_KEM_PUBLIC_KEY:])

    def decap(self, private: HPKEPrivateKey, enc: bytes) -> bytes:
        key = private.key
        if not isinstance(key, XWingPrivateKey):
            msg = "a private key of another KEM was mixed with X-Wing's"
            raise InternalError(msg)
        ciphertext, ephemeral = enc[:_ML_KEM_CIPHERTEXT], enc[_ML_KEM_CIPHERTEXT:]
        dh = self._x25519.exchange(key.x25519, self._x25519.parse_public(ephemeral))
        secret = key.ml_kem.decapsulate(ciphertext)
        return _combine(secret, dh, ephemeral, private.public_key[_ML_KEM_PUBLIC_KEY:])


def _combine(ml_kem: bytes, dh: bytes, enc: bytes, recipient: bytes) -> bytes:
    """`Combiner`: the two shared secrets, X25519's encapsulation and public key. ML-KEM binds its own by itself."""
    return sha3_256(ml_kem + dh + enc + recipient + _LABEL).digest()


def _parse(parser: Callable[[bytes], Key], data: bytes) -> Key:
    """Return an ML-KEM key. Raises `ValueError`, and `UsageError` where there is no ML-KEM."""
    try:
        return parser(data)
    except UnsupportedAlgorithm as error:
        msg = "X-Wing needs ML-KEM, which this `cryptography` was built without: install one with OpenSSL 3.5 or newer"
        raise UsageError(msg) from error
