"""The wire format's codec: structs declared once, their decoders and encoders generated (RFC 9420, section 2.1)."""

from __future__ import annotations

from mls.codec.lengths import MAX_LENGTH, decode_length, encode_length, encode_opaque
from mls.codec.selects import Tagged, When
from mls.codec.struct import DEFAULT_MAX_SIZE, Field, Struct, struct
from mls.codec.types import Constant, FixedOpaque, Hidden, Opaque, UInt8, UInt16, UInt32, UInt64

__all__ = [
    "DEFAULT_MAX_SIZE",
    "MAX_LENGTH",
    "Constant",
    "Field",
    "FixedOpaque",
    "Hidden",
    "Opaque",
    "Struct",
    "Tagged",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "When",
    "decode_length",
    "encode_length",
    "encode_opaque",
    "struct",
]
