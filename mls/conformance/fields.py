"""The vocabulary in which the vector formats are declared, and the reader from JSON that follows from it.

A format is a frozen dataclass; its annotations say what each field of an entry holds:

======================================  ==============================================================
annotation                              JSON
======================================  ==============================================================
`str`                                   a string
`UInt16`, `UInt32`, `UInt64`            a number of that size (the codec's own words)
`Hex`                                   a string of hex digits; the Python value is bytes
`Secret`                                the same; the Python value is a secret
`CipherSuite`                           the number of a suite that the engine has
a wire struct                           hex of exactly one such struct
`Annotated[bytes, EncodingOf(struct)]`  the same, kept as bytes: what is tested is the encoding itself
`T | None`                              null, or T
`tuple[T, ...]`                         an array
another dataclass                       an object with exactly that dataclass's fields
======================================  ==============================================================

`Expected[T]` marks what the vector's author computed and the engine must come to as well, or find authentic. A change
of a single bit of it must make the entry fail, and so the tests know what to change.
"""

from __future__ import annotations

import types
import typing
from abc import ABC, abstractmethod
from binascii import unhexlify
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, TypeVar, get_args, get_origin

from mls.codec import Struct
from mls.codec.types import Integer
from mls.conformance.checks import CheckError
from mls.crypto.secret import Secret
from mls.crypto.suite import CipherSuite, cipher_suite
from mls.errors import MlsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mls.crypto.random import Random

__all__ = [
    "Array",
    "EncodingOf",
    "Entry",
    "Expected",
    "Field",
    "Hex",
    "HexDigits",
    "Kind",
    "Nullable",
    "Number",
    "Object",
    "SecretDigits",
    "StructDigits",
    "SuiteNumber",
    "Text",
    "declaration",
    "read",
]

T = TypeVar("T")
AnyEntry = TypeVar("AnyEntry", bound="Entry")

EXPECTED: Final = "expected"

Expected: TypeAlias = Annotated[T, EXPECTED]


class Entry(ABC):
    """One entry of a vector file, read and well-formed."""

    __slots__ = ()

    @abstractmethod
    def check(self, random: Random) -> None:
        """Have the engine compute and verify what the format asks for. Raises `CheckError`, or `MlsError`."""


class Kind(ABC):
    """What a field holds."""

    __slots__ = ()

    @abstractmethod
    def read(self, value: object) -> object:
        """Return the Python value of a JSON value. Raises `CheckError`."""


def _wrong(reason: str) -> CheckError:
    return CheckError((), reason)


def _name(value: object) -> str:
    """Return what JSON calls a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A string, of characters that have an encoding: JSON can hold halves of surrogate pairs."""

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise _wrong(f"should be a string, is {_name(value)}")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _wrong("is not valid Unicode") from None
        return value


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """An unsigned integer of `size` bytes."""

    size: int

    def read(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(f"should be an integer, is {_name(value)}")
        if not 0 <= value < 1 << 8 * self.size:
            raise _wrong(f"should be an unsigned integer of {8 * self.size} bits")
        return value


@dataclass(frozen=True, slots=True)
class HexDigits(Kind):
    """Bytes, two hex digits each."""

    def read(self, value: object) -> object:
        return self.bytes_of(value)

    def bytes_of(self, value: object) -> bytes:
        """Return the bytes. Raises `CheckError`."""
        if not isinstance(value, str):
            raise _wrong(f"should be a string of hex digits, is {_name(value)}")
        if len(value) % 2:
            raise _wrong(f"has an odd number of hex digits: {len(value)}")
        try:
            return unhexlify(value)
        except ValueError:
            raise _wrong("has characters that are not hex digits") from None


@dataclass(frozen=True, slots=True)
class SecretDigits(HexDigits):
    """A secret."""

    def read(self, value: object) -> Secret:
        return Secret(self.bytes_of(value))


@dataclass(frozen=True, slots=True)
class StructDigits(HexDigits):
    """A wire struct, decoded."""

    struct: type[Struct]

    def read(self, value: object) -> Struct:
        data = self.bytes_of(value)
        try:
            return self.struct.decode(data)
        except MlsError as error:
            raise _wrong(str(error)) from error


@dataclass(frozen=True, slots=True)
class EncodingOf(HexDigits):
    """The encoding of a wire struct, still to be decoded."""

    struct: type[Struct]


@dataclass(frozen=True, slots=True)
class SuiteNumber(Kind):
    """A cipher suite that the engine has."""

    def read(self, value: object) -> CipherSuite:
        number = Number(2).read(value)
        try:
            return cipher_suite(number)
        except MlsError as error:
            raise _wrong(str(error)) from error


@dataclass(frozen=True, slots=True)
class Nullable(Kind):
    """Null, or something."""

    inner: Kind

    def read(self, value: object) -> object:
        return None if value is None else self.inner.read(value)


@dataclass(frozen=True, slots=True)
class Array(Kind):
    """Any number of things of one kind. The Python value is a tuple."""

    element: Kind

    def read(self, value: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise _wrong(f"should be an array, is {_name(value)}")
        items = []
        for position, item in enumerate(value):
            try:
                items.append(self.element.read(item))
            except CheckError as error:
                raise error.within(position) from error.__cause__
        return tuple(items)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object. `expected`: what it holds must follow from the others."""

    kind: Kind
    expected: bool


@dataclass(frozen=True, slots=True)
class Object(Kind):
    """An object with these fields, no more and no less: what is not in the format, nothing would check."""

    build: type[object]
    fields: Mapping[str, Field]

    def read(self, value: object) -> object:
        if not isinstance(value, dict):
            raise _wrong(f"should be an object, is {_name(value)}")
        missing = self.fields.keys() - value.keys()
        if missing:
            raise CheckError((min(missing),), "is missing")
        unknown = value.keys() - self.fields.keys()
        if unknown:
            raise CheckError((min(unknown),), "is not a field of this format")
        values = {}
        for name, field in self.fields.items():
            try:
                values[name] = field.kind.read(value[name])
            except CheckError as error:
                raise error.within(name) from error.__cause__
        return self.build(**values)


Hex: TypeAlias = Annotated[bytes, HexDigits()]


def read(entry: type[AnyEntry], value: object) -> AnyEntry:
    """Return a JSON value as an entry of that format. Raises `CheckError`."""
    return typing.cast("AnyEntry", declaration(entry).read(value))


@cache
def declaration(declared: type[object]) -> Object:
    """Return what a dataclass declares."""
    hints = typing.get_type_hints(declared, include_extras=True)
    names = [field.name for field in fields(declared)]  # type: ignore[arg-type]  # whoever calls gives a dataclass
    return Object(declared, {name: Field(_kind(hints[name]), EXPECTED in _marks(hints[name])) for name in names})


def _marks(annotation: object) -> tuple[object, ...]:
    return getattr(annotation, "__metadata__", ())


def _kind(annotation: object) -> Kind:
    """Return the kind that an annotation stands for. Raises `TypeError` for one outside the vocabulary."""
    for mark in _marks(annotation):
        match mark:
            case Kind():
                return mark
            case Integer(size=size):
                return Number(size)
            case _:
                pass
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin is tuple:
        return Array(_kind(get_args(annotation)[0]))
    if origin in {types.UnionType, typing.Union}:
        return Nullable(_kind(next(member for member in get_args(annotation) if member is not types.NoneType)))
    if not isinstance(annotation, type):
        msg = f"{annotation!r} is not a kind of field"
        raise TypeError(msg)
    return _class_kind(annotation)


def _class_kind(annotation: type[object]) -> Kind:
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if issubclass(annotation, Struct):
        return StructDigits(annotation)
    if is_dataclass(annotation):
        return declaration(annotation)
    msg = f"{annotation!r} is not a kind of field"
    raise TypeError(msg)


_SIMPLE: Mapping[type[object], Kind] = {str: Text(), Secret: SecretDigits(), CipherSuite: SuiteNumber()}
