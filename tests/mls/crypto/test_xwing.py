"""X-Wing: its draft's vectors, HPKE with it, and `cryptography`'s HPKE as the other side."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.backends.openssl.backend import backend
from cryptography.hazmat.primitives import hpke as native
from cryptography.hazmat.primitives.asymmetric import x25519

from mls.crypto.kem import HPKEPrivateKey
from mls.crypto.random import system_random
from mls.crypto.suite import EXPERIMENTAL_CIPHER_SUITES, CipherSuite
from mls.crypto.xwing import XWingPrivateKey, XWingPublicKey
from mls.errors import UsageError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "xwing.json").read_text(encoding="utf-8"))
KEM = EXPERIMENTAL_CIPHER_SUITES[0x004D].kem
HPKE_VECTOR = VECTORS["hpke"]
KDFS = {"sha256": native.KDF.HKDF_SHA256, "sha384": native.KDF.HKDF_SHA384, "sha512": native.KDF.HKDF_SHA512}
AEADS = {1: native.AEAD.AES_128_GCM, 2: native.AEAD.AES_256_GCM, 3: native.AEAD.CHACHA20_POLY1305}
SEED, INFO, PLAINTEXT = bytes(range(32)), b"info", b"plaintext"
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255 - 20).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ((1 << 255) + 1).to_bytes(32, "little"),  # the unused bit is set
    (2**255 - 18).to_bytes(32, "little"),  # 1, not reduced
]

kem_vectors = pytest.mark.parametrize("vector", VECTORS["kem"], ids=["first", "second", "third"])
suites = pytest.mark.parametrize(
    "suite", EXPERIMENTAL_CIPHER_SUITES.values(), ids=lambda suite: f"suite{suite.number:#x}"
)
low_order = pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: f"{point[0]:02x}-{point[-1]:02x}")


def field(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


def native_suite(suite: CipherSuite) -> native.Suite:
    return native.Suite(native.KEM.MLKEM768_X25519, KDFS[suite.hash_name], AEADS[suite.aead.id])


# Vectors


@kem_vectors
def test_vector_key_pair(vector: dict[str, Any]) -> None:
    assert HPKEPrivateKey(KEM, field(vector, "sk")).public_key == field(vector, "pk")
    assert KEM.is_public_key(field(vector, "pk"))


@kem_vectors
def test_vector_decapsulation(vector: dict[str, Any]) -> None:
    assert KEM.decap(HPKEPrivateKey(KEM, field(vector, "sk")), field(vector, "ct")) == field(vector, "ss")


@kem_vectors
def test_vector_encapsulation_as_far_as_it_repeats(vector: dict[str, Any]) -> None:
    """X25519's half is the vector's; ML-KEM's cannot be, and what comes of both decapsulates."""
    drawn = []

    def ephemeral(size: int) -> bytes:
        drawn.append(size)
        return field(vector, "eseed")[32:]

    enc, shared_secret = KEM.encap(field(vector, "pk"), ephemeral)

    assert drawn == [32]
    assert enc[1088:] == field(vector, "ct")[1088:]
    assert enc[:1088] != field(vector, "ct")[:1088]
    assert KEM.decap(HPKEPrivateKey(KEM, field(vector, "sk")), enc) == shared_secret


@pytest.mark.parametrize("vector", VECTORS["derive_key_pair"], ids=lambda vector: f"{len(vector['ikm']) // 2}")
def test_vector_derive_key_pair(vector: dict[str, Any]) -> None:
    pair = KEM.derive_key_pair(field(vector, "ikm"))

    assert pair.secret.value == field(vector, "sk") == hashlib.shake_256(field(vector, "ikm")).digest(32)
    assert hashlib.sha256(pair.public_key).hexdigest() == vector["pk_sha256"]


def test_vector_hpke() -> None:
    hpke = EXPERIMENTAL_CIPHER_SUITES[0x004D].hpke
    receiver = HPKEPrivateKey(KEM, field(HPKE_VECTOR, "skRm"))
    shared_secret = KEM.decap(receiver, field(HPKE_VECTOR, "enc"))
    context = hpke.context(field(HPKE_VECTOR, "info"))
    exporter_secret = hpke.exporter_secret(shared_secret, context)

    assert hpke._suite_id == b"HPKE" + b"".join(
        HPKE_VECTOR[f"{name}_id"].to_bytes(2) for name in ("kem", "kdf", "aead")
    )
    assert receiver.public_key == field(HPKE_VECTOR, "pkRm")
    assert shared_secret == field(HPKE_VECTOR, "shared_secret")
    assert hpke.key_and_nonce(shared_secret, context) == (field(HPKE_VECTOR, "key"), field(HPKE_VECTOR, "base_nonce"))
    assert exporter_secret == field(HPKE_VECTOR, "exporter_secret")
    for export in HPKE_VECTOR["exports"]:
        exported = hpke._labeled_expand(exporter_secret, b"sec", field(export, "exporter_context"), export["L"])
        assert exported == field(export, "exported_value")


def test_vector_hpke_encryption() -> None:
    encryption = HPKE_VECTOR["encryption"]
    plaintext, aad, ciphertext = (field(encryption, name) for name in ("pt", "aad", "ct"))
    aead = EXPERIMENTAL_CIPHER_SUITES[0x004D].aead

    assert aead.seal(field(HPKE_VECTOR, "key"), field(HPKE_VECTOR, "base_nonce"), plaintext, aad) == ciphertext


# Our own code and `cryptography`'s, in both directions


@suites
def test_cryptography_opens_what_we_seal(suite: CipherSuite) -> None:
    pair = suite.generate_hpke_key(seeded(1).randbytes)
    enc, ciphertext = suite.hpke.seal_base(pair.public_key, INFO, PLAINTEXT, system_random)

    key = pair.key
    assert isinstance(key, XWingPrivateKey)
    half = x25519.X25519PrivateKey.from_private_bytes(key.x25519.secret.value)
    private = native.MLKEM768X25519PrivateKey(key.ml_kem, half)
    assert native_suite(suite).decrypt(enc + ciphertext, private, info=INFO) == PLAINTEXT


@suites
def test_we_open_what_cryptography_seals(suite: CipherSuite) -> None:
    pair = suite.generate_hpke_key(seeded(1).randbytes)
    key = suite.kem.parse_public(pair.public_key)
    assert isinstance(key, XWingPublicKey)
    assert isinstance(key.x25519, bytes)

    public = native.MLKEM768X25519PublicKey(key.ml_kem, x25519.X25519PublicKey.from_public_bytes(key.x25519))
    sealed = native_suite(suite).encrypt(PLAINTEXT, public, info=INFO)

    assert suite.hpke.open_base(pair, sealed[:1120], INFO, sealed[1120:]) == PLAINTEXT


# Randomness


def test_key_pairs_repeat_and_encapsulations_do_not() -> None:
    first, second = (KEM.generate_key_pair(seeded(1).randbytes) for _ in range(2))
    (enc, secret), (other_enc, other_secret) = (KEM.encap(first.public_key, seeded(2).randbytes) for _ in range(2))

    assert first.public_key == second.public_key
    assert enc[1088:] == other_enc[1088:]
    assert enc[:1088] != other_enc[:1088]
    assert secret != other_secret
    assert KEM.decap(second, enc) == secret


def test_each_half_of_an_encapsulation_counts() -> None:
    pair = KEM.derive_key_pair(SEED)
    (enc, secret), (other, _) = (KEM.encap(pair.public_key, system_random) for _ in range(2))

    assert KEM.decap(pair, enc) == secret
    assert KEM.decap(pair, other[:1088] + enc[1088:]) != secret
    assert KEM.decap(pair, enc[:1088] + other[1088:]) != secret


# Keys and encapsulations that are none


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_seeds_of_other_sizes_do_not_load(size: int) -> None:
    suite = EXPERIMENTAL_CIPHER_SUITES[0x004D]

    with pytest.raises(UsageError, match=f"not an HPKE private key of cipher suite 77: {size} bytes instead of 32"):
        suite.load_hpke_key(bytes(size))


@low_order
def test_a_public_key_with_a_point_of_low_order_is_none(point: bytes) -> None:
    public_key = KEM.derive_key_pair(SEED).public_key[:1184] + point

    assert not KEM.is_public_key(public_key)
    with pytest.raises(ValueError, match="low order"):
        KEM.encap(public_key, system_random)


@low_order
def test_an_encapsulation_with_a_point_of_low_order_opens_nothing(point: bytes) -> None:
    suite = EXPERIMENTAL_CIPHER_SUITES[0x004D]
    pair = suite.derive_key_pair(SEED)
    enc, ciphertext = suite.hpke.seal_base(pair.public_key, INFO, PLAINTEXT, system_random)

    with pytest.raises(ValueError, match="low order"):
        KEM.decap(pair, enc[:1088] + point)
    assert suite.hpke.open_base(pair, enc[:1088] + point, INFO, ciphertext) is None


@pytest.mark.parametrize("position", [0, 1, 383, 384, 767])
def test_a_coefficient_that_is_not_reduced_makes_no_public_key(position: int) -> None:
    """The modulus check of FIPS 203, section 7.2: coefficients have 12 bits, and are less than 3329."""
    public_key = KEM.derive_key_pair(SEED).public_key
    coefficients = int.from_bytes(public_key[:1152], "little")
    kept = coefficients & ~(0xFFF << 12 * position)

    def with_coefficient(value: int) -> bytes:
        return (kept | value << 12 * position).to_bytes(1152, "little") + public_key[1152:]

    assert KEM.is_public_key(with_coefficient(3328))
    for value in (3329, 4095):
        assert not KEM.is_public_key(with_coefficient(value))
        with pytest.raises(ValueError, match="ML-KEM"):
            KEM.encap(with_coefficient(value), system_random)


@pytest.mark.parametrize("size", [0, 32, 1088, 1119, 1121, 1216])
def test_encapsulations_of_other_sizes_open_nothing(size: int) -> None:
    suite = EXPERIMENTAL_CIPHER_SUITES[0x004D]
    pair = suite.derive_key_pair(SEED)
    enc, ciphertext = suite.hpke.seal_base(pair.public_key, INFO, PLAINTEXT, system_random)
    bad = (enc + enc)[:size]

    with pytest.raises(ValueError, match="not a public key"):
        KEM.decap(pair, bad)
    assert suite.hpke.open_base(pair, bad, INFO, ciphertext) is None


def test_without_ml_kem_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    public_key = KEM.derive_key_pair(SEED).public_key
    monkeypatch.setattr(type(backend), "mlkem_supported", lambda _: False)

    with pytest.raises(UsageError, match=r"OpenSSL 3\.5"):
        _ = KEM.derive_key_pair(SEED).public_key
    with pytest.raises(UsageError, match=r"OpenSSL 3\.5"):
        KEM.is_public_key(public_key)
