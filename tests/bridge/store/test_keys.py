"""Keys: what they wrap, and that they show nothing of themselves."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store.encryption import WRAPPED_KEY_SIZE, BadCiphertextError, WrappingKey, decrypt, encrypt
from bridge.store.errors import StoreUsageError
from bridge.store.keys import StoreKey

VALUE = bytes(range(32))


def fixed(size: int) -> bytes:
    return VALUE[:size]


# C2SP's vectors for XAES-256-GCM.
@pytest.mark.parametrize(
    "key, associated_data, ciphertext",
    [
        (b"\1" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (b"\3" * 32, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ],
    ids=["without associated data", "with associated data"],
)
def test_xaes_256_gcm_vectors(key: bytes, associated_data: bytes, ciphertext: str) -> None:
    nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX"
    found = WrappingKey(key).derived(nonce).encrypt(nonce[12:], b"XAES-256-GCM", associated_data)
    assert found.hex() == ciphertext


@given(st.binary(min_size=32, max_size=32), st.integers(0, WRAPPED_KEY_SIZE - 1), st.integers(1, 255))
def test_a_wrapped_key_opens_unchanged_and_in_its_place_alone(key: bytes, place: int, mask: int) -> None:
    wrapping = WrappingKey(VALUE)
    wrapped = wrapping.wrap(key, ("table", "column", 1), fixed)
    assert len(wrapped) == WRAPPED_KEY_SIZE
    assert wrapping.unwrap(wrapped, ("table", "column", 1)) == key
    damaged = bytearray(wrapped)
    damaged[place] ^= mask
    for data, where in ((bytes(damaged), 1), (wrapped, 2), (wrapped[:-1], 1), (wrapped[:20], 1), (b"", 1)):
        with pytest.raises(BadCiphertextError):
            wrapping.unwrap(data, ("table", "column", where))


@pytest.mark.parametrize(
    "one, other",
    [
        (("table", "column", "a", "bc"), ("table", "column", "ab", "c")),
        (("table", "column", "a"), ("table", "column", b"a")),
        (("table", "column", "a"), ("tablec", "olumn", "a")),
        (("table", "column", 1, 2), ("table", "column", 12)),
    ],
)
def test_places_are_not_mixed_up(one: tuple[str | bytes | int, ...], other: tuple[str | bytes | int, ...]) -> None:
    ciphertext = encrypt(VALUE, b"value", one)
    assert decrypt(VALUE, ciphertext, one) == b"value"
    with pytest.raises(BadCiphertextError):
        decrypt(VALUE, ciphertext, other)


def test_a_key_shows_nothing() -> None:
    key = StoreKey(VALUE)
    assert repr(key) == str(key) == "<StoreKey, 32 bytes>"
    for leak in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="neither pickled nor"):
            leak(key)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(StoreUsageError, match=f"the key of a store: it has {size} bytes instead of 32"):
        StoreKey(bytes(size))
