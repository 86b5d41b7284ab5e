"""`select`: structs that an earlier field chooses between, and fields that it switches on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

from mls.codec.types import Integer, Nested, Scope, WireType, indented

__all__ = ["Conditional", "Tagged", "UnionType", "When"]


@dataclass(frozen=True, slots=True, eq=False)
class Tagged:
    """Marks a union of structs as a `select`: a tag of the type `enum`, then the struct that has that tag.

    The structs are declared with `@struct(tag=...)`, unless `cases` maps the tags to types itself. `size` is the
    tag's, in bytes. `unknown` is a struct that takes every other tag: its first field
    holds the tag, the rest is the body. Without it, an unknown tag is malformed.
    """

    enum: type[IntEnum]
    size: int = 1
    cases: Mapping[int, Any] | None = None
    unknown: type[Any] | None = None


@dataclass(frozen=True, slots=True)
class UnionType(WireType):
    """A `select` over a tag that stands right before it."""

    name: str
    size: int
    cases: tuple[tuple[int, WireType], ...]
    unknown: type[Any] | None

    def classes(self) -> dict[type[Any], tuple[bytes, type[Any]]]:
        """Map each struct of the union to the tag bytes that lead to it (nested unions included)."""
        found: dict[type[Any], tuple[bytes, type[Any]]] = {}
        for tag, case in self.cases:
            prefix = tag.to_bytes(self.size, "big")
            match case:
                case Nested(struct=struct):
                    found[struct] = prefix, struct
                case UnionType():
                    found |= {struct: (prefix + inner, struct) for struct, (inner, _) in case.classes().items()}
                    if case.unknown is not None:
                        found[case.unknown] = prefix, case.unknown
                case _:
                    msg = f"a case of {self.name} is neither a struct nor a union"
                    raise TypeError(msg)
        return found

    def read(self, target: str, scope: Scope) -> list[str]:
        tag = scope.variable()
        nested = {number: case for number, case in self.cases if isinstance(case, UnionType)}
        table = {number: case.struct.decode_at for number, case in self.cases if isinstance(case, Nested)}
        table |= {number: _union_reader(case) for number, case in nested.items()}
        decoder = scope.variable()
        if self.unknown is None:
            fallback = f"    raise DecodeError('%d is not a {self.name}' % {tag}, pos - {self.size})"
        else:
            # The body follows the tag, so the unknown struct, whose first field is the tag, starts there too.
            unknown = scope.bind(self.unknown.decode_at, "unknown")
            fallback = f"    {target}, pos = {unknown}(data, pos - {self.size})"
        return [
            *Integer(self.size).read(tag, scope),
            f"{decoder} = {scope.bind(table, 'cases')}.get({tag})",
            f"if {decoder} is None:",
            fallback,
            "else:",
            f"    {target}, pos = {decoder}(data, pos)",
        ]

    def write(self, value: str, scope: Scope) -> str:
        prefixes = {struct: prefix for struct, (prefix, _) in self.classes().items()}
        if self.unknown is not None:
            prefixes[self.unknown] = b""  # its own encoding starts with the tag
        return f"{scope.bind(prefixes, 'tags')}[{value}.__class__] + {value}._encode()"


def _union_reader(union: UnionType) -> Callable[[bytes, int], tuple[Any, int]]:
    """Compile a reader for a union that stands inside another one."""
    scope = Scope()
    lines = ["def read_union(data, pos):", *indented([*union.read("value", scope), "return value, pos"])]
    exec("\n".join(lines), scope.names)  # the source is ours: it holds names from the declarations alone
    return cast("Callable[[bytes, int], tuple[Any, int]]", scope.names["read_union"])


@dataclass(frozen=True, slots=True)
class When:
    """Marks a field as present only when `test` holds for the struct's earlier field `field`."""

    field: str
    test: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Conditional(WireType):
    """A field that an earlier one switches on. The Python value is `None` where it is off."""

    inner: WireType
    when: When

    def read(self, target: str, scope: Scope) -> list[str]:
        test = scope.bind(self.when.test, "test")
        return [
            f"if {test}(f_{self.when.field}):",
            *indented(self.inner.read(target, scope)),
            "else:",
            f"    {target} = None",
        ]

    def write(self, value: str, scope: Scope) -> str:
        test = scope.bind(self.when.test, "test")

        def absent(value: object, name: str) -> bytes:
            if value is not None:
                msg = f"{name} must not be set here"
                raise ValueError(msg)
            return b""

        on = f"{test}(self.{self.when.field})"
        return f"({self.inner.write(value, scope)} if {on} else {scope.bind(absent, 'absent')}({value}, {value!r}))"
