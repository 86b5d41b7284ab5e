"""What may be declared as a wire struct, and what comes of it."""

from __future__ import annotations

import linecache
from enum import IntEnum
from typing import Annotated, Any

import pytest

from mls.codec import Constant, FixedOpaque, Hidden, Opaque, Struct, Tagged, UInt8, UInt16, When, struct
from mls.codec.selects import Conditional, UnionType
from mls.codec.types import Enumeration, Integer, Nested, OpaqueType, OptionalType, Scope, Vector, WireType
from mls.errors import DecodeError
from mls.wire.leaf_node import Lifetime
from tests.mls.codec.support import every_struct


class Colour(IntEnum):
    """A closed enum."""

    RED = 1
    BLUE = 2


@struct(tag=Colour.RED)
class Red(Struct):
    """One case of a union."""

    depth: UInt8


@struct(tag=Colour.BLUE)
class Blue(Struct):
    """The other, without anything in it."""


@struct()
class Other(Struct):
    """What is in a union that has room for more."""

    tag: UInt8
    data: Opaque


def is_red(colour: object) -> bool:
    return isinstance(colour, Red)


@struct(retain=True)
class Everything(Struct):
    """A field of each kind that there is."""

    version: Annotated[int, Constant(1, 7, "the version")]
    number: UInt16
    colour: Colour
    text: Opaque
    four: Annotated[bytes, FixedOpaque(4)]
    numbers: tuple[UInt16, ...]
    texts: tuple[Opaque, ...]
    maybe: Lifetime | None
    inside: Lifetime
    either: Annotated[Red | Blue, Tagged(Colour)]
    reason: Annotated[Opaque | None, When("either", is_red)]
    secret: Annotated[Opaque, Hidden()]

    @property
    def sum(self) -> int:
        """Methods are kept."""
        return sum(self.numbers)


def declare(annotation: object) -> type[Struct]:
    """Declare a struct with one field."""
    body: dict[str, Any] = {"__annotations__": {"field": annotation}, "__module__": __name__}
    return struct()(type("Declared", (Struct,), body))


def test_each_annotation_has_its_wire_type() -> None:
    found = {field.name: field.type for field in Everything.wire_fields}
    conditional = found.pop("reason")
    union = found.pop("either")
    assert found == {
        "version": Constant(1, 7, "the version"),
        "number": Integer(2),
        "colour": Enumeration(Colour),
        "text": OpaqueType(),
        "four": FixedOpaque(4),
        "numbers": Vector(Integer(2)),
        "texts": Vector(OpaqueType()),
        "maybe": OptionalType(Nested(Lifetime)),
        "inside": Nested(Lifetime),
        "secret": OpaqueType(),
    }
    assert isinstance(conditional, Conditional)
    assert conditional.inner == OpaqueType()
    assert isinstance(union, UnionType)
    assert union == UnionType("Colour", 1, ((1, Nested(Red)), (2, Nested(Blue))), None)
    assert [field.name for field in Everything.wire_fields if field.hidden] == ["secret"]


def test_the_bytes_are_those_of_the_presentation_language() -> None:
    value = Everything(
        7, 0x0102, Colour.BLUE, b"abc", b"four", (3, 4), (b"", b"x"), None, Lifetime(1, 2), Red(9), b"why", b"s"
    )
    assert value.encode() == bytes.fromhex(
        "07 0102 02 03616263 666f7572 04 00030004 03 00 0178 00 0000000000000001 0000000000000002 01 09 03776879 0173"
    )
    assert Everything.decode(value.encode()) == value
    assert value.sum == 7
    off = value.replace(either=Blue(), reason=None, maybe=Lifetime(5, 6))
    assert off.encode() == bytes.fromhex(
        "07 0102 02 03616263 666f7572 04 00030004 03 00 0178 01 0000000000000005 0000000000000006"
        " 0000000000000001 0000000000000002 02 0173"
    )
    assert Everything.decode(off.encode()) == off


def test_what_the_declaration_says_of_the_class_is_kept() -> None:
    assert (Everything.__name__, Everything.__qualname__, Everything.__module__) == (
        "Everything",
        "Everything",
        __name__,
    )
    assert Everything.__doc__ == "A field of each kind that there is."
    assert (Red.wire_tag, Blue.wire_tag, Everything.wire_tag) == (Colour.RED, Colour.BLUE, None)


@every_struct
def test_a_traceback_shows_the_compiled_source(kind: type[Struct]) -> None:
    filename = kind.decode_at.__code__.co_filename
    assert "".join(linecache.getlines(filename)) == kind.wire_source


@pytest.mark.parametrize(
    "annotation",
    [int, bytes, str, bool, float, object, None, list[UInt8], dict[UInt8, UInt8], tuple[int, ...], int | None, "int"],
    ids=str,
)
def test_an_annotation_outside_the_vocabulary_is_refused(annotation: object) -> None:
    with pytest.raises(TypeError, match="is not a wire type"):
        declare(annotation)


def test_a_marked_annotation_outside_the_vocabulary_is_refused() -> None:
    for annotation in (Annotated[int, "a remark"], Annotated[int, Hidden()], Annotated[int | None, When("x", is_red)]):
        with pytest.raises(TypeError, match="is not a wire type"):
            declare(annotation)


def test_a_union_is_of_tagged_structs() -> None:
    for wrong in (Annotated[Red | Lifetime, Tagged(Colour)], Annotated[Red | int, Tagged(Colour)]):
        with pytest.raises((TypeError, AttributeError)):
            declare(wrong)
    for case in (UInt8, Colour, Opaque):
        with pytest.raises(TypeError, match="neither a struct nor a union"):
            declare(Annotated[Red, Tagged(Colour, cases={1: Red, 2: case})])


def test_unions_stand_inside_unions() -> None:
    """Each level has its own tag; what is unknown is so at its own level."""
    closed = Annotated[Red | Blue, Tagged(Colour)]
    opened = Annotated[Red | Other, Tagged(Colour, unknown=Other)]
    kind = declare(Annotated[Red | Blue | Other | Lifetime, Tagged(Colour, size=2, cases={1: closed, 2: opened})])
    both: Any = kind
    with_each = {
        "0001 01 09": "Declared(field=Red(depth=9))",
        "0001 02": "Declared(field=Blue())",
        "0002 07 0178": "Declared(field=Other(tag=7, data=78))",
    }
    for encoding, shown in with_each.items():
        value = kind.decode(bytes.fromhex(encoding))
        assert repr(value) == shown
    for encoding, what in {"0003 01": "3 is not a Colour", "0001 03": "3 is not a Colour"}.items():
        with pytest.raises(DecodeError, match=what):
            kind.decode(bytes.fromhex(encoding))
    assert both(Blue()).encode() == bytes.fromhex("0001 02")
    assert both(Other(7, b"x")).encode() == bytes.fromhex("0002 07 0178")


def test_a_base_class_says_what_is_to_be_filled_in() -> None:
    blank = object.__new__(Struct)
    for call in (lambda: Struct.decode_at(b"", 0), blank._encode, lambda: Struct.decode(b"")):
        with pytest.raises(NotImplementedError):
            call()
    word = WireType()
    for write in (lambda: word.read("target", Scope()), lambda: word.write("value", Scope())):
        with pytest.raises(NotImplementedError):
            write()


def test_an_error_says_where() -> None:
    with pytest.raises(DecodeError, match="the version is 8, not 7") as caught:
        Everything.decode(b"\x08")
    assert caught.value.offset == 0
    with pytest.raises(DecodeError, match="3 is not a Colour") as caught:
        Everything.decode(b"\x07\x00\x00\x03")
    assert caught.value.offset == 3
    with pytest.raises(DecodeError, match="a Lifetime is truncated") as caught:
        Lifetime.decode(bytes(15))
    assert caught.value.offset == 15
    with pytest.raises(DecodeError, match="2 bytes follow a Lifetime") as caught:
        Lifetime.decode(bytes(18))
    assert caught.value.offset == 16
