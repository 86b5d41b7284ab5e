"""The grammar that the engine's structs declare, found by itself: a struct added tomorrow is tested tomorrow."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, TypeVar

import mls
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["contained", "depth", "fewest_bytes", "is_retained", "once_per_struct", "parts", "wire_structs"]

Answer = TypeVar("Answer")


def once_per_struct(function: Callable[[type[Struct]], Answer]) -> Callable[[type[Struct]], Answer]:
    """Remember what a function says of each struct (`functools.cache`, but for classes, which mypy keeps out there)."""
    known: dict[type[Struct], Answer] = {}

    def remembering(kind: type[Struct]) -> Answer:
        if kind not in known:
            known[kind] = function(kind)
        return known[kind]

    return remembering


def wire_structs() -> tuple[type[Struct], ...]:
    """Return every struct that a module of the engine declares."""
    modules = [importlib.import_module(info.name) for info in pkgutil.walk_packages(mls.__path__, "mls.")]
    return tuple(
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Struct)
        and hasattr(value, "wire_fields")
        and value.__module__ == module.__name__
    )


def is_retained(kind: type[Struct]) -> bool:
    """Return whether a struct's values keep their encoding."""
    return "_encoded" in vars(kind)


def parts(wire_type: WireType) -> Iterator[WireType]:
    """Yield a wire type and all that it is put together from, as far as the next struct."""
    yield wire_type
    match wire_type:
        case Vector(element=inner) | OptionalType(inner=inner) | Conditional(inner=inner):
            yield from parts(inner)
        case UnionType(cases=cases, unknown=unknown):
            for _, case in cases:
                yield from parts(case)
            if unknown is not None:
                yield Nested(unknown)
        case _:
            pass


def contained(kind: type[Struct]) -> set[type[Struct]]:
    """Return the structs that stand right inside a struct."""
    return {part.struct for field in kind.wire_fields for part in parts(field.type) if isinstance(part, Nested)}


@once_per_struct
def depth(kind: type[Struct]) -> int:
    """Return how many structs can stand inside each other, the outermost included."""
    return 1 + max((depth(struct) for struct in contained(kind)), default=0)


def fewest_bytes(wire_type: WireType) -> int:
    """Return the size of the shortest encoding."""
    match wire_type:
        case Integer(size=size) | Constant(size=size) | FixedOpaque(size=size):
            return size
        case Enumeration() | OpaqueType() | Vector() | OptionalType():
            return 1
        case Conditional():
            return 0
        case Nested(struct=struct):
            return sum(fewest_bytes(field.type) for field in struct.wire_fields)
        case UnionType(size=size, cases=cases, unknown=unknown):
            sizes = [size + fewest_bytes(case) for _, case in cases]
            return min(sizes if unknown is None else [*sizes, fewest_bytes(Nested(unknown))])
        case other:
            msg = f"no rule for {other}"
            raise TypeError(msg)
