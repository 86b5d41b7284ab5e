"""How a check fails: with the place in the entry, as a path of keys and positions, and the reason.

Code that checks says where it is with `at`; the path grows from the inside out as the error passes through.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from mls.errors import MlsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CheckError", "Step", "at", "expect", "expect_equal"]

Step: TypeAlias = str | int
"""A key of an object, or a position in an array."""

SHOWN_WHOLE = 64
"""Longer byte strings are not shown, only where they differ."""


class CheckError(Exception):
    """Something in an entry is not as it should be."""

    def __init__(self, path: tuple[Step, ...], reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{self.check}: {reason}")

    @property
    def check(self) -> str:
        """Where it failed, as `epochs[2].joiner_secret`; empty for the entry as a whole."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path).removeprefix(".")

    def within(self, *steps: Step) -> CheckError:
        """Return the same failure, seen from further out."""
        return CheckError((*steps, *self.path), self.reason)


@contextmanager
def at(*steps: Step) -> Iterator[None]:
    """Give a place to what fails inside: a check, or the engine.

    `ValueError` is what the engine's encryption raises for a public key that is none.
    """
    try:
        yield
    except CheckError as error:
        raise error.within(*steps) from error
    except (MlsError, ValueError) as error:
        raise CheckError(steps, str(error)) from error


def expect(holds: bool, reason: str, *place: Step) -> None:  # noqa: FBT001 - reads as a sentence
    """Fail with `reason` unless `holds`."""
    if not holds:
        raise CheckError(place, reason)


def expect_equal(computed: object, stated: object, *place: Step) -> None:
    """Fail unless the engine's value is the vector's."""
    if computed != stated:
        raise CheckError(place, _difference(computed, stated))


def _difference(computed: object, stated: object) -> str:
    if not isinstance(computed, bytes) or not isinstance(stated, bytes):
        return f"the engine has {computed}, the vector {stated}"
    if max(len(computed), len(stated)) <= SHOWN_WHOLE:
        return f"the engine has {computed.hex() or 'nothing'}, the vector {stated.hex() or 'nothing'}"
    pairs = enumerate(zip(computed, stated, strict=False))
    first = next((position for position, (a, b) in pairs if a != b), min(len(computed), len(stated)))
    return f"the engine's {len(computed)} bytes and the vector's {len(stated)} differ from byte {first} on"
