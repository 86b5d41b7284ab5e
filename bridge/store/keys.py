"""The key of a store, as a value that shows nothing of itself."""

from __future__ import annotations

from typing import NoReturn

from bridge.store.encryption import KEY_SIZE
from bridge.store.errors import StoreUsageError

__all__ = ["StoreKey"]


class StoreKey:
    """The 32 bytes that a store's data key is wrapped with. Shows nothing of them, and is not pickled.

    Where they come from is the caller's to know: `bridge.config.secrets.read_key`, for one.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        """Raises `StoreUsageError` for anything but 32 bytes."""
        if len(value) != KEY_SIZE:
            raise StoreUsageError(f"it has {len(value)} bytes instead of {KEY_SIZE}", where="the key of a store")
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes. For the store alone."""
        return self._value

    def __repr__(self) -> str:
        return f"<StoreKey, {KEY_SIZE} bytes>"

    def __reduce__(self) -> NoReturn:
        msg = "keys are neither pickled nor deep-copied"
        raise TypeError(msg)
