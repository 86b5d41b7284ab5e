"""A small, systematic set of values of each struct: every alternative in its declaration is taken at least once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from tests.mls.codec.grammar import once_per_struct
from tests.mls.codec.reference import joined, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mls.codec import Struct
    from mls.codec.struct import Field

__all__ = ["alternatives", "completed", "densest", "examples"]


@once_per_struct
def examples(kind: type[Struct]) -> tuple[Struct, ...]:
    """Return a struct's plainest value, and others that differ from it in one field.

    What stands inside is plain, except where a condition of this struct depends on it.
    """
    plain = completed(kind, {})
    changed = [
        completed(kind, {field.name: value})
        for field in kind.wire_fields
        if not isinstance(field.type, Conditional)
        for value in (*alternatives(field.type), *_switches(kind, field))
    ]
    return (plain, *changed)


def densest(kind: type[Struct], field: str, size: int) -> Struct:
    """Return a value whose vector `field` is about `size` bytes long, of as many elements as go into them."""
    (vector,) = (other.type for other in kind.wire_fields if other.name == field)
    assert isinstance(vector, Vector)
    return completed(kind, {field: _filled(vector.element, _everything(vector.element), size)})


def _filled(element: WireType, candidates: Iterator[Any], size: int) -> tuple[Any, ...]:
    """Return at least `size` bytes, and three elements, of the candidate with the shortest encoding."""
    sizes = ((len(joined(pieces_of(element, value))), value) for value in candidates)
    shortest, value = min(sizes, key=lambda pair: pair[0])
    return (value,) * max(3, -(-size // shortest))


def completed(kind: type[Struct], given: dict[str, Any]) -> Struct:
    """Return a value with these fields and plain ones; conditional ones are there if the others ask for them."""
    values: dict[str, Any] = {}
    for field in kind.wire_fields:
        match field.type:
            case Conditional(inner=inner, when=when):
                on = when.test(values[when.field])
                values[field.name] = (given.get(field.name) or _plain(inner)) if on else None
            case _:
                values[field.name] = given[field.name] if field.name in given else _plain(field.type)
    return kind(**values)


def _plain(wire_type: WireType) -> Any:  # noqa: ANN401 - values of every wire type
    return next(alternatives(wire_type))


def _switches(kind: type[Struct], field: Field) -> Iterator[Any]:
    """Yield values of a field that switch on, and off, the fields that depend on it."""
    for other in kind.wire_fields:
        if isinstance(other.type, Conditional) and other.type.when.field == field.name:
            test = other.type.when.test
            for wanted in (False, True):
                yield next(value for value in _everything(field.type) if test(value) is wanted)


def alternatives(wire_type: WireType) -> Iterator[Any]:  # noqa: C901 - a case for each word of the vocabulary
    """Yield values that take each alternative of a wire type, down to the next struct; the plainest first."""
    match wire_type:
        case Integer(size=size):
            yield from (1, 0, 256**size - 1)
        case Constant(value=value):
            yield value
        case Enumeration(enum=enum):
            yield from enum
        case OpaqueType():
            yield from (b"abc", b"", bytes(range(64)))
        case FixedOpaque(size=size):
            yield bytes(range(1, size + 1))
        case Vector(element=element):
            choices = tuple(alternatives(element))
            yield from (choices[:1], (), choices, _filled(element, iter(choices), 64))
        case OptionalType(inner=inner):
            yield from alternatives(inner)
            yield None
        case Nested(struct=struct):
            yield completed(struct, {})
        case UnionType(cases=cases, unknown=unknown):
            for _, case in cases:
                yield from alternatives(case)
            if unknown is not None:
                tags = {tag for tag, _ in cases}
                tag = next(number for number in range(256) if number not in tags)
                yield completed(unknown, {unknown.wire_fields[0].name: tag})
        case other:
            msg = f"no example of {other}"
            raise TypeError(msg)


def _everything(wire_type: WireType) -> Iterator[Any]:
    """Yield values as `alternatives` does, and those in which something further inside differs."""
    for value in alternatives(wire_type):
        yield value
        if hasattr(value, "wire_fields"):
            yield from examples(type(value))
