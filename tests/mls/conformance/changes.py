"""Every way in which the expected fields of an entry can be made wrong, found from the format's declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.conformance.fields import (
    Array,
    EncodingOf,
    HexDigits,
    Kind,
    Nullable,
    Number,
    Object,
    SuiteNumber,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mls.conformance.checks import Step

__all__ = ["Path", "changes", "expected_fields", "field_of", "replaced"]

Path = tuple["Step", ...]
"""Where in an entry: keys, and positions in arrays."""


def expected_fields(kind: Kind, *, expected: bool = False, path: Path = ()) -> Iterator[Path]:
    """Yield each field that must be noticed when it changes, without positions: `("epochs", "joiner_secret")`."""
    match kind:
        case Object(fields=fields):
            for name, field in fields.items():
                yield from expected_fields(field.kind, expected=expected or field.expected, path=(*path, name))
        case Array(element=inner) | Nullable(inner=inner):
            yield from expected_fields(inner, expected=expected, path=path)
        case EncodingOf():
            yield path
        case HexDigits() | Number() | Text() | SuiteNumber():
            if expected:
                yield path
        case other:
            raise AssertionError(other)


def changes(kind: Kind, value: object, *, expected: bool = False, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Yield, for each value in an expected field, its place and a value that is wrong there."""
    match kind, value:
        case Object(fields=fields), dict():
            for name, field in fields.items():
                inherited = expected or field.expected
                yield from changes(field.kind, value[name], expected=inherited, path=(*path, name))
        case Array(element=element), list():
            for position, item in enumerate(value):
                yield from changes(element, item, expected=expected, path=(*path, position))
            if expected:
                yield path, value[:-1] if value else [None]
        case Nullable(inner=inner), _:
            if value is not None:
                yield from changes(inner, value, expected=expected, path=path)
            if expected:
                yield path, None if value is not None else _anything(inner)
        case _:
            if expected or isinstance(kind, EncodingOf):
                yield from ((path, wrong) for wrong in _wrong_values(kind, value))


def _anything(kind: Kind) -> object:
    """Return some value for a place that should have none."""
    return 0 if isinstance(kind, Number) else "00"


def _wrong_values(kind: Kind, value: object) -> Iterator[object]:
    match kind, value:
        case EncodingOf(), str():
            yield value[:-2]
            yield value + "00"
        case HexDigits(), str():
            yield from _other_bytes(value)
        case Number(), int():
            yield value + 1
            yield value - 1 if value else 2
        case other:
            raise AssertionError(other)


def _other_bytes(digits: str) -> Iterator[str]:
    """Yield bytes that differ in one bit: the first one, the last one, one in the middle. Or one byte more."""
    data = bytes.fromhex(digits)
    for bit in {0, 4 * len(data), 8 * len(data) - 1} if data else ():
        yield (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big").hex()
    yield digits + "00"


def field_of(path: Path) -> Path:
    """Return which field a place is in: the path without positions."""
    return tuple(step for step in path if isinstance(step, str))


def replaced(value: object, path: Path, new: object) -> object:
    """Return a JSON value that is the same but for one place."""
    if not path:
        return new
    step, *rest = path
    match value, step:
        case dict(), str():
            return {**value, step: replaced(value[step], tuple(rest), new)}
        case list(), int():
            return [*value[:step], replaced(value[step], tuple(rest), new), *value[step + 1 :]]
        case _:
            raise AssertionError(path)
