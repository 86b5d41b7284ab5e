"""Envelopes that are too large for one event travel in parts (PROTOCOL.md, "Fragments").

::

    struct {
        opaque whole[32];      // the identity of the envelope
        uint16 index;          // 0, 1, ...
        uint16 count;
        opaque part<V>;
    } Fragment;

Each fragment is itself an envelope, of the same group. The parts in order are the envelope's bytes, and hash to
`whole`: whoever mixes parts or leaves one out makes no other envelope of them, only none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from bridge.protocol.code_points import HASH_SIZE, MAX_FRAGMENTS, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope, identity_of
from bridge.protocol.errors import ProtocolError
from mls.codec import FixedOpaque, Opaque, Struct, UInt16, struct

__all__ = ["Fragment", "check_fragment", "join_fragments", "split"]

_OVERHEAD = 64
"""Bytes of a fragment beyond its part and the group's id: 46 at the most, rounded up."""


@struct()
class Fragment(Struct):
    """One part of a larger envelope."""

    whole: Annotated[bytes, FixedOpaque(HASH_SIZE)]
    index: UInt16
    count: UInt16
    part: Opaque


def split(sealed: Envelope, limit: int) -> tuple[bytes, ...]:
    """Return what is to be posted so that no event carries more than `limit` bytes: the envelope, or its fragments.

    Raises `ProtocolError` where more than `MAX_FRAGMENTS` would be needed.
    """
    data = sealed.encode()
    if len(data) <= limit:
        return (data,)
    size = limit - _OVERHEAD - len(sealed.group_id)
    if size <= 0 or -(-len(data) // size) > MAX_FRAGMENTS:
        raise ProtocolError(
            f"an envelope of {len(data)} bytes does not go into {MAX_FRAGMENTS} events of {limit} bytes"
        )
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    whole = identity_of(data)
    return tuple(
        envelope(EnvelopeKind.FRAGMENT, sealed.group_id, Fragment(whole, index, len(parts), part)).encode()
        for index, part in enumerate(parts)
    )


def check_fragment(fragment: Fragment) -> None:
    """Check what a fragment says of itself. Raises `ProtocolError`."""
    if not 2 <= fragment.count <= MAX_FRAGMENTS or fragment.index >= fragment.count or not fragment.part:
        raise ProtocolError(f"fragment {fragment.index} of {fragment.count} with {len(fragment.part)} bytes")


def join_fragments(whole: bytes, parts: Sequence[bytes]) -> bytes:
    """Return the envelope's bytes. Raises `ProtocolError` where the parts are not what `whole` names."""
    data = b"".join(parts)
    if identity_of(data) != whole:
        raise ProtocolError("fragments that do not make the envelope that they name")
    return data
