"""What is small of a member's state and changes often: one record of the store, rewritten as a whole."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, TypeAlias

from bridge.order.log import Log
from bridge.protocol.bodies import Hello
from bridge.protocol.code_points import HASH_SIZE
from mls.codec import Constant, FixedOpaque, Opaque, Struct, UInt32, UInt64, struct

__all__ = [
    "NO_COMMIT",
    "Awaited",
    "Flags",
    "Identifier",
    "InFlight",
    "Intent",
    "IntentKind",
    "KnownHello",
    "Memory",
    "Outgoing",
    "empty_memory",
]

Identifier: TypeAlias = Annotated[bytes, FixedOpaque(HASH_SIZE)]
"""An envelope's identity."""

NO_COMMIT = bytes(HASH_SIZE)
"""What members name as the last Commit before there was one."""


class IntentKind(IntEnum):
    """What a member wants of the group's next epochs."""

    ADD = 1
    REMOVE = 2
    UPDATE = 3
    LEAVE = 4
    """Be let go: others commit it."""
    LET_GO = 5
    """Commit what others have proposed: to be let go."""


@struct()
class Intent(Struct):
    """A wish that outlives lost races: it is given up when its effect is in the group, and not before."""

    kind: IntentKind
    subject: Opaque
    """The credential identity of whom it is about; empty for an update, and for leaving."""
    key_package: Opaque
    """For an Add: MLSMessage(KeyPackage)."""
    due: UInt64
    """Not to be committed before this time."""


@struct()
class InFlight(Struct):
    """A handshake message of one's own that has no place in the order yet."""

    identity: Identifier
    since: UInt64
    alarms: UInt64
    """How often it has taken too long: people were told, and it was posted again."""


@struct()
class Outgoing(Struct):
    """Content that waits until it can be encrypted."""

    message_id: Opaque
    content: Opaque


@struct()
class Awaited(Struct):
    """A message of one's own on its way into the room."""

    identity: Identifier
    message_id: Opaque


@struct()
class KnownHello(Struct):
    """A bridge's `hello`, and the account that posted it."""

    account: Opaque
    hello: Hello


@struct()
class Flags(Struct):
    """Small facts."""

    asked_at: UInt64
    """When this member asked to be let in; 0: it did not."""
    ask_again_at: UInt64
    """When it asks once more, since what it asked with is used up; 0: it need not."""
    updated_at: UInt64
    """When its keys were last fresh."""
    sent_since: UInt32
    """How many messages it has sent since."""
    stuck: Opaque
    """Why the group cannot be followed, in UTF-8; empty where it can."""


@struct()
class Memory(Struct):
    """What is small and changes often: one record of the store, in this encoding."""

    version: Annotated[int, Constant(1, 1, "the version of a member's stored memory")]
    log: Log | None
    last_commit: Identifier
    """Mode `room`: the identity of the last Commit's envelope."""
    intents: tuple[Intent, ...]
    in_flight: InFlight | None
    outgoing: tuple[Outgoing, ...]
    awaited: tuple[Awaited, ...]
    hellos: tuple[KnownHello, ...]
    applied: tuple[Identifier, ...]
    """Identities of the envelopes that the order named last: a copy that comes later is of no use."""
    removed: tuple[Opaque, ...]
    """Accounts that somebody removed: they come back by a person's decision alone."""
    flags: Flags


def empty_memory() -> Memory:
    """Return the memory of a member that has seen nothing."""
    return Memory(1, None, NO_COMMIT, (), None, (), (), (), (), (), Flags(0, 0, 0, 0, b""))
