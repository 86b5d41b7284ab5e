"""The key of a store, and where it comes from: a file, the environment, or the system's keyring."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn

import keyring
from keyring.errors import KeyringError

from bridge.store.encryption import KEY_SIZE
from bridge.store.errors import KeySourceError

__all__ = ["StoreKey", "create_key_file", "create_keyring_key"]

_OTHERS: Final = 0o077
"""What group and others may do with a file."""


class StoreKey:
    """The 32 bytes that a store's data key is wrapped with. Shows nothing of them, and is not pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes, *, where: str = "the key") -> None:
        if len(value) != KEY_SIZE:
            raise KeySourceError(
                f"the key has {len(value)} bytes instead of {KEY_SIZE}", where=where, advice="Create a new one"
            )
        self._value = value

    @classmethod
    def from_file(cls, path: Path) -> StoreKey:
        """Return the key in a file of 32 bytes, which nobody else may read. Raises `KeySourceError`."""
        where = str(path)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise KeySourceError("this is not a file", where=where, advice="Name the file that holds the key")
                if status.st_mode & _OTHERS:
                    mode = stat.S_IMODE(status.st_mode)
                    advice = "Make it yours alone: chmod 600"
                    raise KeySourceError(f"others may use the key, its mode is {mode:o}", where=where, advice=advice)
                return cls(file.read(KEY_SIZE + 1), where=where)
        except FileNotFoundError:
            raise KeySourceError("there is no key file", where=where, advice="Create it, or correct the path") from None
        except OSError as error:
            advice = "Look at the file's owner and mode"
            raise KeySourceError(f"the key cannot be read ({error.strerror})", where=where, advice=advice) from None

    @classmethod
    def from_environment(cls, name: str, environment: Mapping[str, str] = os.environ) -> StoreKey:
        """Return the key in an environment variable, as base64. Raises `KeySourceError`."""
        where = f"the environment variable {name}"
        if name not in environment:
            raise KeySourceError("it is not set", where=where, advice="Set it to the key's 32 bytes in base64")
        return cls(_from_base64(environment[name], where), where=where)

    @classmethod
    def from_keyring(cls, service: str, user: str) -> StoreKey:
        """Return the key in the system's keyring, as base64. May ask a person. Raises `KeySourceError`."""
        where = _keyring_entry(service, user)
        try:
            text = keyring.get_password(service, user)
        except KeyringError as error:
            raise _no_keyring(where, error) from None
        if text is None:
            raise KeySourceError("there is no key", where=where, advice="Create it, or correct the names")
        return cls(_from_base64(text, where), where=where)

    def reveal(self) -> bytes:
        """Return the bytes. For the store alone."""
        return self._value

    def __repr__(self) -> str:
        return f"<StoreKey, {KEY_SIZE} bytes>"

    def __reduce__(self) -> NoReturn:
        msg = "keys are neither pickled nor deep-copied"
        raise TypeError(msg)


def create_key_file(path: Path, random: Callable[[int], bytes]) -> StoreKey:
    """Create a file with a new key, for its owner alone. Never overwrites one. Raises `KeySourceError`."""
    value, where = random(KEY_SIZE), str(path)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        advice = "Use it, or name another file: a database cannot be opened without the key it was made with"
        raise KeySourceError("the file is there already", where=where, advice=advice) from None
    except OSError as error:
        advice = "Create the folder, or make it yours"
        raise KeySourceError(f"the key cannot be written ({error.strerror})", where=where, advice=advice) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink()
        raise KeySourceError(f"the key cannot be written ({error.strerror})", where=where) from None
    return StoreKey(value)


def create_keyring_key(service: str, user: str, random: Callable[[int], bytes]) -> StoreKey:
    """Put a new key into the system's keyring. Never overwrites one. Raises `KeySourceError`."""
    value, where = random(KEY_SIZE), _keyring_entry(service, user)
    try:
        if keyring.get_password(service, user) is not None:
            advice = "Use it, or choose another name: a database cannot be opened without the key it was made with"
            raise KeySourceError("there is a key already", where=where, advice=advice)
        keyring.set_password(service, user, base64.b64encode(value).decode())
    except KeyringError as error:
        raise _no_keyring(where, error) from None
    return StoreKey(value)


def _from_base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise KeySourceError("this is not base64", where=where, advice="It must hold 32 bytes in base64") from None


def _keyring_entry(service: str, user: str) -> str:
    return f"the keyring's entry {service}, {user}"


def _no_keyring(where: str, error: KeyringError) -> KeySourceError:
    advice = "Unlock the keyring, or keep the key in a file"
    return KeySourceError(f"the keyring cannot be used ({type(error).__name__})", where=where, advice=advice)
