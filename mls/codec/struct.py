"""`@struct`: a wire struct declared once, as a class, and compiled to a decoder and an encoder.

The class is frozen and slotted; its annotations, in order, are the fields on the wire (`mls.codec.types`
has the vocabulary). As `dataclasses` does, the decorator writes source and compiles it when the module is
imported. The codec is strict: lengths are minimal, nothing may follow, and so whatever decodes encodes to the
same bytes again. That is why an encoding, once known, is kept (`retain`) rather than made again for every hash
and signature over it.
"""

from __future__ import annotations

import linecache
import struct as layout
import typing
from inspect import get_annotations
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform, get_type_hints

from mls.codec.annotations import wire_type
from mls.codec.types import Hidden, Scope, WireType
from mls.errors import DecodeError, UsageError

__all__ = ["DEFAULT_MAX_SIZE", "Field", "Struct", "struct"]

DEFAULT_MAX_SIZE = 1 << 24
"""The largest message that `decode` takes unless told otherwise, in bytes: 16 MiB, a group of 50,000 members.

Decoding can take some 60 times the input's size in memory, at the worst: this is what bounds it."""

StructType = TypeVar("StructType", bound="Struct")


class Field(typing.NamedTuple):
    """A field of a wire struct: its name, its wire type, and whether it holds a secret."""

    name: str
    type: WireType
    hidden: bool


class Struct:
    """The base of all wire structs. `@struct` fills in what stands here as declarations."""

    __slots__ = ()

    wire_fields: ClassVar[tuple[Field, ...]]
    """The fields in wire order."""

    wire_source: ClassVar[str]
    """The source that was compiled for this struct."""

    wire_tag: ClassVar[int | None] = None
    """The tag that selects this struct inside a `Tagged` union."""

    @classmethod
    def decode_at(cls, data: bytes, pos: int) -> tuple[Self, int]:
        """Read one struct from `data` at `pos`; return it and the position behind it. For generated code."""
        raise NotImplementedError

    @classmethod
    def decode(cls, data: bytes, *, max_size: int = DEFAULT_MAX_SIZE) -> Self:
        """Decode exactly `data`.

        Raises `DecodeError`, and nothing else, for whatever is not one well-formed struct of at most
        `max_size` bytes.
        """
        if len(data) > max_size:
            msg = f"{len(data)} bytes are over the limit of {max_size} for a {cls.__name__}"
            raise DecodeError(msg)
        data = bytes(data)
        try:
            value, end = cls.decode_at(data, 0)
        except (IndexError, layout.error):
            msg = f"a {cls.__name__} is truncated"
            raise DecodeError(msg, len(data)) from None
        if end != len(data):
            msg = f"{len(data) - end} bytes follow a {cls.__name__}"
            raise DecodeError(msg, end)
        return value

    def _encode(self) -> bytes:
        raise NotImplementedError

    def encode(self) -> bytes:
        """Return the encoding. Raises `UsageError` where a field's value does not fit its wire type."""
        try:
            return self._encode()
        except (layout.error, ValueError, KeyError, AttributeError, TypeError) as error:
            msg = f"this {type(self).__name__} cannot be encoded: {error}"
            raise UsageError(msg) from error

    def replace(self, **changes: object) -> Self:
        """Return a copy with some fields changed."""
        values = {field.name: getattr(self, field.name) for field in self.wire_fields}
        return type(self)(**(values | changes))

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"{type(self).__name__} is immutable: {name} cannot be set"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> None:
        msg = f"{type(self).__name__} is immutable: {name} cannot be deleted"
        raise AttributeError(msg)

    def __eq__(self, other: object) -> bool:
        if self.__class__ is not other.__class__:
            return NotImplemented
        return all(getattr(self, field.name) == getattr(other, field.name) for field in self.wire_fields)

    def __hash__(self) -> int:
        return hash((self.__class__, *(getattr(self, field.name) for field in self.wire_fields)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{field.name}={_show(getattr(self, field.name), field)}" for field in self.wire_fields)
        return f"{type(self).__name__}({fields})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        msg = "states and structs are shared, never deep-copied"
        raise UsageError(msg)

    def __reduce__(self) -> typing.NoReturn:
        msg = "wire structs are encoded, not pickled"
        raise TypeError(msg)


def _show(value: object, field: Field) -> str:
    if field.hidden:
        return f"<{len(value)} bytes>" if isinstance(value, bytes) else "<hidden>"
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 32 else f"{value[:16].hex()}...<{len(value)} bytes>"
    if isinstance(value, tuple) and len(value) > 8:
        return f"<{len(value)} items>"
    return repr(value)


@dataclass_transform(frozen_default=True)
def struct(*, tag: int | None = None, retain: bool = False) -> typing.Callable[[type[StructType]], type[StructType]]:
    """Turn a class with annotations into a wire struct.

    `tag` is its value in the `select` that it belongs to. With `retain`, a decoded or encoded value keeps its
    encoding: right for what is hashed or signed again and again.
    """

    def decorate(cls: type[StructType]) -> type[StructType]:
        hints = get_type_hints(cls, include_extras=True)
        names = list(get_annotations(cls))
        fields = tuple(
            Field(name, wire_type(hints[name]), any(isinstance(mark, Hidden) for mark in _marks(hints[name])))
            for name in names
        )
        namespace = {
            key: value for key, value in cls.__dict__.items() if key not in {"__dict__", "__weakref__", *names}
        }
        namespace["__slots__"] = (*names, "_encoded") if retain else tuple(names)
        built: Any = type(cls.__name__, cls.__bases__, namespace)
        built.__qualname__ = cls.__qualname__
        _compile(built, fields, retain=retain)
        built.wire_fields = fields
        built.wire_tag = tag
        return typing.cast("type[StructType]", built)

    return decorate


def _marks(hint: object) -> tuple[object, ...]:
    return getattr(hint, "__metadata__", ())


def _compile(cls: type[Any], fields: tuple[Field, ...], *, retain: bool) -> None:
    """Write and compile `__init__`, `decode_at` and `_encode` for `cls`."""
    scope = Scope()
    names = [field.name for field in fields]
    setters = {name: scope.bind(cls.__dict__[name].__set__, f"set_{name}") for name in names}
    scope.names["new"] = object.__new__
    scope.names["cls"] = cls
    lines = [f"def __init__({', '.join(['self', *names])}):", *(f"    {setters[name]}(self, {name})" for name in names)]
    if retain:
        scope.names["set_encoded"] = cls.__dict__["_encoded"].__set__
        lines.append("    set_encoded(self, None)")
    lines += ["    return None", "", "def decode_at(data, pos):", *(["    start = pos"] if retain else [])]
    for field in fields:
        lines += ["    " + line for line in field.type.read(f"f_{field.name}", scope)]
    lines.append("    self = new(cls)")
    lines += [f"    {setters[name]}(self, f_{name})" for name in names]
    if retain:
        lines.append("    set_encoded(self, data[start:pos])")
    lines += ["    return self, pos", "", "def _encode(self):"]
    parts = [field.type.write(f"self.{field.name}", scope) for field in fields]
    body = " + ".join(parts) if len(parts) < 3 else f"b''.join(({', '.join(parts)}))"
    if retain:
        lines += [
            "    if self._encoded is None:",
            f"        set_encoded(self, {body})",
            "    return self._encoded",
        ]
    else:
        lines.append(f"    return {body or repr(b'')}")
    source = "\n".join(lines) + "\n"
    filename = f"<wire struct {cls.__module__}.{cls.__name__}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), scope.names)  # the source is ours: names from the declarations alone
    cls.__init__ = scope.names["__init__"]
    cls.decode_at = staticmethod(scope.names["decode_at"])
    cls._encode = scope.names["_encode"]
    cls.wire_source = source
