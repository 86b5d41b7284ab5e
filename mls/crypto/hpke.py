"""HPKE in base mode (RFC 9180): `SealBase`, `OpenBase`, and the export that external Commits need.

With the NIST curves, sealing and opening go to `cryptography` where the ephemeral key may be any. Our own code does the
rest: X25519 (by libsodium, which lets several threads seal), X448, X-Wing, an ephemeral drawn from the caller's
randomness (repeatable runs), and export.
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

    def sealer(self, info: bytes, random: Random) -> Sealer:
        """Return what seals to any number of recipients under one `info`."""
        return Sealer(self, info, random)

    def seal_base(self, public_key: bytes, info: bytes, plaintext: bytes, random: Random) -> tuple[bytes, bytes]:
        """`SealBase` with an empty AAD: `(kem_output, ciphertext)`. Raises `ValueError` for a bad public key."""
        return self.sealer(info, random).seal(public_key, plaintext)

    def open_base(self, private: HPKEPrivateKey, enc: bytes, info: bytes, ciphertext: bytes) -> bytes | None:
        """`OpenBase` with an empty AAD: the plaintext, or `None` if this is not a ciphertext for `private`."""
        if self.native:
            if len(enc) != self.kem.Nenc:
                return None
            try:
                sealed = enc + ciphertext
                return self.native.decrypt(sealed, private.key, info=info)  # type: ignore[arg-type]  # is one of its own
            except InvalidTag:
                return None
        try:
            shared_secret = self.kem.decap(private, enc)
        except ValueError:
            return None
        key, nonce = self.key_and_nonce(shared_secret, self.context(info))
        return self.aead.open(key, nonce, ciphertext, b"")

    def export_to(self, public_key: bytes, label: bytes, length: int, random: Random) -> tuple[bytes, bytes]:
        """`SetupBaseS(public_key, "")`, then export: `(kem_output, secret)`. Raises `ValueError` for a bad key."""
        enc, shared_secret = self.kem.encap(public_key, random)
        return enc, self._export(shared_secret, label, length)

    def export_from(self, private: HPKEPrivateKey, enc: bytes, label: bytes, length: int) -> bytes:
        """`SetupBaseR(enc, private, "")`, then export. Raises `ValueError` for a bad `enc`."""
        return self._export(self.kem.decap(private, enc), label, length)

    def context(self, info: bytes) -> bytes:
        """Return the `key_schedule_context` of base mode (RFC 9180, section 5.1)."""
        return _MODE_BASE + self._empty_psk_id_hash + self._labeled_extract(b"", b"info_hash", info)

    def key_and_nonce(self, shared_secret: bytes, context: bytes) -> tuple[bytes, bytes]:
        """Return the key and the base nonce of `KeySchedule` (RFC 9180, section 5.1)."""
        secret = self._labeled_extract(shared_secret, b"secret", b"")
        digest = self.kdf.hmac_key(secret).digest  # a key and a nonce are shorter than a hash: one block of HKDF each
        key = digest(self._labeled_info(b"key", context, self.aead.Nk) + b"\x01")[: self.aead.Nk]
        return key, digest(self._labeled_info(b"base_nonce", context, self.aead.Nn) + b"\x01")[: self.aead.Nn]

    def exporter_secret(self, shared_secret: bytes, context: bytes) -> bytes:
        """Return the `exporter_secret` of `KeySchedule`: `Nh` bytes (RFC 9180, section 5.1)."""
        secret = self._labeled_extract(shared_secret, b"secret", b"")
        return self._labeled_expand(secret, b"exp", context, self.kdf.Nh)

    def _export(self, shared_secret: bytes, label: bytes, length: int) -> bytes:
        return self._labeled_expand(self.exporter_secret(shared_secret, self.context(b"")), b"sec", label, length)

    def _labeled_extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return self.kdf.extract(salt, b"HPKE-v1" + self._suite_id + label + ikm)

    def _labeled_expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return self.kdf.expand(prk, self._labeled_info(label, info, length), length)

    def _labeled_info(self, label: bytes, info: bytes, length: int) -> bytes:
        return length.to_bytes(2, "big") + b"HPKE-v1" + self._suite_id + label + info


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

    @property
    def runs_in_parallel(self) -> bool:
        """Whether several threads that seal are quicker than one."""
        return self._hpke.kem.runs_in_parallel

    def draw(self) -> bytes:
        """Return the randomness that `seal_with` takes."""
        return self._random(self._hpke.kem.Nsk)

    def seal_with(self, drawn: bytes, public_key: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """`seal` with an ephemeral key out of what was drawn before. Only where `runs_in_parallel`."""
        return self._seal(public_key, plaintext, lambda _: drawn)

    def seal(self, public_key: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """Return `(kem_output, ciphertext)`. Raises `ValueError` for a bad public key."""
        hpke = self._hpke
        if self._context is None and hpke.native is not None:
            recipient = hpke.kem.parse_public(public_key)
            sealed = hpke.native.encrypt(plaintext, recipient, info=self._info)  # type: ignore[arg-type]  # is one of its own
            return sealed[: hpke.kem.Nenc], sealed[hpke.kem.Nenc :]
        return self._seal(public_key, plaintext, self._random)

    def _seal(self, public_key: bytes, plaintext: bytes, random: Random) -> tuple[bytes, bytes]:
        hpke = self._hpke
        enc, shared_secret = hpke.kem.encap(public_key, random)
        key, nonce = hpke.key_and_nonce(shared_secret, self._context or b"")
        return enc, hpke.aead.seal(key, nonce, plaintext, b"")
