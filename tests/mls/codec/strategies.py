"""Hypothesis strategies for wire structs, read off their declarations."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

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
from tests.mls.codec.mutations import mutated
from tests.mls.codec.reference import pieces

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from mls.codec import Struct

__all__ = ["mutated_encodings", "structs", "values"]

AROUND_64 = st.integers(60, 70).map(bytes)
"""Where the header of a vector grows from one byte to two."""


@once_per_struct
def structs(kind: type[Struct]) -> SearchStrategy[Struct]:
    """Return a strategy for values of a struct."""
    return _structs(kind, frozenset())


def _structs(kind: type[Struct], not_first: frozenset[int]) -> SearchStrategy[Struct]:
    """Return a strategy for values whose first field, which is a tag then, is none of `not_first`."""
    strategies = {
        field.name: values(field.type) for field in kind.wire_fields if not isinstance(field.type, Conditional)
    }
    if not_first:
        first = kind.wire_fields[0].name
        strategies[first] = strategies[first].filter(lambda tag: tag not in not_first)

    @st.composite
    def build(draw: DrawFn) -> Struct:
        drawn: dict[str, Any] = {}
        for field in kind.wire_fields:
            match field.type:
                case Conditional(inner=inner, when=when):
                    drawn[field.name] = draw(values(inner)) if when.test(drawn[when.field]) else None
                case _:
                    drawn[field.name] = draw(strategies[field.name])
        return kind(**drawn)

    return build()


def values(wire_type: WireType) -> SearchStrategy[Any]:  # noqa: C901, PLR0911 - a case for each word of the vocabulary
    """Return a strategy for the Python values of a wire type that does not depend on other fields."""
    match wire_type:
        case Integer(size=size):
            return st.integers(0, 256**size - 1)
        case Constant(value=value):
            return st.just(value)
        case Enumeration(enum=enum):
            return st.sampled_from(list(enum))
        case OpaqueType():
            return st.binary(max_size=6) | AROUND_64
        case FixedOpaque(size=size):
            return st.binary(min_size=size, max_size=size)
        case Vector(element=element):
            return st.lists(values(element), max_size=3).map(tuple)
        case OptionalType(inner=inner):
            return st.none() | values(inner)
        case Nested(struct=struct):
            return structs(struct)
        case UnionType(cases=cases, unknown=unknown):
            known = [values(case) for _, case in cases]
            if unknown is None:
                return st.one_of(known)
            return st.one_of(*known, _structs(unknown, frozenset(tag for tag, _ in cases)))
        case other:
            msg = f"no strategy for {other}"
            raise TypeError(msg)


@st.composite
def mutated_encodings(draw: DrawFn, kind: type[Struct]) -> bytes:
    """Return the encoding of a value with some damage done to it."""
    encoding = pieces(draw(structs(kind)))
    return mutated(encoding, Random(draw(st.integers(0, 2**32 - 1))))
