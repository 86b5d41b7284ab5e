"""Envelopes: the one format in which everything travels, the same on every network (PROTOCOL.md, "Envelopes").

::

    struct {
        uint8 version = 1;
        uint8 kind;
        opaque group_id<V>;
        opaque body<V>;
    } Envelope;

An envelope's identity is SHA-256 over all of it. Copies, replays and reflections have the same one. What a relay adds
stands outside, in the carrier.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from bridge.protocol.code_points import MAX_ENVELOPE, PROTOCOL_VERSION, EnvelopeKind
from bridge.protocol.errors import ProtocolError
from mls.codec import Constant, Opaque, Struct, UInt8, struct
from mls.errors import DecodeError

__all__ = ["Envelope", "envelope", "identity_of", "open_envelope"]


@struct(retain=True)
class Envelope(Struct):
    """`kind` is an `EnvelopeKind`, or a number from the future; the body's format follows from it."""

    version: Annotated[int, Constant(1, PROTOCOL_VERSION, "the envelope's version")]
    kind: UInt8
    group_id: Opaque
    """The MLS group that it belongs to; empty where there is none yet."""
    body: Opaque

    @property
    def identity(self) -> bytes:
        """SHA-256 over the whole envelope: 32 bytes."""
        return identity_of(self.encode())


def envelope(kind: EnvelopeKind, group_id: bytes, body: Struct | bytes) -> Envelope:
    """Return an envelope around a body, given as a struct or as bytes."""
    return Envelope(PROTOCOL_VERSION, kind, group_id, body if isinstance(body, bytes) else body.encode())


def open_envelope(data: bytes) -> Envelope:
    """Decode an envelope. Raises `ProtocolError`."""
    if len(data) > MAX_ENVELOPE:
        raise ProtocolError(f"an envelope of {len(data)} bytes, where {MAX_ENVELOPE} are allowed")
    try:
        return Envelope.decode(data, max_size=MAX_ENVELOPE)
    except DecodeError as error:
        raise ProtocolError(f"not an envelope: {error}") from error


def identity_of(data: bytes) -> bytes:
    """Return the identity of an encoded envelope."""
    return hashlib.sha256(data).digest()
