"""What a struct encodes to decodes to it again, and the other way round."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mls.codec import Struct
from tests.mls.codec.corpus import examples
from tests.mls.codec.mutations import varied
from tests.mls.codec.reference import joined, pieces
from tests.mls.codec.strategies import structs
from tests.mls.codec.support import every_retained_struct, every_struct


def rebuilt(value: object) -> object:
    """Return the same value, made anew all the way down, so that no kept encoding is left in it."""
    match value:
        case Struct():
            return type(value)(**{field.name: rebuilt(getattr(value, field.name)) for field in value.wire_fields})
        case tuple():
            return tuple(rebuilt(item) for item in value)
        case _:
            return value


def check(value: Struct) -> None:
    encoding = value.encode()
    assert encoding == joined(pieces(value))
    decoded = type(value).decode(encoding)
    assert decoded == value
    assert hash(decoded) == hash(value)
    assert repr(decoded) == repr(value)  # members of enums, not plain integers; tuples, not lists
    assert decoded.encode() == encoding
    again = rebuilt(decoded)
    assert isinstance(again, Struct)
    assert again == value
    assert again.encode() == encoding


@every_struct
@settings(max_examples=25)
@given(data=st.data())
def test_values_of_every_struct(kind: type[Struct], data: st.DataObject) -> None:
    check(data.draw(structs(kind)))


@every_struct
def test_each_alternative_of_every_struct(kind: type[Struct]) -> None:
    for value in examples(kind):
        check(value)


@every_struct
def test_values_changed_at_random_from_step_to_step(kind: type[Struct]) -> None:
    random = Random(kind.__name__)
    for value in examples(kind):
        changed = value
        for _ in range(10):
            changed = varied(changed, random)
            check(changed)


@every_struct
def test_a_struct_is_read_where_it_stands(kind: type[Struct]) -> None:
    for value in examples(kind):
        encoding = value.encode()
        assert kind.decode_at(b"before" + encoding + b"behind", 6) == (value, 6 + len(encoding))


@every_retained_struct
def test_a_kept_encoding_is_the_same_object_each_time(kind: type[Struct]) -> None:
    for value in examples(kind):
        fresh = rebuilt(value)
        assert isinstance(fresh, Struct)
        encoding = fresh.encode()
        assert fresh.encode() is encoding
        within = Random(1).randbytes(3) + encoding
        decoded, _ = kind.decode_at(within, 3)
        assert decoded.encode() == encoding
        assert decoded.encode() is decoded.encode()


@every_struct
def test_other_buffers_decode_alike_and_are_not_kept(kind: type[Struct]) -> None:
    for value in examples(kind):
        encoding = value.encode()
        buffer: Any = bytearray(encoding)
        sources: list[Any] = [encoding, buffer, memoryview(buffer)]
        decoded = [kind.decode(source) for source in sources]
        buffer[:] = bytes(len(buffer))
        assert decoded == [value] * 3
        assert [copy.encode() for copy in decoded] == [encoding] * 3
