"""The signature schemes: keys as on the wire, and what does not verify."""

import random
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mls.crypto.random import system_random
from mls.crypto.signature import Ecdsa, Ed25519, SignaturePrivateKey
from mls.crypto.suite import CIPHER_SUITES, CipherSuite
from mls.errors import UsageError
from tests.mls.public_keys import public_key_object

LABEL, CONTENT = "TestLabel", b"content"
CURVES = {2: ec.SECP256R1(), 5: ec.SECP521R1(), 7: ec.SECP384R1()}

suites = pytest.mark.parametrize("suite", CIPHER_SUITES.values(), ids=lambda suite: f"suite{suite.number}")
ecdsa = pytest.mark.parametrize("suite", [CIPHER_SUITES[n] for n in CURVES], ids=lambda suite: f"suite{suite.number}")


def seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def key_of(suite: CipherSuite, seed: int = 1) -> SignaturePrivateKey:
    return suite.generate_signature_key(seeded(seed))


def verifies(suite: CipherSuite, public_key: bytes, signature: bytes) -> bool:
    return suite.verify_with_label(public_key, LABEL, CONTENT, signature)


@suites
def test_what_is_signed_verifies(suite: CipherSuite) -> None:
    key = key_of(suite)
    signature = suite.sign_with_label(key, LABEL, CONTENT)

    assert verifies(suite, key.public_key, signature)
    assert not suite.verify_with_label(key.public_key, LABEL + "s", CONTENT, signature)
    assert not suite.verify_with_label(key.public_key, LABEL, CONTENT + b"s", signature)
    assert not verifies(suite, key_of(suite, 2).public_key, signature)


@suites
def test_label_and_content_are_two_things(suite: CipherSuite) -> None:
    key = key_of(suite)

    assert not suite.verify_with_label(
        key.public_key, "Test", b"Labelcontent", suite.sign_with_label(key, LABEL, CONTENT)
    )


@suites
def test_what_is_signed_is_the_encoded_sign_content(suite: CipherSuite) -> None:
    key = key_of(suite)
    signature = suite.sign_with_label(key, LABEL, CONTENT)
    signed = b"\x11MLS 1.0 TestLabel" + b"\x07content"

    match public_key_object(key.public_key):
        case ec.EllipticCurvePublicKey() as public_key:
            algorithm = {2: hashes.SHA256(), 5: hashes.SHA512(), 7: hashes.SHA384()}[suite.number]
            public_key.verify(signature, signed, ec.ECDSA(algorithm))
        case public_key:
            public_key.verify(signature, signed)


@suites
def test_damaged_signatures_do_not_verify(suite: CipherSuite) -> None:
    key = key_of(suite)
    signature = suite.sign_with_label(key, LABEL, CONTENT)

    for damaged in (b"", signature[:-1], signature + b"\x00", bytes(len(signature)), signature[::-1]):
        assert not verifies(suite, key.public_key, damaged)


@suites
def test_malformed_public_keys_verify_nothing(suite: CipherSuite) -> None:
    key = key_of(suite)
    signature = suite.sign_with_label(key, LABEL, CONTENT)

    for malformed in (b"", key.public_key[:-1], key.public_key + b"\x00", bytes(len(key.public_key))):
        assert not verifies(suite, malformed, signature)


@ecdsa
def test_a_public_key_is_an_uncompressed_point(suite: CipherSuite) -> None:
    key = key_of(suite)
    signature = suite.sign_with_label(key, LABEL, CONTENT)
    public_key = public_key_object(key.public_key)
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    compressed = public_key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    hybrid = bytes([6 + (key.public_key[-1] & 1)]) + key.public_key[1:]
    off_the_curve = key.public_key[:-1] + bytes([key.public_key[-1] ^ 1])

    assert key.public_key == public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    for other in (compressed, hybrid, off_the_curve, b"\x00", b"\x04"):
        assert not verifies(suite, other, signature)


@ecdsa
def test_keys_of_other_curves_verify_nothing(suite: CipherSuite) -> None:
    signature = suite.sign_with_label(key_of(suite), LABEL, CONTENT)

    for number in CURVES:
        if number != suite.number:
            assert not verifies(suite, key_of(CIPHER_SUITES[number]).public_key, signature)


def test_a_curve_that_the_library_does_not_have_has_no_keys() -> None:
    class Nobodys(ec.EllipticCurve):
        name = "nobody's"
        key_size = 256
        group_order = 7

    scheme = Ecdsa(Nobodys(), hashes.SHA256())

    with pytest.raises(ValueError, match="not supported"):
        scheme.parse_public(b"\x04" + bytes(64))
    assert not scheme.verify(b"\x04" + bytes(64), b"signature", b"data")


@suites
def test_keys_load_from_what_is_stored(suite: CipherSuite) -> None:
    key = key_of(suite)
    loaded = suite.load_signature_key(bytes(key.secret.value))

    assert loaded.public_key == key.public_key
    assert suite.sign_with_label(loaded, LABEL, CONTENT) == suite.sign_with_label(key, LABEL, CONTENT)


@suites
def test_what_is_no_private_key_does_not_load(suite: CipherSuite) -> None:
    for bad in (b"", b"\xff" * (len(key_of(suite).secret) + 1)):
        with pytest.raises(UsageError, match=f"not a private signature key of cipher suite {suite.number}"):
            suite.load_signature_key(bad)


@ecdsa
def test_scalars_outside_the_group_do_not_load(suite: CipherSuite) -> None:
    size = len(key_of(suite).secret)
    order = CURVES[suite.number].group_order.to_bytes(size, "big")
    for scalar in (bytes(size), order, b"\xff" * size):
        with pytest.raises(UsageError, match="not a private signature key"):
            suite.load_signature_key(scalar)


@suites
def test_the_same_randomness_gives_the_same_key_and_signature(suite: CipherSuite) -> None:
    first, second = key_of(suite), key_of(suite)

    assert first.secret == second.secret
    assert first.public_key == second.public_key
    assert suite.sign_with_label(first, LABEL, CONTENT) == suite.sign_with_label(second, LABEL, CONTENT)


@suites
def test_system_randomness_gives_fresh_keys(suite: CipherSuite) -> None:
    assert suite.generate_signature_key(system_random).secret != suite.generate_signature_key(system_random).secret


@ecdsa
def test_generated_scalars_are_in_the_group_whatever_is_drawn(suite: CipherSuite) -> None:
    order = CURVES[suite.number].group_order
    for drawn in (0, order - 2, order - 1, order):

        def draw(size: int, number: int = drawn) -> bytes:
            return number.to_bytes(size, "big")

        scalar = int.from_bytes(suite.signature.generate(draw), "big")
        assert 0 < scalar < order
        assert scalar == drawn % (order - 1) + 1


@suites
def test_public_keys_out_of_certificates(suite: CipherSuite) -> None:
    scheme, key = suite.signature, key_of(suite)

    assert scheme.public_bytes_or_none(public_key_object(key.public_key)) == key.public_key
    assert scheme.public_bytes_or_none(x25519.X25519PrivateKey.generate().public_key()) is None
    assert scheme.public_bytes_or_none("not a key") is None
    for other in CIPHER_SUITES.values():
        if other.signature is not scheme:
            assert scheme.public_bytes_or_none(public_key_object(key_of(other).public_key)) is None


@suites
def test_a_private_key_shows_its_public_key_alone(suite: CipherSuite) -> None:
    key = key_of(suite)

    assert repr(key) == f"<SignaturePrivateKey for {key.public_key.hex()[:16]}...>"


def test_ed25519_signatures_of_two_libraries_are_one_and_the_same() -> None:
    draw = random.Random(8032)
    for _ in range(50):
        key = ed25519.Ed25519PrivateKey.from_private_bytes(draw.randbytes(32))
        data = draw.randbytes(draw.randrange(300))
        public_key, sign = Ed25519().load(key.private_bytes_raw())
        assert public_key == key.public_key().public_bytes_raw()
        assert sign(data) == key.sign(data)
        assert Ed25519().verify(public_key, key.sign(data), data)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_ed25519_keys_of_another_size_are_not_read(size: int) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    public_key = (key.public_key().public_bytes_raw() * 2)[:size]

    assert not Ed25519().verify(public_key, key.sign(b"data"), b"data")


def test_an_ed25519_key_of_small_order_verifies_nothing() -> None:
    """The neutral element is a key under which OpenSSL takes one signature for every message."""
    neutral = (1).to_bytes(32, "little")
    for_everything = neutral + bytes(32)

    ed25519.Ed25519PublicKey.from_public_bytes(neutral).verify(for_everything, b"any message")

    assert not Ed25519().verify(neutral, for_everything, b"any message")


def test_an_ed25519_signature_has_one_form() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    signature = key.sign(b"data")
    order = 2**252 + 27742317777372353535851937790883648493
    other = int.from_bytes(signature[32:], "little") + order

    assert not Ed25519().verify(
        key.public_key().public_bytes_raw(), signature[:32] + other.to_bytes(32, "little"), b"data"
    )
