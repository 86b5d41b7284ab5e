"""Damage, at random: to values, which stay well-formed, and to encodings, which mostly do not.

What is chosen at random is read off a `Random`, so that a fuzzer can choose it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mls.codec import Struct
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
from tests.mls.codec.corpus import alternatives, completed
from tests.mls.codec.reference import Piece, Role, header, joined

if TYPE_CHECKING:
    from random import Random

__all__ = ["damaged", "mutated", "varied"]

Value = TypeVar("Value", bound=Struct)

INTERESTING = (b"\x00", b"\x01", b"\x3f", b"\x40", b"\x7f", b"\x80", b"\xbf\xff\xff\xff", b"\xc0", b"\xff\xff", b"\xff")


# Values


def varied(value: Value, random: Random) -> Value:
    """Return a value of the same struct with one thing changed, somewhere in it."""
    fields = [field for field in value.wire_fields if not _is_off(value, field.name)]
    if not fields:
        return value
    field = random.choice(fields)
    values: dict[str, Any] = {other.name: getattr(value, other.name) for other in value.wire_fields}
    values[field.name] = _varied(field.type, values[field.name], random)
    changed = completed(type(value), values)
    assert isinstance(changed, type(value))
    return changed


def _is_off(value: Struct, name: str) -> bool:
    """Return whether there is nothing to change in a field: it is a constant, or switched off by another one."""
    (wire_type,) = (field.type for field in value.wire_fields if field.name == name)
    return isinstance(wire_type, Constant) or (isinstance(wire_type, Conditional) and getattr(value, name) is None)


def _varied(wire_type: WireType, value: Any, random: Random) -> Any:  # noqa: ANN401, C901, PLR0911 - as many as there are words in the vocabulary
    match wire_type:
        case Integer(size=size):
            return random.choice((value + 1, value - 1, 0, 1, -1, random.getrandbits(8 * size))) % (1 << 8 * size)
        case Enumeration(enum=enum):
            return random.choice(list(enum))
        case OpaqueType():
            return damaged(value, random)
        case FixedOpaque(size=size):
            return random.randbytes(size)
        case Vector(element=element):
            return tuple(_with_another(element, list(value), random))
        case OptionalType(inner=inner):
            other = [None, *alternatives(inner)]
            return random.choice(other) if value is None or random.random() < 0.2 else _varied(inner, value, random)
        case Conditional(inner=inner):
            return _varied(inner, value, random)
        case Nested():
            return varied(value, random)
        case UnionType(cases=cases, unknown=unknown):
            if random.random() < 0.2:
                return random.choice(list(alternatives(wire_type)))
            changed = varied(value, random)
            is_known = isinstance(changed, unknown or ()) and _first(changed) in dict(cases)
            return value if is_known else changed  # an unknown struct does not say what the others are for
        case _:
            return value


def _first(value: Struct) -> Any:  # noqa: ANN401 - values of every wire type
    return getattr(value, value.wire_fields[0].name)


def _with_another(element: WireType, items: list[Any], random: Random) -> list[Any]:
    """Return a vector's elements with one changed, doubled, taken out, put in, or put elsewhere."""
    if not items or random.random() < 0.1:
        return [*items, random.choice(list(alternatives(element)))]
    position = random.randrange(len(items))
    match random.randrange(6):
        case 0:
            return [*items[:position], *items[position + 1 :]]
        case 1:
            return [*items[:position], items[position], *items[position:]]
        case 2:
            other = random.randrange(len(items))
            items[position], items[other] = items[other], items[position]
        case _:
            items[position] = _varied(element, items[position], random)
    return items


# Encodings


def mutated(encoding: list[Piece], random: Random) -> bytes:
    """Return an encoding with one to four changes, most of them where they mean something."""
    changed = list(encoding)
    for _ in range(random.randint(1, 3)):
        if changed and random.random() < 0.7:
            position = random.randrange(len(changed))
            changed[position] = Piece(changed[position].role, _replaced(changed[position], random))
    data = joined(changed)
    return data if data != joined(encoding) and random.random() < 0.5 else damaged(data, random)


def _replaced(piece: Piece, random: Random) -> bytes:
    size = len(piece.data)
    match piece.role:
        case Role.LENGTH:
            length = int.from_bytes(piece.data, "big") & (1 << 8 * size - 2) - 1
            other = max(0, length + random.choice((-2, -1, 0, 1, 2, 62, 16383)))
            return header(other, random.choice([width for width in (1, 2, 4) if other < 1 << 8 * width - 2]))
        case Role.CHOICE:
            value = int.from_bytes(piece.data, "big") + random.randint(-3, 3)
            return (value % (1 << 8 * size)).to_bytes(size, "big")
        case Role.NUMBER:
            return random.randbytes(size)
        case Role.BYTES:
            return random.randbytes(random.choice((0, 1, size, size + 1)))


def damaged(data: bytes, random: Random) -> bytes:
    """Return `data` with one change that knows nothing of its structure."""
    start, end = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    match random.randrange(6):
        case 0 if data:
            bit = random.randrange(8 * len(data))
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            return bytes(flipped)
        case 1:
            return data[:start] + data[end:]
        case 2:
            return data[:start]
        case 3:
            return data[:start] + random.choice(INTERESTING) + data[start:]
        case 4:
            there = random.randint(0, len(data))
            return data[:there] + data[start:end] + data[there:]
        case _:
            return data[:start] + random.choice(INTERESTING) + data[start + 1 :]
