"""Deterministic CBOR (RFC 8949, section 4.2.1), through `cbor2`, for what is hostile until shown otherwise.

`decode` accepts exactly what `encode` writes, byte for byte: shortest heads, definite lengths, keys in the order of
their encodings, nothing behind the item. `cbor2` by itself accepts more, and its `canonical=True` writes the older
order of RFC 7049, in which shorter keys come first; so maps are put in order here, and each decoded item is encoded
again.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import cbor2
from cbor2 import CBORSimpleValue, CBORTag

from bridge.content.errors import ContentError
from bridge.content.model import ExtensionValue

__all__ = ["MAX_DEPTH", "decode", "encode"]

MAX_DEPTH: Final = 16
"""Of any item; deeper ones are refused before they are built. The fields have tighter limits of their own."""

MAX_VALUES: Final = 1 << 15
"""Twice what 1,024 parts of the largest kind hold. A megabyte of empty maps would take a hundred, and seconds."""

MAX_KEY: Final = (1 << 53) - 1
"""Keys must be exact as a double float, says the draft."""

UNDEFINED: Final = CBORSimpleValue(23)
"""One type less to carry about: `cbor2` has an object of its own for it."""

QUIET_NAN: Final = b"\xf9\x7e\x00"

# Tags that `cbor2` would turn into dates, numbers, patterns, shared references and so on: work that a stranger chooses.
KNOWN_TAGS: Final = (
    *range(6),  # dates, bignums, decimal fractions, bigfloats
    *(25, 28, 29, 30),  # references to strings and values, rationals
    *(35, 36, 37),  # patterns, MIME messages, UUIDs
    *(52, 54, 100, 1004),  # addresses, dates
    *(256, 258, 260, 261),  # referenced strings, sets, addresses
    *(43000, 55799),  # complex numbers, self-described CBOR
)


def decode(data: bytes, *, where: str) -> ExtensionValue:
    """Return the one item that `data` is. Raises `ContentError`."""
    try:
        loaded = cbor2.loads(
            data,
            semantic_decoders=_KEPT,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, RecursionError) as error:
        raise ContentError(f"not CBOR: {error}", where=where) from error
    item = _Freezer(where).freeze(loaded)
    if encode(item, where=where) != data:
        raise ContentError("not in the one deterministic encoding, or with bytes behind it", where=where)
    return item


def encode(item: ExtensionValue, *, where: str) -> bytes:
    """Return the one encoding of `item`. Raises `ContentError` where it has none."""
    try:
        return cbor2.dumps(_order(item, where, MAX_DEPTH), encoders={float: _write_float})
    except (cbor2.CBORError, ValueError, RecursionError) as error:
        raise ContentError(f"cannot be written as CBOR: {error}", where=where) from error


def _keep(tag: int) -> Callable[[object, bool], CBORTag]:
    return lambda value, _immutable: CBORTag(tag, value)


_KEPT: Final = {tag: _keep(tag) for tag in KNOWN_TAGS}


class _Freezer:
    """Turns what `cbor2` read into immutable values, and counts them."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._count = 0

    def freeze(self, item: object) -> ExtensionValue:
        """Return `item` in immutable types. Raises `ContentError` for a type that the data model has not."""
        self._count += 1
        if self._count > MAX_VALUES:
            raise ContentError(f"more than {MAX_VALUES} values", where=self._where)
        if item is cbor2.undefined:
            return UNDEFINED
        match item:
            case None | bool() | int() | float() | str() | bytes() | CBORSimpleValue():
                return item
            case list() | tuple():
                return tuple(self.freeze(entry) for entry in item)
            case Mapping():
                return MappingProxyType(
                    {_check_key(key, self._where): self.freeze(value) for key, value in item.items()}
                )
            case CBORTag():
                return CBORTag(item.tag, self.freeze(item.value))
            case _:
                raise ContentError(f"a value that is not allowed: {type(item).__name__}", where=self._where)


def _order(item: ExtensionValue, where: str, depth: int) -> object:
    """Return `item` as `cbor2` takes it, with every map in order."""
    if depth < 0:
        raise ContentError(f"nested more than {MAX_DEPTH} deep", where=where)
    match item:
        case tuple():
            return [_order(entry, where, depth - 1) for entry in item]
        case Mapping():
            keys = sorted((_check_key(key, where) for key in item), key=cbor2.dumps)
            return {key: _order(item[key], where, depth - 1) for key in keys}
        case CBORTag():
            if item.tag in {2, 3} and not _is_big(item.value):
                raise ContentError("a big number that is none: it fits into an ordinary one", where=where)
            return CBORTag(item.tag, _order(item.value, where, depth - 1))
        case int() if not isinstance(item, bool):
            if not -(1 << 64) <= item < 1 << 64:
                raise ContentError("a number of more than 64 bits", where=where)
            return int(item)  # what is an `IntEnum` is written as its number
        case _:
            return item


def _check_key(key: object, where: str) -> int | str | bytes:
    """Return `key`. A `bool` is no number here, although Python says so."""
    match key:
        case bool():
            pass
        case int() if abs(key) <= MAX_KEY:
            return key
        case str() | bytes():
            return key
        case _:
            pass
    raise ContentError("a key of a map that is neither a number up to 2^53, nor text, nor bytes", where=where)


def _is_big(value: object) -> bool:
    return isinstance(value, bytes) and len(value) > 8 and value[0] != 0


def _write_float(encoder: cbor2.CBOREncoder, value: float) -> None:
    """Write `value` in the shortest of the three forms that keeps it; there is one NaN."""
    if math.isnan(value):
        encoder.write(QUIET_NAN)
        return
    for head, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            short = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, short)[0] == value:
            encoder.write(head + short)
            return
    encoder.write(b"\xfb" + struct.pack(">d", value))
