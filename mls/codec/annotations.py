"""From annotations to wire types."""

from __future__ import annotations

import types
import typing
from enum import IntEnum
from typing import Annotated, Any, get_args, get_origin

from mls.codec.selects import Conditional, Tagged, UnionType, When
from mls.codec.types import Enumeration, Nested, OptionalType, Vector, WireType

__all__ = ["wire_type"]


def wire_type(annotation: Any) -> WireType:  # noqa: PLR0911 - one return for each word of the vocabulary
    """Return the wire type that an annotation stands for. Raises `TypeError` for one outside the vocabulary."""
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *marks = get_args(annotation)
        for mark in marks:
            match mark:
                case WireType():
                    return _conditional(mark, marks)
                case Tagged():
                    return _union(base, mark)
                case _:
                    continue
        return _conditional(wire_type(_without_none(base)), marks)
    if origin is tuple:
        return Vector(wire_type(get_args(annotation)[0]))
    if origin in (types.UnionType, typing.Union):
        return OptionalType(wire_type(_without_none(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, IntEnum):
        return Enumeration(annotation)
    if hasattr(annotation, "decode_at"):
        return Nested(annotation)
    msg = f"{annotation!r} is not a wire type"
    raise TypeError(msg)


def _conditional(inner: WireType, marks: list[Any]) -> WireType:
    for mark in marks:
        if isinstance(mark, When):
            return Conditional(inner, mark)
    return inner


def _without_none(annotation: Any) -> Any:
    members = [member for member in get_args(annotation) if member is not type(None)]
    return members[0] if len(members) == 1 else annotation


def _union(base: Any, mark: Tagged) -> UnionType:
    if mark.cases is not None:
        named = mark.cases
    else:
        named = {struct.wire_tag: struct for struct in get_args(base) if struct is not mark.unknown}
    cases = tuple((int(tag), wire_type(case)) for tag, case in named.items())
    return UnionType(mark.enum.__name__, mark.size, cases, mark.unknown)
