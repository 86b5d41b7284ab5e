"""The presentation language (RFC 9420, section 2.1) once more, as plainly as it can be written.

An encoder that shares nothing with the engine's but the declarations, to compare with. It gives an encoding in
pieces, each with what it is for, so that tests can spoil one piece on purpose and leave the others as they are.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from mls.codec.selects import Conditional, UnionType
from mls.codec.types import (
    Constant,
    Enumeration,
    FixedOpaque,
    Integer,
    Nested,
    OpaqueType,
    OptionalType,
    Vector,
    WireType,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mls.codec import Struct

__all__ = ["Piece", "Role", "header", "headers", "joined", "pieces", "pieces_of", "spoiled"]

WIDTHS = ((1, 0), (2, 1), (4, 2))
"""Sizes of a vector header, in bytes, with the prefix that means them."""


class Role(Enum):
    """What a piece of an encoding is for."""

    NUMBER = auto()
    """Any value will do."""
    CHOICE = auto()
    """A constant, an enum, a tag or a presence octet: other values mean something else, or nothing."""
    LENGTH = auto()
    """A vector header."""
    BYTES = auto()


class Piece(NamedTuple):
    """Some bytes of an encoding."""

    role: Role
    data: bytes


def header(length: int, width: int | None = None) -> bytes:
    """Return a vector header, of the right width unless another one is asked for."""
    for size, prefix in WIDTHS:
        bits = 8 * size - 2
        if size == width or (width is None and length < 1 << bits):
            return (prefix << bits | length).to_bytes(size, "big")
    raise OverflowError(length)


def joined(encoding: list[Piece]) -> bytes:
    """Return the encoding as bytes."""
    return b"".join(piece.data for piece in encoding)


def pieces(value: Struct) -> list[Piece]:
    """Return the encoding of a struct."""
    return [piece for field in value.wire_fields for piece in pieces_of(field.type, getattr(value, field.name))]


def pieces_of(  # noqa: C901, PLR0911, PLR0912 - a case for each word of the vocabulary
    wire_type: WireType,
    value: Any,  # noqa: ANN401 - values of every wire type
) -> list[Piece]:
    """Return the encoding of a value of a wire type."""
    match wire_type:
        case Integer(size=size):
            return [Piece(Role.NUMBER, value.to_bytes(size, "big"))]
        case Constant(size=size):
            return [_choice(value, size)]
        case Enumeration():
            return [_choice(value, 1)]
        case FixedOpaque():
            return [Piece(Role.BYTES, value)]
        case OpaqueType():
            return [Piece(Role.LENGTH, header(len(value))), Piece(Role.BYTES, value)]
        case Vector(element=element):
            inside = [piece for item in value for piece in pieces_of(element, item)]
            return [Piece(Role.LENGTH, header(len(joined(inside)))), *inside]
        case OptionalType(inner=inner):
            return [_choice(0, 1)] if value is None else [_choice(1, 1), *pieces_of(inner, value)]
        case Conditional(inner=inner):
            return [] if value is None else pieces_of(inner, value)
        case Nested():
            return pieces(value)
        case UnionType(size=size, cases=cases, unknown=unknown):
            for tag, case in cases:
                if _holds(case, type(value)):
                    return [_choice(tag, size), *pieces_of(case, value)]
            assert type(value) is unknown
            first, *rest = pieces(value)
            return [Piece(Role.CHOICE, first.data), *rest]
        case other:
            msg = f"no rule for {other}"
            raise TypeError(msg)


def _choice(value: int, size: int) -> Piece:
    return Piece(Role.CHOICE, value.to_bytes(size, "big"))


def _holds(case: WireType, kind: type[Struct]) -> bool:
    match case:
        case Nested(struct=struct):
            return struct is kind
        case UnionType(cases=cases, unknown=unknown):
            return kind is unknown or any(_holds(inner, kind) for _, inner in cases)
        case _:
            return False


def headers(encoding: list[Piece]) -> Iterator[tuple[int, int]]:
    """Yield where a vector header stands, and the length that it tells."""
    for position, piece in enumerate(encoding):
        if piece.role is Role.LENGTH:
            bits = 8 * len(piece.data) - 2
            yield position, int.from_bytes(piece.data, "big") & (1 << bits) - 1


def spoiled(encoding: list[Piece]) -> Iterator[bytes]:
    """Yield neighbours of an encoding: each piece replaced by every kind of wrong one, each cut, and a byte more.

    Some are well-formed all the same.
    """
    for position, piece in enumerate(encoding):
        before, after = joined(encoding[:position]), joined(encoding[position + 1 :])
        for other in _others(piece):
            if other != piece.data:
                yield before + other + after
        for length in range(min(len(piece.data), 8)):
            yield before + piece.data[:length]
    yield joined(encoding) + b"\x00"


def _others(piece: Piece) -> Iterator[bytes]:
    size = len(piece.data)
    match piece.role:
        case Role.NUMBER:
            yield from (bytes(size), b"\xff" * size)
        case Role.CHOICE:
            value = int.from_bytes(piece.data, "big")
            for other in (value - 1, value + 1, 0, 256**size - 1):
                yield (other % 256**size).to_bytes(size, "big")
        case Role.LENGTH:
            length = int.from_bytes(piece.data, "big") & (1 << 8 * size - 2) - 1
            for other in {length - 1, length + 1, 0, (1 << 30) - 1} - {-1}:
                yield header(other)
            yield from (header(length, width) for width, _ in WIDTHS if width > size)
            yield from (b"\xc0", b"\xff\xff\xff\xff")
        case Role.BYTES:
            yield from (piece.data[1:], piece.data + b"\x00", bytes(byte ^ 0x80 for byte in piece.data))
