"""Where secrets come from: a file, an environment variable, the system's keyring. Never the configuration itself."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias, assert_never

from pydantic import Field, Tag

from bridge.config.sections import ConfigPath, Section, by_key

__all__ = [
    "KEY_SIZE",
    "EnvSecret",
    "FileSecret",
    "KeyringEntry",
    "KeyringSecret",
    "Secret",
    "SecretError",
    "new_key",
    "new_token",
    "read_key",
    "read_secret",
    "write_secret",
]

KEY_SIZE = 32
"""In bytes: of the key that the database is encrypted with."""

MAX_SECRET = 1 << 16
"""In bytes: 64 KiB. Passwords and tokens are shorter by far; what is longer is the wrong file."""

OTHERS = stat.S_IRWXO
GROUP = stat.S_IRWXG


class SecretError(Exception):
    """A secret is not to be had. Says where it was looked for and what is wrong; never the secret."""


class FileSecret(Section):
    """A secret in a file of its own."""

    tag: ClassVar[str] = "file"

    file: ConfigPath
    """The file that holds it, and nothing else; mode 0600, or root's and 0640."""


class EnvSecret(Section):
    """A secret in the environment."""

    tag: ClassVar[str] = "env"

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """The name of the environment variable that holds it."""


class KeyringEntry(Section):
    """Where in the keyring."""

    service: Annotated[str, Field(min_length=1)]
    """The service that the secret is kept under."""
    user: Annotated[str, Field(min_length=1)]
    """The user that the secret is kept for."""


class KeyringSecret(Section):
    """A secret in the system's keyring."""

    tag: ClassVar[str] = "keyring"

    keyring: KeyringEntry
    """Its entry, as in `keyring set SERVICE USER`."""


Secret: TypeAlias = Annotated[
    Annotated[FileSecret, Tag("file")] | Annotated[EnvSecret, Tag("env")] | Annotated[KeyringSecret, Tag("keyring")],
    by_key(FileSecret, EnvSecret, KeyringSecret),
]
"""A reference to a secret."""


def read_secret(source: Secret) -> str:
    """Return a secret without the line break at its end. Raises `SecretError`."""
    match source:
        case FileSecret(file=path):
            where, text = f"the secret in {path}", _read_file(path)
        case EnvSecret(env=name):
            where, text = f"the secret in the environment variable {name}", _read_environment(name)
        case KeyringSecret(keyring=entry):
            where, text = f"the secret of {entry.service}, {entry.user} in the keyring", _read_keyring(entry)
        case _:
            assert_never(source)
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise SecretError(f"{where} is empty")
    if not secret.isprintable():
        raise SecretError(f"{where} has line breaks or control characters in it: it shall be one line of text")
    return secret


def read_key(source: Secret) -> bytes:
    """Return the database's key, which is written as 64 hexadecimal digits. Raises `SecretError`."""
    try:
        key = bytes.fromhex(read_secret(source))
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise SecretError(
            f"the database's key is {2 * KEY_SIZE} hexadecimal digits, such as `openssl rand -hex {KEY_SIZE}` makes"
        )
    return key


def new_key() -> str:
    """Return a fresh key for a database, as it is written down."""
    return secrets.token_hex(KEY_SIZE)


def new_token() -> str:
    """Return a fresh secret for two programs to share: it needs no quoting anywhere."""
    return secrets.token_hex(32)


def write_secret(path: Path, secret: str) -> None:
    """Write a secret into a new file that its owner alone can read. Raises `FileExistsError` rather than overwrite."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())


# Reading


def _read_file(path: Path) -> str:
    try:
        # Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise SecretError(f"there is no file {path}: write the secret into it, and `chmod 600` it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is not a name of a file"
        raise SecretError(f"{path} cannot be read: {reason}") from error
    try:
        status = os.fstat(descriptor)  # of what was opened, whatever the name stands for by now
        if not stat.S_ISREG(status.st_mode):
            raise SecretError(f"{path} is not a regular file")
        if os.name == "posix":
            _check_access(path, status)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_SECRET + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_SECRET:
        raise SecretError(f"{path} is larger than {MAX_SECRET >> 10} KiB: is it the right file?")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is not text in UTF-8: is it the right file?") from None


def _check_access(path: Path, status: os.stat_result) -> None:
    """Refuse a file that others can read.

    Its owner may; and so may a group, for reading, if the file is root's: that is how system services are given secrets
    (`root:mls-bridge 0640`). Whoever can read the file can become this account.
    """
    mode = stat.S_IMODE(status.st_mode)
    forbidden = OTHERS | (stat.S_IWGRP | stat.S_IXGRP if status.st_uid == 0 and os.geteuid() != 0 else GROUP)
    if mode & forbidden:
        raise SecretError(f"{path} can be read or changed by others than its owner (mode {mode:04o}): `chmod 600` it")


def _read_environment(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise SecretError(f"the environment variable {name} is not set") from None


def _read_keyring(entry: KeyringEntry) -> str:
    import keyring  # noqa: PLC0415 - it looks for the desktop's services as it loads, which few need
    from keyring.errors import KeyringError  # noqa: PLC0415 - the same

    try:
        secret = keyring.get_password(entry.service, entry.user)
    except KeyringError as error:
        raise SecretError(f"the system's keyring cannot be read ({type(error).__name__}): use a file instead") from None
    if secret is None:
        raise SecretError(
            f"the keyring has nothing for {entry.service}, {entry.user}: `keyring set {entry.service} {entry.user}`"
        )
    return secret
