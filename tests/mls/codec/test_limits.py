"""What a sender can make a receiver spend: bounded by the bytes sent, whatever their headers claim."""

from __future__ import annotations

import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mls.codec import DEFAULT_MAX_SIZE, Struct
from mls.codec.types import MAX_ELEMENTS, Vector
from mls.errors import DecodeError
from mls.wire.credentials import Certificate, X509Credential
from mls.wire.framing import ApplicationData
from mls.wire.tree import ParentNode, RatchetTreeExtension
from tests.mls.codec.corpus import densest, examples
from tests.mls.codec.grammar import wire_structs
from tests.mls.codec.reference import header, headers, joined, pieces
from tests.mls.codec.support import every_struct

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPANSION = 64
"""The most bytes of memory that a byte of input may cost: a vector of the smallest structs, one byte each, is close."""

ALLOWANCE = 1 << 14
"""What decoding costs besides, however short the input: an exception with its traceback, interned strings."""

VECTORS = [
    pytest.param(kind, field.name, id=f"{kind.__name__}-{field.name}")
    for kind in wire_structs()
    for field in kind.wire_fields
    if isinstance(field.type, Vector)
]


@contextmanager
def memory_for(size: int) -> Iterator[None]:
    """Check that what happens inside allocates no more than an input of `size` bytes justifies."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= EXPANSION * size + ALLOWANCE, f"{peak} bytes for an input of {size}"


def test_the_largest_message() -> None:
    value = ApplicationData(bytes(100))
    encoding = value.encode()
    assert ApplicationData.decode(encoding, max_size=len(encoding)) == value
    with pytest.raises(DecodeError, match="over the limit"):
        ApplicationData.decode(encoding, max_size=len(encoding) - 1)


def test_the_largest_message_by_default() -> None:
    size = DEFAULT_MAX_SIZE - 4
    largest = header(size) + bytes(size)
    assert len(ApplicationData.decode(largest).application_data) == size
    larger: Any = memoryview(largest + b"\x00")
    with memory_for(0), pytest.raises(DecodeError, match="over the limit"):
        ApplicationData.decode(larger)


@pytest.mark.parametrize(
    "kind, before, element",
    [
        pytest.param(RatchetTreeExtension, b"", b"\x00", id="optionals"),
        pytest.param(X509Credential, b"", b"\x00", id="structs"),
        pytest.param(ParentNode, b"\x00\x00", b"\x00\x00\x00\x07", id="integers"),
    ],
)
def test_the_most_elements(kind: type[Struct], before: bytes, element: bytes) -> None:
    most = before + header(MAX_ELEMENTS * len(element)) + MAX_ELEMENTS * element
    decoded = kind.decode(most)
    assert len(getattr(decoded, kind.wire_fields[-1].name)) == MAX_ELEMENTS
    assert decoded.encode() == most
    with pytest.raises(DecodeError, match=f"more than {MAX_ELEMENTS} elements"):
        kind.decode(before + header((MAX_ELEMENTS + 1) * len(element)) + (MAX_ELEMENTS + 1) * element)


@every_struct
def test_a_header_alone_allocates_nothing(kind: type[Struct]) -> None:
    encoding = pieces(examples(kind)[0])
    for position, _ in headers(encoding):
        before, after = joined(encoding[:position]), joined(encoding[position + 1 :])
        hostile = before + header((1 << 30) - 1) + after
        with memory_for(len(hostile)), pytest.raises(DecodeError, match="truncated"):
            kind.decode(hostile)


@pytest.mark.parametrize("kind, field", VECTORS)
def test_many_small_elements(kind: type[Struct], field: str) -> None:
    """The worst that a vector can do with 40,000 bytes."""
    encoding = densest(kind, field, 40_000).encode()
    with memory_for(len(encoding)):
        kind.decode(encoding)
    # The same with nothing wrong until the end: as much work, and as bounded.
    with memory_for(len(encoding)), pytest.raises(DecodeError):
        kind.decode(encoding + b"\x00")


def test_the_measure_is_sharp() -> None:
    """Half the expansion would not do: the bound says something."""
    encoding = X509Credential((Certificate(b""),) * 40_000).encode()
    with pytest.raises(AssertionError), memory_for(len(encoding) // 2):
        X509Credential.decode(encoding)
