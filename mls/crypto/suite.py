"""Cipher suites 1 to 7 (RFC 9420, sections 5.1, 5.2, 8 and 17.1), and the labeled functions built on them.

Post-quantum suites stand apart, in `EXPERIMENTAL_CIPHER_SUITES`, and are had only by those who ask for them by name:
`cipher_suite(number, experimental=True)`.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from mls.codec import encode_opaque
from mls.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, Aead
from mls.crypto.dhkem import NistKem, X448Kem, X25519Kem
from mls.crypto.hpke import Hpke, Sealer
from mls.crypto.kdf import Kdf
from mls.crypto.kem import HPKEPrivateKey, Kem
from mls.crypto.signature import Ecdsa, Ed448, Ed25519, SignaturePrivateKey, SignatureScheme
from mls.crypto.xwing import XWingKem
from mls.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.crypto.random import Random
    from mls.crypto.secret import Secret

__all__ = ["CIPHER_SUITES", "EXPERIMENTAL_CIPHER_SUITES", "CipherSuite", "cipher_suite"]

_MAX_LABELS = 256
"""How many labels' prefixes are kept: MLS's own are few, a caller's could be any number."""

Buffer: TypeAlias = bytes | bytearray

Labels: TypeAlias = tuple[tuple[str, int], ...]
"""What to derive from one secret: labels, each with a length in bytes."""


class CipherSuite:
    """One cipher suite: its number, its sizes in bytes (`Nh`, `Nk`, `Nn`), and everything that it computes."""

    __slots__ = (
        "Nh",
        "Nk",
        "Nn",
        "_hash",
        "_label_prefixes",
        "_sign_prefixes",
        "aead",
        "hash_name",
        "hpke",
        "kdf",
        "kem",
        "key_and_nonce",
        "name",
        "number",
        "ratchet_step",
        "signature",
    )

    def __init__(self, number: int, name: str, hpke: Hpke, signature: SignatureScheme) -> None:
        self.number = number
        self.name = name
        self.hpke = hpke
        self.kem: Kem = hpke.kem
        self.kdf: Kdf = hpke.kdf
        self.aead: Aead = hpke.aead
        self.signature = signature
        self.hash_name = self.kdf.hash_name
        self._hash: Callable[[bytes], hashlib._Hash] = getattr(hashlib, self.hash_name)
        self.Nh = self.kdf.Nh
        self.Nk = self.aead.Nk
        self.Nn = self.aead.Nn
        self.key_and_nonce: Labels = (("key", self.Nk), ("nonce", self.Nn))
        self.ratchet_step: Labels = (*self.key_and_nonce, ("secret", self.Nh))
        self._label_prefixes: dict[tuple[str, int], bytes] = {}
        self._sign_prefixes: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"<CipherSuite {self.number}: {self.name}>"

    # Hash and MAC

    def hash(self, data: bytes) -> bytes:
        """`Hash`: `Nh` bytes."""
        return self._hash(data).digest()

    def mac(self, key: Secret, data: bytes) -> bytes:
        """`MAC`: HMAC, `Nh` bytes."""
        return hmac.digest(key.value, data, self.hash_name)

    def mac_is_valid(self, key: Secret, data: bytes, tag: bytes) -> bool:
        """Return whether `tag` is the MAC of `data`, in constant time and only at full length."""
        return hmac.compare_digest(self.mac(key, data), tag)

    def ref_hash(self, label: str, value: bytes) -> bytes:
        """`RefHash` (section 5.2)."""
        return self.hash(encode_opaque(label.encode()) + encode_opaque(value))

    def key_package_ref(self, key_package: bytes) -> bytes:
        """`MakeKeyPackageRef` of an encoded KeyPackage."""
        return self.ref_hash("MLS 1.0 KeyPackage Reference", key_package)

    def proposal_ref(self, authenticated_content: bytes) -> bytes:
        """`MakeProposalRef` of the encoded AuthenticatedContent that carries the proposal."""
        return self.ref_hash("MLS 1.0 Proposal Reference", authenticated_content)

    # Key derivation (section 8)

    def extract(self, salt: Buffer, ikm: Buffer) -> bytes:
        """`KDF.Extract`."""
        return self.kdf.extract(salt, ikm)

    def expand_with_label(self, secret: Buffer, label: str, context: bytes, length: int) -> bytes:
        """`ExpandWithLabel`: `length` bytes."""
        prefix = self._label_prefixes.get((label, length)) or self._label_prefix(label, length)
        if length <= self.Nh:  # one block: all that MLS itself ever asks for, and where its time goes
            return hmac.digest(secret, prefix + encode_opaque(context) + b"\x01", self.hash_name)[:length]
        return self.kdf.expand(secret, prefix + encode_opaque(context), length)

    def expand_with_labels(self, secret: Buffer, labels: Labels, context: bytes = b"") -> list[bytes]:
        """`ExpandWithLabel` of one secret with several labels, of at most `Nh` bytes each: quicker than one by one."""
        digest = self.kdf.hmac_key(secret).digest
        prefixes = self._label_prefixes
        end = encode_opaque(context) + b"\x01"
        return [digest((prefixes.get(label) or self._label_prefix(*label)) + end)[: label[1]] for label in labels]

    def _label_prefix(self, label: str, length: int) -> bytes:
        """Return the encoded `KDFLabel` without its context, and keep it."""
        if length > 0xFFFF:
            msg = f"ExpandWithLabel cannot derive {length} bytes: its length field has 16 bits"
            raise UsageError(msg)
        prefix = length.to_bytes(2, "big") + encode_opaque(b"MLS 1.0 " + label.encode())
        if len(self._label_prefixes) < _MAX_LABELS:
            self._label_prefixes[label, length] = prefix
        return prefix

    def derive_secret(self, secret: Buffer, label: str) -> bytes:
        """`DeriveSecret`: `Nh` bytes."""
        return self.expand_with_label(secret, label, b"", self.Nh)

    def derive_tree_secret(self, secret: Buffer, label: str, generation: int, length: int) -> bytes:
        """`DeriveTreeSecret` (section 9.1)."""
        return self.expand_with_label(secret, label, generation.to_bytes(4, "big"), length)

    # Signatures (section 5.1.2)

    def generate_signature_key(self, random: Random) -> SignaturePrivateKey:
        """Return a fresh signature key pair."""
        return SignaturePrivateKey(self.signature, self.signature.generate(random))

    def load_signature_key(self, data: Buffer) -> SignaturePrivateKey:
        """Return the key pair of a serialized private key. Raises `UsageError` for what is not one."""
        try:
            return SignaturePrivateKey(self.signature, data)
        except ValueError as error:
            msg = f"not a private signature key of cipher suite {self.number}: {error}"
            raise UsageError(msg) from error

    def sign_with_label(self, key: SignaturePrivateKey, label: str, content: bytes) -> bytes:
        """`SignWithLabel`."""
        return key.sign(self._sign_content(label, content))

    def verify_with_label(self, public_key: bytes, label: str, content: bytes, signature: bytes) -> bool:
        """`VerifyWithLabel`."""
        return self.signature.verify(public_key, signature, self._sign_content(label, content))

    def _sign_content(self, label: str, content: bytes) -> bytes:
        prefix = self._sign_prefixes.get(label)
        if prefix is None:
            prefix = encode_opaque(b"MLS 1.0 " + label.encode())
            if len(self._sign_prefixes) < _MAX_LABELS:
                self._sign_prefixes[label] = prefix
        return prefix + encode_opaque(content)

    # Public key encryption (section 5.1.3)

    def generate_hpke_key(self, random: Random) -> HPKEPrivateKey:
        """Return a fresh HPKE key pair."""
        return self.kem.generate_key_pair(random)

    def derive_key_pair(self, secret: Buffer) -> HPKEPrivateKey:
        """`KEM.DeriveKeyPair`."""
        return self.kem.derive_key_pair(secret)

    def load_hpke_key(self, data: Buffer) -> HPKEPrivateKey:
        """Return the key pair of a serialized private key. Raises `UsageError` for what is not one."""
        key = HPKEPrivateKey(self.kem, data)
        try:
            _ = key.public_key
        except ValueError as error:
            msg = f"not an HPKE private key of cipher suite {self.number}: {error}"
            raise UsageError(msg) from error
        return key

    def is_hpke_public_key(self, data: bytes) -> bool:
        """Return whether `data` is a public key of the suite's KEM."""
        return self.kem.is_public_key(data)

    def encryptor_with_label(self, label: str, context: bytes, random: Random) -> Sealer:
        """Return what does `EncryptWithLabel` to many public keys under one label and context."""
        return self.hpke.sealer(_encrypt_context(label, context), random)

    def encrypt_with_label(
        self, public_key: bytes, label: str, context: bytes, plaintext: bytes, random: Random
    ) -> tuple[bytes, bytes]:
        """`EncryptWithLabel`: `(kem_output, ciphertext)`. Raises `ValueError` for a bad public key."""
        return self.hpke.seal_base(public_key, _encrypt_context(label, context), plaintext, random)

    def decrypt_with_label(
        self, private: HPKEPrivateKey, label: str, context: bytes, kem_output: bytes, ciphertext: bytes
    ) -> bytes | None:
        """`DecryptWithLabel`: the plaintext, or `None` where this is not a ciphertext for `private`."""
        return self.hpke.open_base(private, kem_output, _encrypt_context(label, context), ciphertext)


def _encrypt_context(label: str, context: bytes) -> bytes:
    return encode_opaque(b"MLS 1.0 " + label.encode()) + encode_opaque(context)


_SHA256 = Kdf("sha256", 32)
_SHA384 = Kdf("sha384", 48)
_SHA512 = Kdf("sha512", 64)

_X25519 = X25519Kem(_SHA256)
_X448 = X448Kem(_SHA512)
_P256 = NistKem(0x0010, _SHA256, ec.SECP256R1(), 0xFF)
_P384 = NistKem(0x0011, _SHA384, ec.SECP384R1(), 0xFF)
_P521 = NistKem(0x0012, _SHA512, ec.SECP521R1(), 0x01)
_XWING = XWingKem(_X25519)

_ED25519 = Ed25519()
_ED448 = Ed448()

CIPHER_SUITES: Final = {
    suite.number: suite
    for suite in (
        CipherSuite(
            1, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", Hpke(_X25519, _SHA256, 1, AES_128_GCM), _ED25519
        ),
        CipherSuite(
            2,
            "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
            Hpke(_P256, _SHA256, 1, AES_128_GCM),
            Ecdsa(ec.SECP256R1(), hashes.SHA256()),
        ),
        CipherSuite(
            3,
            "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
            Hpke(_X25519, _SHA256, 1, CHACHA20_POLY1305),
            _ED25519,
        ),
        CipherSuite(4, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448", Hpke(_X448, _SHA512, 3, AES_256_GCM), _ED448),
        CipherSuite(
            5,
            "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
            Hpke(_P521, _SHA512, 3, AES_256_GCM),
            Ecdsa(ec.SECP521R1(), hashes.SHA512()),
        ),
        CipherSuite(
            6,
            "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
            Hpke(_X448, _SHA512, 3, CHACHA20_POLY1305),
            _ED448,
        ),
        CipherSuite(
            7,
            "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
            Hpke(_P384, _SHA384, 2, AES_256_GCM),
            Ecdsa(ec.SECP384R1(), hashes.SHA384()),
        ),
    )
}
"""The suites that the engine implements, by number (section 17.1)."""


EXPERIMENTAL_CIPHER_SUITES: Final = {
    number: CipherSuite(number, name, Hpke(_XWING, kdf, kdf_id, aead), _ED25519)
    for number, name, kdf, kdf_id, aead in (
        (0x004D, "MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519", _SHA256, 1, CHACHA20_POLY1305),
        (0x004E, "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519", _SHA384, 2, AES_256_GCM),
        (0x004F, "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519", _SHA256, 1, AES_128_GCM),
        (0x0053, "MLS_256_XWING_AES256GCM_SHA512_Ed25519", _SHA512, 3, AES_256_GCM),
        (0x0054, "MLS_256_XWING_CHACHA20POLY1305_SHA512_Ed25519", _SHA512, 3, CHACHA20_POLY1305),
        (0xF00D, "MLS_256_XWING_AES256GCM_SHA512_Ed25519", _SHA512, 3, AES_256_GCM),
        (0xF00E, "MLS_256_XWING_CHACHA20POLY1305_SHA512_Ed25519", _SHA512, 3, CHACHA20_POLY1305),
    )
}
"""Post-quantum suites, by number: X-Wing (`mls.crypto.xwing`) with Ed25519, whose signatures are not post-quantum.

**Not standardised.** The numbers are not registered: each is one that some implementation uses, by the name it gives,
and to others it may mean something else (0x004D is a suite with ML-KEM-512 in ts-mls 1.6). Numbers and constructions
may change with any release, and what is stored in such a suite may then be lost. Use them for nothing that is to be
kept. A suite is met in

==============  ============================================
0x004D          OpenMLS 0.9, with its libcrux provider
0x004E, 0x004F  OpenMLS 0.9, with its RustCrypto provider
0x0053, 0x0054  ts-mls 1.6
0xF00D, 0xF00E  ts-mls 2.0: the last two under new numbers
==============  ============================================

mls-rs 0.57 combines ML-KEM-768 and X25519 in a way of its own (65100), which is not X-Wing and not here.
"""


def cipher_suite(number: int, *, experimental: bool = False) -> CipherSuite:
    """Return the suite with that number; with `experimental`, also one of `EXPERIMENTAL_CIPHER_SUITES`.

    Raises `UsageError` for one that the engine does not have, or that was not asked for in this way.
    """
    if number in CIPHER_SUITES:
        return CIPHER_SUITES[number]
    if number not in EXPERIMENTAL_CIPHER_SUITES:
        msg = f"cipher suite {number} is not supported: the engine has {sorted(CIPHER_SUITES)}"
        raise UsageError(msg)
    suite = EXPERIMENTAL_CIPHER_SUITES[number]
    if not experimental:
        msg = f"cipher suite {number} ({suite.name}) is experimental, and no standard: to use it, say experimental=True"
        raise UsageError(msg)
    return suite
