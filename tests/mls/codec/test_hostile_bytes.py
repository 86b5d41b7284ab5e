"""Whatever the bytes are: a struct that encodes to them again, or a `DecodeError`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mls.codec import Struct
from mls.errors import DecodeError
from tests.mls.codec.corpus import examples
from tests.mls.codec.reference import header, headers, joined, pieces, spoiled
from tests.mls.codec.strategies import mutated_encodings, structs
from tests.mls.codec.support import every_struct


def is_taken(kind: type[Struct], data: bytes) -> bool:
    """Decode, and return whether that went well; nothing but a `DecodeError` may keep it from doing so."""
    try:
        value = kind.decode(data)
    except DecodeError:
        return False
    assert value.encode() == data
    assert joined(pieces(value)) == data
    return True


@every_struct
@settings(max_examples=20)
@given(data=st.data())
def test_random_bytes(kind: type[Struct], data: st.DataObject) -> None:
    is_taken(kind, data.draw(st.binary(max_size=200)))


@every_struct
@settings(max_examples=40)
@given(data=st.data())
def test_mutated_encodings(kind: type[Struct], data: st.DataObject) -> None:
    is_taken(kind, data.draw(mutated_encodings(kind)))


@every_struct
@settings(max_examples=25)
@given(data=st.data())
def test_spliced_encodings(kind: type[Struct], data: st.DataObject) -> None:
    first, second = (data.draw(structs(kind)).encode() for _ in range(2))
    spliced = first[: data.draw(st.integers(0, len(first)))] + second[data.draw(st.integers(0, len(second))) :]
    is_taken(kind, spliced)


@every_struct
def test_neighbours_of_each_example(kind: type[Struct]) -> None:
    for value in examples(kind):
        for data in spoiled(pieces(value)):
            is_taken(kind, data)


@every_struct
def test_nothing_may_be_missing_or_follow(kind: type[Struct]) -> None:
    for value in examples(kind):
        encoding = value.encode()
        assert is_taken(kind, encoding)
        assert not is_taken(kind, encoding + b"\x00")
        assert not any(is_taken(kind, encoding[:end]) for end in range(len(encoding)))


@every_struct
def test_each_length_has_one_header(kind: type[Struct]) -> None:
    """No header of an encoding can be made longer, and none can announce more than there is."""
    for value in examples(kind):
        encoding = pieces(value)
        for position, length in headers(encoding):
            before, after = joined(encoding[:position]), joined(encoding[position + 1 :])
            wider = [header(length, width) for width in (2, 4) if width > len(encoding[position].data)]
            for wrong in (*wider, b"\xc0", header(len(after) + 1), header((1 << 30) - 1)):
                assert not is_taken(kind, before + wrong + after)
