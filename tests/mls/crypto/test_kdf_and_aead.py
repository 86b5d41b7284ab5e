from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from mls.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, Aead
from mls.crypto.kdf import Kdf
from mls.errors import UsageError

HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
KDFS = [Kdf("sha256", 32), Kdf("sha384", 48), Kdf("sha512", 64)]
AEADS = [AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305]

SALT, IKM, INFO = b"salt", b"input keying material", b"info"
KEY, NONCE, AAD, PLAINTEXT = bytes(range(32)), bytes(range(12)), b"associated", b"plaintext"

kdfs = pytest.mark.parametrize("kdf", KDFS, ids=lambda kdf: kdf.hash_name)
aeads = pytest.mark.parametrize("aead", AEADS, ids=lambda aead: f"aead{aead.id}")


@kdfs
def test_expand_is_hkdf_expand_of_every_length_around_the_blocks(kdf: Kdf) -> None:
    prk = kdf.extract(SALT, IKM)

    for length in (1, kdf.Nh - 1, kdf.Nh, kdf.Nh + 1, 2 * kdf.Nh, 3 * kdf.Nh + 1, 255 * kdf.Nh):
        expected = HKDFExpand(HASHES[kdf.hash_name](), length, INFO).derive(prk)
        assert kdf.expand(prk, INFO, length) == expected


@kdfs
def test_extract_and_expand_are_hkdf(kdf: Kdf) -> None:
    expected = HKDF(HASHES[kdf.hash_name](), 100, SALT, INFO).derive(IKM)

    assert kdf.expand(kdf.extract(SALT, IKM), INFO, 100) == expected
    assert len(kdf.extract(SALT, IKM)) == kdf.Nh


@kdfs
def test_an_empty_salt_stands_for_zeros(kdf: Kdf) -> None:
    assert kdf.extract(b"", IKM) == kdf.extract(bytes(kdf.Nh), IKM)


@kdfs
def test_expand_has_an_end(kdf: Kdf) -> None:
    with pytest.raises(UsageError, match=f"at most {255 * kdf.Nh}"):
        kdf.expand(bytes(kdf.Nh), INFO, 255 * kdf.Nh + 1)


@kdfs
def test_expanding_to_nothing_gives_nothing(kdf: Kdf) -> None:
    assert kdf.expand(bytes(kdf.Nh), INFO, 0) == b""


@aeads
def test_what_is_sealed_opens(aead: Aead) -> None:
    key = KEY[: aead.Nk]
    sealed = aead.seal(key, NONCE, PLAINTEXT, AAD)

    assert len(NONCE) == aead.Nn
    assert len(sealed) == len(PLAINTEXT) + aead.Nt
    assert aead.open(key, NONCE, sealed, AAD) == PLAINTEXT
    assert aead.open(bytearray(key), NONCE, sealed, AAD) == PLAINTEXT


@aeads
def test_nothing_else_opens(aead: Aead) -> None:
    key = KEY[: aead.Nk]
    sealed = aead.seal(key, NONCE, PLAINTEXT, AAD)
    other_key = bytes([key[0] ^ 1]) + key[1:]

    assert aead.open(other_key, NONCE, sealed, AAD) is None
    assert aead.open(key, NONCE[::-1], sealed, AAD) is None
    assert aead.open(key, NONCE, sealed, AAD[:-1]) is None
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        assert aead.open(key, NONCE, bytes(damaged), AAD) is None


@aeads
def test_what_is_too_short_for_a_tag_does_not_open(aead: Aead) -> None:
    for size in range(aead.Nt):
        assert aead.open(KEY[: aead.Nk], NONCE, bytes(size), b"") is None
