"""Keys: where they come from, and that they show nothing of themselves."""

from __future__ import annotations

import base64
import copy
import pickle
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from bridge.store.encryption import WRAPPED_KEY_SIZE, BadCiphertextError, WrappingKey, decrypt, encrypt
from bridge.store.errors import KeySourceError
from bridge.store.keys import StoreKey, create_key_file, create_keyring_key

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


def test_a_key_file_is_created_for_its_owner_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "key"
    created = create_key_file(path, fixed)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == created.reveal() == StoreKey.from_file(path).reveal() == VALUE
    with pytest.raises(KeySourceError, match="the file is there already"):
        create_key_file(path, bytes)
    assert path.read_bytes() == VALUE
    with pytest.raises(KeySourceError, match="cannot be written"):
        create_key_file(tmp_path / "nowhere" / "key", fixed)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    create_key_file(path, fixed)
    path.chmod(mode)
    with pytest.raises(KeySourceError, match=f"mode is {mode:o}.*chmod 600"):
        StoreKey.from_file(path)


@pytest.mark.parametrize("content", [b"", VALUE[:31], VALUE + b"\n"])
def test_a_key_file_of_another_size_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(KeySourceError, match=f"{len(content)} bytes instead of 32"):
        StoreKey.from_file(path)


def test_a_key_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(KeySourceError, match="there is no key file"):
        StoreKey.from_file(tmp_path / "nowhere")
    with pytest.raises(KeySourceError, match="cannot be read"):
        StoreKey.from_file(tmp_path)
    with pytest.raises(KeySourceError, match="this is not a file"):
        StoreKey.from_file(Path("/dev/null"))


def test_a_key_in_the_environment() -> None:
    text = base64.b64encode(VALUE).decode()
    assert StoreKey.from_environment("KEY", {"KEY": f" {text}\n"}).reveal() == VALUE
    for environment, what in (({}, "not set"), ({"KEY": "!"}, "not base64"), ({"KEY": "AAAA"}, "3 bytes instead")):
        with pytest.raises(KeySourceError, match=what) as caught:
            StoreKey.from_environment("KEY", environment)
        assert caught.value.where == "the environment variable KEY"


class MemoryKeyring(KeyringBackend):
    """A keyring that ends with the test, and can be locked."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.passwords: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise KeyringLocked
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    before, backend = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_a_key_in_the_keyring(memory_keyring: MemoryKeyring) -> None:
    with pytest.raises(KeySourceError, match="there is no key"):
        StoreKey.from_keyring("mls-bridge", "alice")
    assert create_keyring_key("mls-bridge", "alice", fixed).reveal() == VALUE
    assert StoreKey.from_keyring("mls-bridge", "alice").reveal() == VALUE
    with pytest.raises(KeySourceError, match="there is a key already"):
        create_keyring_key("mls-bridge", "alice", fixed)
    memory_keyring.is_locked = True
    with pytest.raises(KeySourceError, match=r"cannot be used \(KeyringLocked\)"):
        StoreKey.from_keyring("mls-bridge", "alice")
    with pytest.raises(KeySourceError, match=r"cannot be used \(KeyringLocked\)"):
        create_keyring_key("mls-bridge", "bob", fixed)
