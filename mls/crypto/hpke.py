"""HPKE in base mode (RFC 9180): `SealBase`, `OpenBase`, and the export that external Commits need.

Sealing and opening go to `cryptography` where it has the suite and where the ephemeral key may be any. Our own
code does the rest: X448, an ephemeral drawn from the caller's randomness (repeatable runs), and export.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke as native

from mls.crypto.random import Random, system_random

if TYPE_CHECKING:
    from mls.crypto.aead import Aead
    from mls.crypto.kdf import Kdf
    from mls.crypto.kem import HPKEPrivateKey, Kem

__all__ = ["Hpke", "Sealer"]

_NATIVE_KEMS = {
    0x0010: native.KEM.P256,
    0x0011: native.KEM.P384,
    0x0012: native.KEM.P521,
    0x0020: native.KEM.X25519,
}
_NATIVE_KDFS = {1: native.KDF.HKDF_SHA256, 2: native.KDF.HKDF_SHA384, 3: native.KDF.HKDF_SHA512}
_NATIVE_AEADS = {1: native.AEAD.AES_128_GCM, 2: native.AEAD.AES_256_GCM, 3: native.AEAD.CHACHA20_POLY1305}

_MODE_BASE = b"\x00"

_SHORT_INFO = 4096
"""Up to this many bytes of `info`, hashing it again costs less than what `cryptography` saves."""


class Hpke:
    """One HPKE suite: a KEM, a KDF and an AEAD."""

    __slots__ = ("_empty_psk_id_hash", "_suite_id", "aead", "kdf", "kem", "native")

    def __init__(self, kem: Kem, kdf: Kdf, kdf_id: int, aead: Aead) -> None:
        self.kem = kem
        self.kdf = kdf
        self.aead = aead
        self._suite_id = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (kem.id, kdf_id, aead.id))
        self._empty_psk_id_hash = self._labeled_extract(b"", b"psk_id_hash", b"")
        native_kem = _NATIVE_KEMS.get(kem.id)
        self.native: native.Suite | None = None
        if native_kem is not None:
            self.native = native.Suite(native_kem, _NATIVE_KDFS[kdf_id], _NATIVE_AEADS[aead.id])

    def generate_key_pair(self, random: Random) -> HPKEPrivateKey:
        """Return a fresh key pair, derived from `Nsk` random bytes."""
        return self.kem.derive_key_pair(random(self.kem.Nsk))

    def sealer(self, info: bytes, random: Random) -> Sealer:
        """Return what seals to any number of recipients under one `info`."""
        return Sealer(self, info, random)

    def seal_base(self, public_key: bytes, info: bytes, plaintext: bytes, random: Random) -> tuple[bytes, bytes]:
        """`SealBase` with an empty AAD: `(kem_output, ciphertext)`. Raises `ValueError` for a bad public key."""
        return self.sealer(info, random).seal(public_key, plaintext)

    def open_base(self, private: HPKEPrivateKey, enc: bytes, info: bytes, ciphertext: bytes) -> bytes | None:
        """`OpenBase` with an empty AAD: the plaintext, or `None` if this is not a ciphertext for `private`."""
        if self.native:
            if len(enc) != self.kem.Npk:
                return None
            try:
                sealed = enc + ciphertext
                return self.native.decrypt(sealed, private.key, info=info)  # type: ignore[arg-type]  # never X448
            except InvalidTag:
                return None
        try:
            shared_secret = self._decapsulate(private, enc)
        except ValueError:
            return None
        key, nonce = self.key_and_nonce(shared_secret, self.context(info))
        return self.aead.open(key, nonce, ciphertext, b"")

    def export_to(self, public_key: bytes, label: bytes, length: int, random: Random) -> tuple[bytes, bytes]:
        """`SetupBaseS(public_key, "")`, then export: `(kem_output, secret)`. Raises `ValueError` for a bad key."""
        enc, shared_secret = self.encapsulate(public_key, random)
        return enc, self._export(shared_secret, label, length)

    def export_from(self, private: HPKEPrivateKey, enc: bytes, label: bytes, length: int) -> bytes:
        """`SetupBaseR(enc, private, "")`, then export. Raises `ValueError` for a bad `enc`."""
        return self._export(self._decapsulate(private, enc), label, length)

    def encapsulate(self, public_key: bytes, random: Random) -> tuple[bytes, bytes]:
        """`Encap`: the encapsulation and the shared secret. Raises `ValueError` for a bad public key."""
        recipient = self.kem.parse_public(public_key)
        ephemeral = self.generate_key_pair(random)
        enc = ephemeral.public_key
        dh = self.kem.exchange(ephemeral.key, recipient)
        ephemeral.secret.wipe()
        return enc, self.kem.shared_secret(dh, enc, public_key)

    def _decapsulate(self, private: HPKEPrivateKey, enc: bytes) -> bytes:
        dh = self.kem.exchange(private.key, self.kem.parse_public(enc))
        return self.kem.shared_secret(dh, enc, private.public_key)

    def context(self, info: bytes) -> bytes:
        """Return the `key_schedule_context` of base mode (RFC 9180, section 5.1)."""
        return _MODE_BASE + self._empty_psk_id_hash + self._labeled_extract(b"", b"info_hash", info)

    def key_and_nonce(self, shared_secret: bytes, context: bytes) -> tuple[bytes, bytes]:
        """Return the key and the base nonce of `KeySchedule` (RFC 9180, section 5.1)."""
        secret = self._labeled_extract(shared_secret, b"secret", b"")
        key = self._labeled_expand(secret, b"key", context, self.aead.Nk)
        return key, self._labeled_expand(secret, b"base_nonce", context, self.aead.Nn)

    def exporter_secret(self, shared_secret: bytes, context: bytes) -> bytes:
        """Return the `exporter_secret` of `KeySchedule`: `Nh` bytes (RFC 9180, section 5.1)."""
        secret = self._labeled_extract(shared_secret, b"secret", b"")
        return self._labeled_expand(secret, b"exp", context, self.kdf.Nh)

    def _export(self, shared_secret: bytes, label: bytes, length: int) -> bytes:
        return self._labeled_expand(self.exporter_secret(shared_secret, self.context(b"")), b"sec", label, length)

    def _labeled_extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return self.kdf.extract(salt, b"HPKE-v1" + self._suite_id + label + ikm)

    def _labeled_expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return self.kdf.expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + self._suite_id + label + info, length)


class Sealer:
    """`SealBase` to many recipients under one `info`, which is hashed once.

    For a Welcome that is most of the work: its `info` holds the whole encrypted GroupInfo.
    """

    __slots__ = ("_context", "_hpke", "_info", "_random")

    def __init__(self, hpke: Hpke, info: bytes, random: Random) -> None:
        self._hpke = hpke
        self._info = info
        self._random = random
        is_native = hpke.native and random is system_random and len(info) <= _SHORT_INFO
        self._context = None if is_native else hpke.context(info)

    def seal(self, public_key: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """Return `(kem_output, ciphertext)`. Raises `ValueError` for a bad public key."""
        hpke = self._hpke
        if self._context is None and hpke.native is not None:
            recipient = hpke.kem.parse_public(public_key)
            sealed = hpke.native.encrypt(plaintext, recipient, info=self._info)  # type: ignore[arg-type]  # never X448
            return sealed[: hpke.kem.Npk], sealed[hpke.kem.Npk :]
        enc, shared_secret = hpke.encapsulate(public_key, self._random)
        key, nonce = hpke.key_and_nonce(shared_secret, self._context or b"")
        return enc, hpke.aead.seal(key, nonce, plaintext, b"")
