"""The cipher suites' numbers, sizes and labeled functions (RFC 9420, sections 5 and 8)."""

import hashlib
import hmac
import random
import re
from collections.abc import Callable

import pytest

from mls.crypto.secret import Secret
from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES, CipherSuite, cipher_suite
from mls.errors import UsageError

SUITES = CIPHER_SUITES | EXPERIMENTAL_CIPHER_SUITES

suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: f"suite{suite.number}")
repeatable = pytest.mark.parametrize("suite", CIPHER_SUITES.values(), ids=lambda suite: f"suite{suite.number}")

SECRET = bytes(range(64))


def seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def kdf_label(label: str, context: bytes, length: int) -> bytes:
    """The encoded KDFLabel, for labels and contexts of less than 56 bytes."""
    full = b"MLS 1.0 " + label.encode()
    return length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context


def test_the_suites_are_those_of_the_registry() -> None:
    parts = {
        suite.number: (suite.kem.id, suite.hash_name, suite.aead.id, suite.Nh, suite.Nk, suite.Nn)
        for suite in SUITES.values()
    }

    assert parts == {
        1: (0x0020, "sha256", 1, 32, 16, 12),
        2: (0x0010, "sha256", 1, 32, 16, 12),
        3: (0x0020, "sha256", 3, 32, 32, 12),
        4: (0x0021, "sha512", 2, 64, 32, 12),
        5: (0x0012, "sha512", 2, 64, 32, 12),
        6: (0x0021, "sha512", 3, 64, 32, 12),
        7: (0x0011, "sha384", 2, 48, 32, 12),
        0x004D: (0x647A, "sha256", 3, 32, 32, 12),
        0x004E: (0x647A, "sha384", 2, 48, 32, 12),
        0x004F: (0x647A, "sha256", 1, 32, 16, 12),
        0x0053: (0x647A, "sha512", 2, 64, 32, 12),
        0x0054: (0x647A, "sha512", 3, 64, 32, 12),
        0xF00D: (0x647A, "sha512", 2, 64, 32, 12),
        0xF00E: (0x647A, "sha512", 3, 64, 32, 12),
    }
    assert not CIPHER_SUITES.keys() & EXPERIMENTAL_CIPHER_SUITES.keys()


@pytest.mark.parametrize("suite", EXPERIMENTAL_CIPHER_SUITES.values(), ids=lambda suite: f"suite{suite.number}")
def test_names_say_what_experimental_suites_are(suite: CipherSuite) -> None:
    aead, size = {1: ("AES128GCM", 16), 2: ("AES256GCM", 32), 3: ("CHACHA20POLY1305", 32)}[suite.aead.id]

    assert re.fullmatch(rf"MLS_(128|256)_(XWING|MLKEM768X25519)_{aead}_{suite.hash_name.upper()}_Ed25519", suite.name)
    assert suite.Nk == size
    assert suite.signature is CIPHER_SUITES[1].signature


def test_the_mandatory_suite_is_there() -> None:
    suite = cipher_suite(1)

    assert suite is CIPHER_SUITES[1]
    assert repr(suite) == "<CipherSuite 1: MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519>"


@pytest.mark.parametrize("experimental", [False, True])
@pytest.mark.parametrize("number", [0, 8, 0x0A0A, 0xF000, 0xFFFF])
def test_other_suites_are_not_supported(number: int, experimental: bool) -> None:  # noqa: FBT001 - a parameter
    with pytest.raises(UsageError, match=rf"cipher suite {number} is not supported: the engine has \[1, 2, 3, 4"):
        cipher_suite(number, experimental=experimental)


@pytest.mark.parametrize("number", EXPERIMENTAL_CIPHER_SUITES)
def test_experimental_suites_are_had_by_asking_for_them(number: int) -> None:
    suite = EXPERIMENTAL_CIPHER_SUITES[number]

    with pytest.raises(UsageError, match=rf"{number} \({suite.name}\) is experimental, .* say experimental=True"):
        cipher_suite(number)
    assert cipher_suite(number, experimental=True) is suite
    assert cipher_suite(1, experimental=True) is CIPHER_SUITES[1]


@suites
def test_hash_and_mac_are_of_the_suite(suite: CipherSuite) -> None:
    expected = hmac.digest(SECRET, b"data", suite.hash_name)

    assert suite.hash(b"data") == hashlib.new(suite.hash_name, b"data").digest()
    assert suite.mac(Secret(SECRET), b"data") == expected
    assert suite.mac_is_valid(Secret(SECRET), b"data", expected)


@suites
def test_a_mac_is_valid_at_full_length_alone(suite: CipherSuite) -> None:
    key, tag = Secret(SECRET), hmac.digest(SECRET, b"data", suite.hash_name)

    for other in (b"", tag[:-1], tag + b"\x00", bytes([tag[0] ^ 1]) + tag[1:]):
        assert not suite.mac_is_valid(key, b"data", other)
    assert not suite.mac_is_valid(key, b"other data", tag)


@suites
def test_references_are_hashes_under_a_label(suite: CipherSuite) -> None:
    value = b"an encoded object"
    for reference, label in (
        (suite.key_package_ref(value), b"MLS 1.0 KeyPackage Reference"),
        (suite.proposal_ref(value), b"MLS 1.0 Proposal Reference"),
    ):
        assert reference == suite.hash(bytes([len(label)]) + label + bytes([len(value)]) + value)


@suites
def test_labeled_expansion_expands_a_kdf_label(suite: CipherSuite) -> None:
    for length in (1, suite.Nk, suite.Nh, suite.Nh + 1):
        expected = suite.kdf.expand(SECRET, kdf_label("test", b"context", length), length)
        assert suite.expand_with_label(SECRET, "test", b"context", length) == expected


@suites
def test_derived_secrets_are_labeled_expansions(suite: CipherSuite) -> None:
    generation = suite.expand_with_label(SECRET, "test", b"\x00\x00\x01\x02", suite.Nk)

    assert suite.derive_secret(SECRET, "test") == suite.expand_with_label(SECRET, "test", b"", suite.Nh)
    assert suite.derive_tree_secret(SECRET, "test", 0x0102, suite.Nk) == generation
    assert suite.extract(SECRET, b"ikm") == suite.kdf.extract(SECRET, b"ikm")


@suites
def test_what_can_be_derived_has_a_limit(suite: CipherSuite) -> None:
    most = 255 * suite.Nh

    assert len(suite.expand_with_label(SECRET, "test", b"", most)) == most
    with pytest.raises(UsageError, match=f"at most {most}"):
        suite.expand_with_label(SECRET, "test", b"", most + 1)
    with pytest.raises(UsageError, match="16 bits"):
        suite.expand_with_label(SECRET, "test", b"", 0x10000)


@suites
def test_a_flood_of_labels_is_not_kept(suite: CipherSuite) -> None:
    for number in range(1000):
        label = f"label {number}"
        expected = suite.kdf.expand(SECRET, kdf_label(label, b"", suite.Nh), suite.Nh)
        assert suite.derive_secret(SECRET, label) == expected

    assert len(suite._label_prefixes) <= 256


@suites
def test_encryption_binds_label_and_context(suite: CipherSuite) -> None:
    pair = suite.generate_hpke_key(seeded(1))
    sealed = suite.encrypt_with_label(pair.public_key, "test", b"context", b"plaintext", seeded(2))

    assert suite.decrypt_with_label(pair, "test", b"context", *sealed) == b"plaintext"
    assert suite.decrypt_with_label(pair, "test2", b"context", *sealed) is None
    assert suite.decrypt_with_label(pair, "test", b"contex", *sealed) is None


@suites
def test_encryption_uses_the_encoded_encrypt_context(suite: CipherSuite) -> None:
    pair = suite.generate_hpke_key(seeded(1))
    enc, ciphertext = suite.encrypt_with_label(pair.public_key, "test", b"context", b"plaintext", seeded(2))

    assert suite.hpke.open_base(pair, enc, b"\x0cMLS 1.0 test" + b"\x07context", ciphertext) == b"plaintext"


@repeatable
def test_the_same_randomness_gives_the_same_bytes(suite: CipherSuite) -> None:
    def everything(seed: int) -> tuple[bytes, ...]:
        draw = seeded(seed)
        pair = suite.generate_hpke_key(draw)
        enc, ciphertext = suite.encrypt_with_label(pair.public_key, "test", b"context", b"plaintext", draw)
        key = suite.generate_signature_key(draw)
        return pair.public_key, enc, ciphertext, key.public_key, suite.sign_with_label(key, "test", b"content")

    assert everything(1) == everything(1)
    assert not set(everything(1)) & set(everything(2))
