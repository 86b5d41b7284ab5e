"""Vector headers at each boundary of their widths (RFC 9420, section 2.1.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mls import rules
from mls.codec import MAX_LENGTH, decode_length, encode_length, encode_opaque
from mls.errors import DecodeError, MalformedError, UsageError
from mls.wire.credentials import Certificate, X509Credential
from mls.wire.framing import ApplicationData
from mls.wire.tree import ParentNode
from tests.mls.codec.reference import header

BOUNDARIES = [
    (0, "00"),
    (1, "01"),
    (63, "3f"),
    (64, "4040"),
    (16383, "7fff"),
    (16384, "80004000"),
    ((1 << 30) - 1, "bfffffff"),
]


class Claims(bytes):
    """A value that says it is longer than anyone would like to allocate."""

    __slots__ = ()

    def __len__(self) -> int:
        return MAX_LENGTH + 1


@pytest.mark.parametrize("length, encoded", BOUNDARIES)
def test_a_boundary(length: int, encoded: str) -> None:
    assert encode_length(length) == bytes.fromhex(encoded) == header(length)
    assert decode_length(bytes.fromhex(encoded)) == length


@pytest.mark.parametrize("length, encoded", BOUNDARIES)
def test_a_header_that_is_cut_short_or_has_a_byte_too_many(length: int, encoded: str) -> None:
    whole = bytes.fromhex(encoded)
    assert decode_length(whole) == length
    for wrong in (*(whole[:end] for end in range(len(whole))), whole + b"\x00"):
        with pytest.raises(DecodeError):
            decode_length(wrong)


@pytest.mark.parametrize("length, width", [(0, 2), (1, 2), (63, 2), (0, 4), (63, 4), (64, 4), (16382, 4), (16383, 4)])
def test_a_header_that_is_longer_than_needed(length: int, width: int) -> None:
    with pytest.raises(MalformedError) as caught:
        decode_length(header(length, width))
    assert caught.value.rule is rules.VECTOR_LENGTH_IS_MINIMAL
    with pytest.raises(MalformedError):
        ApplicationData.decode(header(length, width) + bytes(length))


@pytest.mark.parametrize("first", range(0xC0, 0x100))
def test_the_prefix_that_means_nothing(first: int) -> None:
    for data in (bytes([first]), bytes([first, 0, 0, 0]), bytes([first]) + bytes(7)):
        with pytest.raises(MalformedError) as caught:
            decode_length(data)
        assert caught.value.rule is rules.VECTOR_LENGTH_PREFIX_IS_VALID
        with pytest.raises(MalformedError):
            ApplicationData.decode(data)


@given(st.integers(0, MAX_LENGTH))
def test_any_length(length: int) -> None:
    assert encode_length(length) == header(length)
    assert decode_length(encode_length(length)) == length


@given(st.binary(max_size=6))
def test_any_header(data: bytes) -> None:
    try:
        length = decode_length(data)
    except DecodeError:
        return
    assert encode_length(length) == data


def test_nothing_longer_is_encoded() -> None:
    for too_long in (MAX_LENGTH + 1, 1 << 32):
        with pytest.raises(UsageError, match="longer than MLS can encode"):
            encode_length(too_long)
    for encode in (encode_opaque, lambda value: ApplicationData(value).encode()):
        with pytest.raises(UsageError, match="longer than MLS can encode"):
            encode(Claims())


@pytest.mark.parametrize("length", [0, 1, 62, 63, 64, 65, 16382, 16383, 16384, 16385])
def test_bytes_around_each_boundary(length: int) -> None:
    value = ApplicationData(bytes(length))
    encoding = header(length) + bytes(length)
    assert value.encode() == encode_opaque(bytes(length)) == encoding
    assert ApplicationData.decode(encoding) == value


@pytest.mark.parametrize("length", [0, 1, 62, 63, 64, 65, 16382, 16383, 16384, 16385])
def test_elements_around_each_boundary(length: int) -> None:
    value = X509Credential((Certificate(b""),) * length)
    encoding = header(length) + bytes(length)
    assert value.encode() == encoding
    assert X509Credential.decode(encoding) == value


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 4095, 4096, 4097])
def test_integers_around_each_boundary(count: int) -> None:
    value = ParentNode(b"", b"", tuple(range(count)))
    encoding = b"\x00\x00" + header(4 * count) + b"".join(number.to_bytes(4, "big") for number in range(count))
    assert value.encode() == encoding
    assert ParentNode.decode(encoding) == value
