"""HPKE: RFC 9180's own vectors, and `cryptography`'s HPKE as the other side."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hpke as native
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from mls.crypto.hpke import Hpke
from mls.crypto.kem import HPKEPrivateKey
from mls.crypto.random import system_random
from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES, CipherSuite

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "hpke.json").read_text(encoding="utf-8"))["vectors"]
NATIVE_SUITES = {
    1: native.Suite(native.KEM.X25519, native.KDF.HKDF_SHA256, native.AEAD.AES_128_GCM),
    2: native.Suite(native.KEM.P256, native.KDF.HKDF_SHA256, native.AEAD.AES_128_GCM),
    3: native.Suite(native.KEM.X25519, native.KDF.HKDF_SHA256, native.AEAD.CHACHA20_POLY1305),
    5: native.Suite(native.KEM.P521, native.KDF.HKDF_SHA512, native.AEAD.AES_256_GCM),
    7: native.Suite(native.KEM.P384, native.KDF.HKDF_SHA384, native.AEAD.AES_256_GCM),
}
SUITES = CIPHER_SUITES | EXPERIMENTAL_CIPHER_SUITES
INFO, PLAINTEXT, LABEL = b"info", b"plaintext", b"exporter context"

vectors = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"suite{vector['cipher_suite']}")
suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: f"suite{suite.number}")
repeatable = pytest.mark.parametrize("suite", CIPHER_SUITES.values(), ids=lambda suite: f"suite{suite.number}")
natives = pytest.mark.parametrize("number", NATIVE_SUITES, ids=lambda number: f"suite{number}")


def hpke_of(vector: dict[str, Any]) -> Hpke:
    return CIPHER_SUITES[vector["cipher_suite"]].hpke


def field(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def receiver_of(vector: dict[str, Any]) -> HPKEPrivateKey:
    return HPKEPrivateKey(hpke_of(vector).kem, field(vector, "skRm"))


def without_native(suite: CipherSuite) -> Hpke:
    """The same HPKE by our own code alone."""
    hpke = suite.hpke
    kdf_id = {"sha256": 1, "sha384": 2, "sha512": 3}[suite.hash_name]
    own = Hpke(hpke.kem, hpke.kdf, kdf_id, hpke.aead)
    own.native = None
    return own


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


@vectors
def test_vector_is_of_the_suite(vector: dict[str, Any]) -> None:
    hpke = hpke_of(vector)

    numbers = (vector["kem_id"], vector["kdf_id"], vector["aead_id"])
    assert hpke._suite_id == b"HPKE" + b"".join(number.to_bytes(2, "big") for number in numbers)


@vectors
@pytest.mark.parametrize("who", ["E", "R"])
def test_vector_derive_key_pair(vector: dict[str, Any], who: str) -> None:
    pair = hpke_of(vector).kem.derive_key_pair(field(vector, f"ikm{who}"))

    assert pair.secret.value == field(vector, f"sk{who}m")
    assert pair.public_key == field(vector, f"pk{who}m")


@vectors
def test_vector_encapsulation(vector: dict[str, Any]) -> None:
    drawn = []

    def ephemeral(size: int) -> bytes:
        drawn.append(size)
        return field(vector, "ikmE")

    enc, shared_secret = hpke_of(vector).kem.encap(field(vector, "pkRm"), ephemeral)

    assert drawn == [hpke_of(vector).kem.Nsk]
    assert enc == field(vector, "enc")
    assert shared_secret == field(vector, "shared_secret")


@vectors
def test_vector_decapsulation(vector: dict[str, Any]) -> None:
    assert hpke_of(vector).kem.decap(receiver_of(vector), field(vector, "enc")) == field(vector, "shared_secret")


@vectors
def test_vector_key_and_nonce(vector: dict[str, Any]) -> None:
    hpke = hpke_of(vector)
    key, nonce = hpke.key_and_nonce(field(vector, "shared_secret"), hpke.context(field(vector, "info")))

    assert key == field(vector, "key")
    assert nonce == field(vector, "base_nonce")


@vectors
def test_vector_first_encryption(vector: dict[str, Any]) -> None:
    # MLS has no AAD where the vectors have one: so the AEAD is asked, not SealBase.
    aead, encryption = hpke_of(vector).aead, vector["encryption"]
    key, nonce = field(vector, "key"), field(vector, "base_nonce")
    plaintext, ciphertext, aad = (field(encryption, name) for name in ("pt", "ct", "aad"))

    assert aead.seal(key, nonce, plaintext, aad) == ciphertext
    assert aead.open(key, nonce, ciphertext, aad) == plaintext


@vectors
def test_vector_exports(vector: dict[str, Any]) -> None:
    # The vectors export from a context with an info, `export_to` and `export_from` from one without.
    hpke = hpke_of(vector)
    exporter_secret = hpke.exporter_secret(field(vector, "shared_secret"), hpke.context(field(vector, "info")))

    assert exporter_secret == field(vector, "exporter_secret")
    for export in vector["exports"]:
        exported = hpke._labeled_expand(exporter_secret, b"sec", field(export, "exporter_context"), export["L"])
        assert exported == field(export, "exported_value")


@vectors
def test_exports_are_those_of_a_context_without_info(vector: dict[str, Any]) -> None:
    hpke = hpke_of(vector)
    exporter_secret = hpke.exporter_secret(field(vector, "shared_secret"), hpke.context(b""))
    expected = hpke._labeled_expand(exporter_secret, b"sec", LABEL, 20)

    enc, sent = hpke.export_to(field(vector, "pkRm"), LABEL, 20, lambda _: field(vector, "ikmE"))

    assert enc == field(vector, "enc")
    assert sent == expected
    assert hpke.export_from(receiver_of(vector), enc, LABEL, 20) == expected


@vectors
def test_seal_base_uses_the_vector_key(vector: dict[str, Any]) -> None:
    hpke = hpke_of(vector)
    sealed = hpke.seal_base(field(vector, "pkRm"), field(vector, "info"), PLAINTEXT, lambda _: field(vector, "ikmE"))

    expected = hpke.aead.seal(field(vector, "key"), field(vector, "base_nonce"), PLAINTEXT, b"")
    assert sealed == (field(vector, "enc"), expected)
    assert hpke.open_base(receiver_of(vector), sealed[0], field(vector, "info"), sealed[1]) == PLAINTEXT


# Our own code and `cryptography`'s, in both directions


@natives
def test_cryptography_opens_what_we_seal(number: int) -> None:
    suite = CIPHER_SUITES[number]
    pair = suite.generate_hpke_key(seeded(1).randbytes)

    enc, ciphertext = without_native(suite).seal_base(pair.public_key, INFO, PLAINTEXT, seeded(2).randbytes)

    key = pair.key or x25519.X25519PrivateKey.from_private_bytes(pair.secret.value)
    assert isinstance(key, x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey)
    assert NATIVE_SUITES[number].decrypt(enc + ciphertext, key, info=INFO) == PLAINTEXT


@natives
def test_we_open_what_cryptography_seals(number: int) -> None:
    suite = CIPHER_SUITES[number]
    pair = suite.generate_hpke_key(seeded(1).randbytes)
    parsed = suite.kem.parse_public(pair.public_key)
    public_key = x25519.X25519PublicKey.from_public_bytes(parsed) if isinstance(parsed, bytes) else parsed
    assert isinstance(public_key, x25519.X25519PublicKey | ec.EllipticCurvePublicKey)

    sealed = NATIVE_SUITES[number].encrypt(PLAINTEXT, public_key, info=INFO)
    enc, ciphertext = sealed[: suite.kem.Npk], sealed[suite.kem.Npk :]

    assert without_native(suite).open_base(pair, enc, INFO, ciphertext) == PLAINTEXT
    assert suite.hpke.open_base(pair, enc, INFO, ciphertext) == PLAINTEXT


@suites
def test_system_randomness_seals_too(suite: CipherSuite) -> None:
    pair = suite.generate_hpke_key(system_random)

    first = suite.hpke.seal_base(pair.public_key, INFO, PLAINTEXT, system_random)
    second = suite.hpke.seal_base(pair.public_key, INFO, PLAINTEXT, system_random)

    assert first != second
    for enc, ciphertext in (first, second):
        assert len(enc) == suite.kem.Nenc
        assert without_native(suite).open_base(pair, enc, INFO, ciphertext) == PLAINTEXT
        assert suite.hpke.open_base(pair, enc, INFO, ciphertext) == PLAINTEXT


@repeatable
def test_given_randomness_seals_repeatably(suite: CipherSuite) -> None:
    pair = suite.generate_hpke_key(seeded(1).randbytes)
    seal = suite.hpke.seal_base

    sealed = seal(pair.public_key, INFO, PLAINTEXT, seeded(2).randbytes)

    assert sealed == seal(pair.public_key, INFO, PLAINTEXT, seeded(2).randbytes)
    assert sealed != seal(pair.public_key, INFO, PLAINTEXT, seeded(3).randbytes)


# What does not open


@pytest.mark.parametrize("own", [False, True], ids=["native", "own"])
@suites
def test_nothing_else_opens(suite: CipherSuite, own: bool) -> None:  # noqa: FBT001 - a parameter
    hpke = without_native(suite) if own else suite.hpke
    pair, other = (suite.generate_hpke_key(seeded(seed).randbytes) for seed in (1, 2))
    enc, ciphertext = hpke.seal_base(pair.public_key, INFO, PLAINTEXT, seeded(3).randbytes)

    assert hpke.open_base(pair, enc, INFO, ciphertext) == PLAINTEXT
    assert hpke.open_base(other, enc, INFO, ciphertext) is None
    assert hpke.open_base(pair, other.public_key, INFO, ciphertext) is None
    assert hpke.open_base(pair, enc, INFO[:-1], ciphertext) is None
    assert hpke.open_base(pair, enc, INFO, ciphertext[:-1]) is None
    assert hpke.open_base(pair, enc, INFO, b"") is None


@pytest.mark.parametrize("own", [False, True], ids=["native", "own"])
@suites
def test_an_encapsulation_that_is_no_public_key_opens_nothing(suite: CipherSuite, own: bool) -> None:  # noqa: FBT001
    hpke = without_native(suite) if own else suite.hpke
    pair = suite.generate_hpke_key(seeded(1).randbytes)
    enc, ciphertext = hpke.seal_base(pair.public_key, INFO, PLAINTEXT, seeded(2).randbytes)

    for bad in (b"", enc[:-1], enc + b"\x00", bytes(len(enc)), b"\x04" + bytes(len(enc) - 1)):
        assert hpke.open_base(pair, bad, INFO, ciphertext) is None


@suites
def test_keys_that_are_none_are_refused(suite: CipherSuite) -> None:
    pair = suite.generate_hpke_key(seeded(1).randbytes)
    # For X25519 and X448 zeros are a point of small order: Diffie-Hellman with it would give zeros.
    for bad in (b"", pair.public_key[:-1], bytes(suite.kem.Npk)):
        for random_bytes in (seeded(2).randbytes, system_random):
            with pytest.raises(ValueError, match=r"key|point"):
                suite.hpke.seal_base(bad, INFO, PLAINTEXT, random_bytes)
        with pytest.raises(ValueError, match=r"key|point"):
            suite.hpke.export_to(bad, LABEL, 32, seeded(2).randbytes)
        with pytest.raises(ValueError, match=r"key|point"):
            suite.hpke.export_from(pair, bad, LABEL, 32)


@suites
def test_what_is_exported_to_a_key_is_exported_from_it(suite: CipherSuite) -> None:
    pair = suite.generate_hpke_key(seeded(1).randbytes)
    enc, secret = suite.hpke.export_to(pair.public_key, LABEL, suite.Nh, seeded(2).randbytes)

    assert len(secret) == suite.Nh
    assert suite.hpke.export_from(pair, enc, LABEL, suite.Nh) == secret
    assert suite.hpke.export_from(pair, enc, LABEL[:-1], suite.Nh) != secret


@pytest.mark.parametrize("size", [4096, 4097, 100_000])
def test_long_infos_are_sealed_by_our_own_code_and_opened_by_any(size: int) -> None:
    suite = CIPHER_SUITES[1]
    pair, info = suite.generate_hpke_key(seeded(1).randbytes), bytes(size)
    sealer = suite.hpke.sealer(info, system_random)
    for plaintext in (b"to one", b"to another"):
        enc, ciphertext = sealer.seal(pair.public_key, plaintext)
        assert suite.hpke.open_base(pair, enc, info, ciphertext) == plaintext
        assert without_native(suite).open_base(pair, enc, info, ciphertext) == plaintext
