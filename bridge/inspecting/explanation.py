"""What an explanation is made of: one tree of named values, which is shown as text or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

__all__ = ["Blob", "Code", "Drawing", "Encrypted", "Explanation", "Field", "Moment", "Several", "Value", "moment"]


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that mean nothing to people: keys, hashes, ids, signatures."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Encrypted:
    """What cannot be read without keys: all that is known of it is its size, in bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class Code:
    """A code point, and its name where it has one."""

    number: int
    name: str | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, in milliseconds since 1970. Anybody may claim any."""

    milliseconds: int

    @property
    def utc(self) -> str | None:
        """`2026-11-23 14:03:09 UTC`; `None` for what no calendar has."""
        try:
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self.milliseconds)
        except OverflowError:
            return None
        return f"{at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class Several:
    """Values of one sort. `total` counts those too that were left out."""

    items: tuple[Value, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines for people; for programs, the same as values."""

    lines: tuple[str, ...]
    values: Several


@dataclass(frozen=True, slots=True)
class Field:
    """A value and its name: snake_case, and part of the JSON output, so it stays."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Explanation:
    """A structure. `kind` names its type for programs, `title` for people; `about` says what it is for."""

    kind: str
    title: str
    about: str
    fields: tuple[Field, ...]


Value: TypeAlias = str | int | bool | Blob | Encrypted | Code | Moment | Several | Drawing | Explanation
"""A `str` may come from anybody: it is made harmless where it is printed."""


def moment(seconds: int) -> Moment:
    """Return the moment of so many seconds since 1970."""
    return Moment(seconds * 1000)
