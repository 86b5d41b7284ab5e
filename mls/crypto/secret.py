"""Secrets as a type of their own, so that none is shown, compared, copied or pickled by accident."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NoReturn

from mls.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Secret", "wipe"]


class Secret:
    """Bytes that must not leak, in a buffer of their own that can be wiped.

    Python cannot promise more than that: copies that a primitive makes while it computes, and the buffers of
    key objects inside OpenSSL, are out of our reach.
    """

    __slots__ = ("_buffer",)

    def __init__(self, value: bytes | bytearray) -> None:
        self._buffer: bytearray | None = bytearray(value)

    @classmethod
    def gone(cls) -> Secret:
        """Return a secret that is wiped already: what stands where none may be used any more."""
        secret = cls(b"")
        secret.wipe()
        return secret

    @property
    def value(self) -> bytearray:
        """The secret's own buffer, not a copy. Raises `UsageError` once it was wiped."""
        if self._buffer is None:
            msg = "this secret was wiped: the state that it belongs to has been replaced by a newer one"
            raise UsageError(msg)
        return self._buffer

    @property
    def is_wiped(self) -> bool:
        """Whether `wipe` was called."""
        return self._buffer is None

    def wipe(self) -> None:
        """Overwrite the buffer with zeros, and let go of it. May be called again."""
        if self._buffer is not None:
            self._buffer[:] = bytes(len(self._buffer))
            self._buffer = None

    def __len__(self) -> int:
        return len(self._buffer or b"")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._buffer or b"", other._buffer or b"")

    __hash__ = None  # type: ignore[assignment]  # a hash would tell something of the value

    def __repr__(self) -> str:
        return f"<Secret, {len(self)} bytes>"

    def __reduce__(self) -> NoReturn:
        msg = "secrets are neither pickled nor deep-copied"
        raise TypeError(msg)


def wipe(secrets: Iterable[Secret]) -> None:
    """Wipe each of `secrets`: what to do with a transition's `spent` once its state is stored."""
    for secret in secrets:
        secret.wipe()
