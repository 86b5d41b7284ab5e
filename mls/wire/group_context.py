"""The GroupContext (RFC 9420, section 8.1)."""

from __future__ import annotations

from typing import Annotated

from mls.codec import Constant, Opaque, Struct, UInt16, UInt64, struct
from mls.registry import MLS10
from mls.wire.extensions import Extension

__all__ = ["GroupContext"]


@struct(retain=True)
class GroupContext(Struct):
    """What all members of an epoch agree on."""

    version: Annotated[int, Constant(2, MLS10, "the GroupContext's protocol version")]
    cipher_suite: UInt16
    group_id: Opaque
    epoch: UInt64
    tree_hash: Opaque
    confirmed_transcript_hash: Opaque
    extensions: tuple[Extension, ...]
