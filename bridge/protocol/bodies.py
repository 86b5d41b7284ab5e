"""What envelopes carry, kind by kind (PROTOCOL.md, "Kinds"). Seals and fragments have modules of their own."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, TypeVar

from bridge.protocol.code_points import HASH_SIZE, MAX_ENVELOPE
from bridge.protocol.envelope import Envelope
from bridge.protocol.errors import ProtocolError
from mls.codec import FixedOpaque, Opaque, Struct, UInt32, UInt64, struct
from mls.errors import DecodeError

__all__ = [
    "Handshake",
    "Hello",
    "KeyPackagePurpose",
    "LogPosition",
    "MembershipClaim",
    "PublishedKeyPackage",
    "WelcomeBody",
    "open_body",
]


@struct()
class LogPosition(Struct):
    """A place in a group's log: a seal by its number and hash. Before the first seal `seq` is 0."""

    term: UInt64
    seq: UInt64
    seal_hash: Annotated[bytes, FixedOpaque(HASH_SIZE)]


@struct()
class Hello(Struct):
    """What a bridge is: claims of whoever posts it, for people to look at and for a group's creator to take up."""

    software: Opaque
    """UTF-8, at most 64 bytes."""
    rooms: tuple[Opaque, ...]
    """URIs of the rooms that it links, the home room first."""
    sequencer_key: Opaque
    """Ed25519, 32 bytes; empty where the poster is no sequencer."""
    max_envelope: UInt32
    """The largest envelope in bytes that it carries in fragments."""


class KeyPackagePurpose(IntEnum):
    """Why a KeyPackage was posted."""

    ASK = 1
    """Its owner wants to be let in."""
    SUPPLY = 2
    """For whoever wants to add its owner one day."""


@struct()
class PublishedKeyPackage(Struct):
    """A KeyPackage in the room, which is the directory that all networks share."""

    purpose: KeyPackagePurpose
    room: Opaque
    """URI of the room where it was posted first: a Welcome that answers it must be for a group of that room."""
    key_package: Opaque
    """MLSMessage(KeyPackage)"""


@struct()
class Handshake(Struct):
    """A Commit or a proposal."""

    message: Opaque
    """MLSMessage: PrivateMessage; PublicMessage for SelfRemove and external Commits."""
    leads_to: Opaque
    """For a Commit: SHA-256 of the GroupContext that it leads to, 32 bytes. For a proposal: empty."""


@struct()
class WelcomeBody(Struct):
    """A Welcome, posted once its Commit is ordered."""

    welcome: Opaque
    """MLSMessage(Welcome)"""
    stands_at: LogPosition
    """The seal that ordered the Commit."""


@struct()
class MembershipClaim(Struct):
    """What a relay says that it saw on the other side: for people to look at, believed by no program."""

    room: Opaque
    account: Opaque
    membership: Opaque
    """One of `joined`, `invited`, `left`, `kicked`, `banned`."""
    by: Opaque
    at: UInt64
    """Milliseconds since 1970."""


Body = TypeVar("Body", bound=Struct)


def open_body(kind: type[Body], sealed: Envelope) -> Body:
    """Decode an envelope's body. Raises `ProtocolError`."""
    try:
        return kind.decode(sealed.body, max_size=MAX_ENVELOPE)
    except DecodeError as error:
        raise ProtocolError(f"not a {kind.__name__}: {error}") from error
