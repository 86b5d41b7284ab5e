"""Happenings as bytes: what a member has to tell is stored until a front end has taken it.

CBOR of `[name, fields...]`; enumerations by their value. Read strictly: what this program wrote, and nothing else.
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import cast, get_args, get_type_hints

import cbor2

from bridge.conversation import Happening

__all__ = ["decode_happening", "encode_happening"]

_TYPES = {kind.__name__: kind for kind in get_args(Happening)}
_HINTS = {kind: get_type_hints(kind) for kind in _TYPES.values()}


def encode_happening(happening: Happening) -> bytes:
    """Return a happening as bytes."""
    values = [getattr(happening, item.name) for item in dataclasses.fields(happening)]
    plain = [value.value if isinstance(value, Enum) else value for value in values]
    return cbor2.dumps([type(happening).__name__, *plain])


def decode_happening(data: bytes) -> Happening:
    """Return the happening that was encoded. Raises `ValueError` for bytes that are none."""
    name, *plain = cbor2.loads(data)
    kind = _TYPES.get(name)
    if kind is None or len(plain) != len(dataclasses.fields(kind)):
        msg = f"no happening: {name}"
        raise ValueError(msg)
    hints = _HINTS[kind]
    values = [_value(hints[item.name], value) for item, value in zip(dataclasses.fields(kind), plain, strict=True)]
    return cast("Happening", kind(*values))


def _value(hint: object, value: object) -> object:
    return hint(value) if isinstance(hint, type) and issubclass(hint, Enum) else value
