"""Where secrets come from, and which files are refused."""

from __future__ import annotations

import os
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from bridge.config import secrets
from bridge.config.secrets import (
    EnvSecret,
    FileSecret,
    KeyringEntry,
    KeyringSecret,
    SecretError,
    new_key,
    new_token,
    read_key,
    read_secret,
    write_secret,
)


def in_file(path: Path, data: bytes, mode: int = 0o600) -> FileSecret:
    path.write_bytes(data)
    path.chmod(mode)
    return FileSecret(file=path)


def refused(source: FileSecret | EnvSecret | KeyringSecret) -> str:
    with pytest.raises(SecretError) as raised:
        read_secret(source)
    return str(raised.value)


@pytest.mark.parametrize("data", [b"s3cret", b"s3cret\n", b"s3cret\r\n"])
def test_line_break_at_the_end_is_no_part_of_it(tmp_path: Path, data: bytes) -> None:
    assert read_secret(in_file(tmp_path / "x", data)) == "s3cret"


def test_spaces_are_part_of_it(tmp_path: Path) -> None:
    assert read_secret(in_file(tmp_path / "x", "  pässword ".encode())) == "  pässword "


def test_written_secret_is_its_owners_alone_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "token"
    old = os.umask(0)
    try:
        write_secret(path, "s3cret")
    finally:
        os.umask(old)

    assert path.stat().st_mode & 0o777 == 0o600
    assert read_secret(FileSecret(file=path)) == "s3cret"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("old")
    (tmp_path / "link").symlink_to("elsewhere")

    for name in ("there", "link"):
        with pytest.raises(FileExistsError):
            write_secret(tmp_path / name, "new")
    assert (tmp_path / "there").read_text() == "old"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620, 0o602, 0o601, 0o666])
def test_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    message = refused(in_file(tmp_path / "x", b"s3cret", mode))

    assert f"can be read or changed by others than its owner (mode {mode:04o}): `chmod 600` it" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "owner, reader, mode, is_refused",
    [
        (0, 1000, 0o640, False),
        (0, 1000, 0o440, False),
        (0, 1000, 0o660, True),
        (0, 1000, 0o644, True),
        (1000, 1000, 0o640, True),
        (0, 0, 0o640, True),
    ],
)
def test_groups_may_read_what_is_roots_and_not_change_it(
    monkeypatch: pytest.MonkeyPatch, owner: int, reader: int, mode: int, *, is_refused: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: reader)
    status = os.stat_result((0o100000 | mode, 1, 1, 1, owner, 77, 6, 0, 0, 0))

    if is_refused:
        with pytest.raises(SecretError, match="can be read or changed by others"):
            secrets._check_access(Path("x"), status)
    else:
        secrets._check_access(Path("x"), status)


FILES = {
    "empty": (b"", "is empty"),
    "a line break": (b"\n", "is empty"),
    "two lines": (b"a\nb\n", "has line breaks or control characters in it: it shall be one line of text"),
    "binary": (b"\xff\x00", "is not text in UTF-8: is it the right file?"),
    "huge": (b"x" * ((1 << 16) + 1), "is larger than 64 KiB: is it the right file?"),
}


@pytest.mark.parametrize("data, expected", FILES.values(), ids=FILES)
def test_files_without_a_secret_are_described(tmp_path: Path, data: bytes, expected: str) -> None:
    message = refused(in_file(tmp_path / "x", data))

    assert expected in message
    assert str(tmp_path / "x") in message


def test_files_that_are_none_are_described(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)

    assert "there is no file" in refused(FileSecret(file=tmp_path / "missing"))
    assert "is not a regular file" in refused(FileSecret(file=tmp_path / "pipe"))
    assert "is not a regular file" in refused(FileSecret(file=tmp_path))
    assert "cannot be read: that is not a name of a file" in refused(FileSecret(file=tmp_path / "nul\0"))


def test_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_SECRET", "s3cret")
    assert read_secret(EnvSecret(env="BRIDGE_SECRET")) == "s3cret"

    monkeypatch.delenv("BRIDGE_SECRET")
    assert refused(EnvSecret(env="BRIDGE_SECRET")) == "the environment variable BRIDGE_SECRET is not set"


class Drawer(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise KeyringLocked("s3cret detail")
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password


def test_secret_in_the_keyring() -> None:
    drawer, before = Drawer(), keyring.get_keyring()
    drawer.set_password("mls-bridge", "carol", "s3cret")
    keyring.set_keyring(drawer)
    try:
        assert read_secret(KeyringSecret(keyring=KeyringEntry(service="mls-bridge", user="carol"))) == "s3cret"
        message = refused(KeyringSecret(keyring=KeyringEntry(service="mls-bridge", user="dave")))
        assert message == "the keyring has nothing for mls-bridge, dave: `keyring set mls-bridge dave`"
        message = refused(KeyringSecret(keyring=KeyringEntry(service="locked", user="dave")))
        assert message == "the system's keyring cannot be read (KeyringLocked): use a file instead"
    finally:
        keyring.set_keyring(before)


def test_new_secrets_differ() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len({new_key() for _ in range(100)}) == 100


def test_key_is_32_bytes_in_hexadecimal(tmp_path: Path) -> None:
    key = new_key()
    assert read_key(in_file(tmp_path / "key", f"{key}\n".encode())) == bytes.fromhex(key)

    for text in ("00" * 31, "00" * 33, "x" * 64, "0" * 63):
        with pytest.raises(SecretError, match="64 hexadecimal digits") as raised:
            read_key(in_file(tmp_path / "key", text.encode()))
        assert text not in str(raised.value)
