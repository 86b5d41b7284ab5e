"""The vocabulary in which wire structs are declared, and the source that each word compiles to.

An annotation of a `@struct` class is a wire type:

=====================================  =====================================================
annotation                             presentation language
=====================================  =====================================================
`UInt8` ... `UInt64`                   `uint8` ... `uint64`
`Opaque`                               `opaque x<V>`
`Annotated[bytes, FixedOpaque(n)]`     `opaque x[n]`
`tuple[T, ...]`                        `T x<V>`
`T | None`                             `optional<T>`
an `IntEnum`                           a closed enum of one byte: unknown values are malformed
another `@struct` class                that struct, in place
`Annotated[A | B, Tagged(E)]`          `E type; select (type) { ... }`, tags declared with A and B
`Annotated[T | None, When(f, test)]`   `select (f) { case ...: T; default: struct{}; }`
=====================================  =====================================================

Each type writes two pieces of Python: statements that read a value from `data` at `pos` into a
variable and move `pos`, and an expression that encodes a value. The compiler pastes them together,
one function for each struct, so that no call is made per field.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct as Layout
from struct import pack, unpack_from
from typing import TYPE_CHECKING, Annotated, Any

from mls import rules
from mls.codec.lengths import encode_opaque, long_length
from mls.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Constant",
    "Enumeration",
    "FixedOpaque",
    "Hidden",
    "Integer",
    "Nested",
    "Opaque",
    "OpaqueType",
    "OptionalType",
    "Scope",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Vector",
    "WireType",
    "indented",
]

MAX_ELEMENTS = 1 << 18
"""The most elements that a vector may have: far above any group, far below what would exhaust memory."""

_LAYOUTS = {1: Layout(">B"), 2: Layout(">H"), 4: Layout(">I"), 8: Layout(">Q")}
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Scope:
    """The names that generated source refers to: constants and functions, each under a name of its own."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {
            "DecodeError": DecodeError,
            "encode_opaque": encode_opaque,
            "long_length": long_length,
        }
        self._numbers = itertools.count()

    def bind(self, value: object, hint: str) -> str:
        """Make `value` reachable for the source; return the name it goes by."""
        name = f"{hint}_{next(self._numbers)}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        """Return a name for a local variable that no other piece of the source uses."""
        return f"v{next(self._numbers)}"


class WireType:
    """What every word of the vocabulary can do."""

    __slots__ = ()

    def read(self, target: str, scope: Scope) -> list[str]:
        """Return statements that assign the value at `pos` to `target`, and move `pos` behind it."""
        raise NotImplementedError

    def write(self, value: str, scope: Scope) -> str:
        """Return an expression for the encoding of the expression `value`."""
        raise NotImplementedError


def indented(lines: list[str]) -> list[str]:
    """Return statements one level deeper."""
    return ["    " + line for line in lines]


@dataclass(frozen=True, slots=True)
class Integer(WireType):
    """An unsigned integer of `size` bytes, big endian."""

    size: int

    def read(self, target: str, scope: Scope) -> list[str]:
        if self.size == 1:
            return [f"{target} = data[pos]", "pos += 1"]
        unpack = scope.bind(_LAYOUTS[self.size].unpack_from, "unpack")
        return [f"({target},) = {unpack}(data, pos)", f"pos += {self.size}"]

    def write(self, value: str, scope: Scope) -> str:
        return f"{scope.bind(_LAYOUTS[self.size].pack, 'pack')}({value})"


@dataclass(frozen=True, slots=True)
class Constant(WireType):
    """An unsigned integer of `size` bytes that has one value only; `what` names it in the error for any other."""

    size: int
    value: int
    what: str

    def read(self, target: str, scope: Scope) -> list[str]:
        return [
            *Integer(self.size).read(target, scope),
            f"if {target} != {self.value}:",
            f"    raise DecodeError({self.what + ' is %d, not ' + str(self.value)!r} % {target}, pos - {self.size})",
        ]

    def write(self, value: str, scope: Scope) -> str:
        table = {self.value: self.value.to_bytes(self.size, "big")}  # anything else is a KeyError, so a UsageError
        return f"{scope.bind(table, 'constant')}[{value}]"


@dataclass(frozen=True, slots=True)
class Enumeration(WireType):
    """A closed enum of one byte."""

    enum: type[IntEnum]

    def read(self, target: str, scope: Scope) -> list[str]:
        members = scope.bind({int(member): member for member in self.enum}, "members")
        return [
            f"{target} = {members}.get(data[pos])",
            f"if {target} is None:",
            f"    raise DecodeError('%d is not a {self.enum.__name__}' % data[pos], pos)",
            "pos += 1",
        ]

    def write(self, value: str, scope: Scope) -> str:
        return f"{scope.bind({int(member): bytes([member]) for member in self.enum}, 'bytes_of')}[{value}]"


def _read_length(length: str) -> list[str]:
    """Return statements that read a vector header into `length`, the common one-byte form in place."""
    return [
        f"{length} = data[pos]",
        f"if {length} < 64:",
        "    pos += 1",
        "else:",
        f"    {length}, pos = long_length(data, pos)",
    ]


@dataclass(frozen=True, slots=True)
class OpaqueType(WireType):
    """`opaque x<V>`: bytes with a header."""

    def read(self, target: str, scope: Scope) -> list[str]:
        length = scope.variable()
        return [
            *_read_length(length),
            f"{target} = data[pos:pos + {length}]",
            f"if len({target}) != {length}:",
            f"    raise DecodeError('a vector of %d bytes is truncated' % {length}, pos)",
            f"pos += {length}",
        ]

    def write(self, value: str, scope: Scope) -> str:  # noqa: ARG002 - the interface of every wire type
        return f"encode_opaque({value})"


@dataclass(frozen=True, slots=True)
class FixedOpaque(WireType):
    """`opaque x[size]`: bytes without a header."""

    size: int

    def read(self, target: str, scope: Scope) -> list[str]:  # noqa: ARG002 - the interface of every wire type
        return [
            f"{target} = data[pos:pos + {self.size}]",
            f"if len({target}) != {self.size}:",
            f"    raise DecodeError('a field of {self.size} bytes is truncated', pos)",
            f"pos += {self.size}",
        ]

    def write(self, value: str, scope: Scope) -> str:
        def fixed(value: bytes) -> bytes:
            if len(value) != self.size:
                msg = f"a field of {self.size} bytes cannot hold {len(value)}"
                raise ValueError(msg)
            return value

        return f"{scope.bind(fixed, 'fixed')}({value})"


@dataclass(frozen=True, slots=True)
class Vector(WireType):
    """`T x<V>`: elements behind a header that counts their bytes. The Python value is a tuple."""

    element: WireType

    def read(self, target: str, scope: Scope) -> list[str]:
        length, end, items, item = (scope.variable() for _ in range(4))
        head = [
            *_read_length(length),
            f"{end} = pos + {length}",
            f"if {end} > len(data):",
            f"    raise DecodeError('a vector of %d bytes is truncated' % {length}, pos)",
        ]
        if isinstance(self.element, Integer) and self.element.size > 1:
            size = self.element.size
            unpack = scope.bind(_unpack_many(size), "unpack_many")
            return [
                *head,
                f"if {length} % {size}:",
                f"    raise DecodeError('%d bytes are no vector of {size}-byte integers' % {length}, pos)",
                f"{target} = {unpack}(data, pos, {length})",
                f"pos = {end}",
            ]
        return [
            *head,
            f"{items} = []",
            f"while pos < {end}:",
            *indented(self.element.read(item, scope)),
            f"    {items}.append({item})",
            f"    if len({items}) > {MAX_ELEMENTS}:",
            f"        raise DecodeError('a vector has more than {MAX_ELEMENTS} elements', pos)",
            f"if pos != {end}:",
            "    raise DecodeError('an element runs past the end of its vector', pos)",
            f"{target} = tuple({items})",
        ]

    def write(self, value: str, scope: Scope) -> str:
        if isinstance(self.element, Integer) and self.element.size > 1:
            return f"encode_opaque({scope.bind(_pack_many(self.element.size), 'pack_many')}({value}))"
        item = scope.variable()
        return f"encode_opaque(b''.join([{self.element.write(item, scope)} for {item} in {value}]))"


def _unpack_many(size: int) -> Callable[[bytes, int, int], tuple[int, ...]]:
    code = _CODES[size]

    def unpack_many(data: bytes, pos: int, length: int) -> tuple[int, ...]:
        count = length // size
        if count > MAX_ELEMENTS:
            msg = f"a vector has more than {MAX_ELEMENTS} elements"
            raise DecodeError(msg, pos)
        return unpack_from(f">{count}{code}", data, pos)

    return unpack_many


def _pack_many(size: int) -> Callable[[tuple[int, ...]], bytes]:
    code = _CODES[size]

    def pack_many(values: tuple[int, ...]) -> bytes:
        return pack(f">{len(values)}{code}", *values)

    return pack_many


@dataclass(frozen=True, slots=True)
class OptionalType(WireType):
    """`optional<T>`: a presence octet, then the value if there is one. The Python value may be `None`."""

    inner: WireType

    def read(self, target: str, scope: Scope) -> list[str]:
        present = scope.variable()
        rule = scope.bind(rules.OPTIONAL_PRESENCE_IS_0_OR_1, "rule")
        return [
            f"{present} = data[pos]",
            "pos += 1",
            f"if {present} == 0:",
            f"    {target} = None",
            "else:",
            f"    if {present} != 1:",
            f"        {rule}.fail('%d at byte %d' % ({present}, pos - 1))",
            *indented(self.inner.read(target, scope)),
        ]

    def write(self, value: str, scope: Scope) -> str:
        return f"(b'\\x00' if {value} is None else b'\\x01' + {self.inner.write(value, scope)})"


@dataclass(frozen=True, slots=True)
class Nested(WireType):
    """Another struct, in place."""

    struct: type[Any]

    def read(self, target: str, scope: Scope) -> list[str]:
        return [f"{target}, pos = {scope.bind(self.struct.decode_at, self.struct.__name__)}(data, pos)"]

    def write(self, value: str, scope: Scope) -> str:  # noqa: ARG002 - the interface of every wire type
        return f"{value}._encode()"


@dataclass(frozen=True, slots=True)
class Hidden:
    """Marks a field that holds a secret: `repr` shows its length alone."""


UInt8 = Annotated[int, Integer(1)]
UInt16 = Annotated[int, Integer(2)]
UInt32 = Annotated[int, Integer(4)]
UInt64 = Annotated[int, Integer(8)]
Opaque = Annotated[bytes, OpaqueType()]
