"""A member's whole state in one room. Immutable; steps make the next one (`bridge.member.step`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, TypeAlias

import mls
from bridge.conversation import Verification
from bridge.member.settings import MemberSettings
from bridge.order.log import Log
from bridge.protocol.bodies import Hello
from bridge.protocol.code_points import HASH_SIZE
from bridge.protocol.identity import Identity, identity_of_credential
from bridge.protocol.order import Order, find_order
from mls.codec import Constant, FixedOpaque, Opaque, Struct, UInt8, UInt32, UInt64, struct
from mls.wire.key_package import KeyPackage
from transports.room import Account, RoomAddress

__all__ = [
    "Awaited",
    "Flags",
    "Held",
    "InFlight",
    "Intent",
    "IntentKind",
    "Memory",
    "Outgoing",
    "Person",
    "Session",
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
    alarmed: UInt64
    """1 once people were told that it takes too long."""


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


@struct()
class Held(Struct):
    """An envelope that waits: a handshake for its seal, a message for its epoch, a seal for a group."""

    kind: UInt8
    """An `EnvelopeKind`."""
    envelope: Opaque
    at: UInt64
    """When the room had it: milliseconds since 1970."""
    place: UInt64
    """In the order of arrival: servers' clocks are too coarse to tell it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who published a KeyPackage in this room: in the group already, or not."""

    identity: Identity
    key_package: KeyPackage
    seen_by: Verification
    """`NETWORK`: our own server showed the account posting it. `BRIDGE`: a relay says so."""
    asks: bool
    """Whether they want to be let in."""
    at: int

    @property
    def reference(self) -> bytes:
        """The KeyPackage's reference (RFC 9420, section 5.2), by which a Welcome names it."""
        return mls.cipher_suite(self.key_package.cipher_suite).key_package_ref(self.key_package.encode())


@dataclass(frozen=True, slots=True)
class Session:
    """One account in one room. The engine's state, the log, and what waits."""

    account: Account
    room: RoomAddress
    settings: MemberSettings
    client: mls.Client
    group: mls.GroupState | None = None
    memory: Memory = field(default_factory=empty_memory)
    held: dict[bytes, Held] = field(default_factory=dict)
    """By identity, in the order of arrival."""
    people: Mapping[Identity, Person] = field(default_factory=dict)
    trust: Mapping[tuple[Account, bytes], Verification] = field(default_factory=dict)
    """What vouches for a signature key of an account: the strongest that was ever recorded."""
    bundles: tuple[mls.KeyPackageBundle, ...] = ()
    """KeyPackages of one's own that no Welcome has answered yet."""

    @property
    def identity(self) -> Identity:
        """Who this member is."""
        return Identity(self.account, self.settings.device)

    @property
    def order(self) -> Order:
        """The group's order. Only where there is a group, whose creation and joining have checked it."""
        if self.group is None:
            msg = "no group, no order"
            raise mls.InternalError(msg)
        return find_order(self.group.public.context.extensions)

    @property
    def is_active(self) -> bool:
        """Whether this member is in a group that it can follow and speak in."""
        return self.group is not None and self.group.status is mls.Status.ACTIVE and not self.obstacle

    @property
    def obstacle(self) -> str:
        """Why this member does nothing in its group, for people; empty where nothing keeps it."""
        if self.is_elsewhere:
            return f"the configuration names the group {self.settings.group_id.hex()}, and this is another one"
        return self.memory.flags.stuck.decode(errors="replace")

    @property
    def is_elsewhere(self) -> bool:
        """Whether this member is in another group than its settings name."""
        return self.group is not None and self.settings.group_id not in {b"", self.group.group_id}

    def leaf_of(self, identity: Identity) -> int | None:
        """Return the leaf of a member, `None` where there is none."""
        if self.group is None:
            return None
        return next(
            (index for index, leaf in self.group.members() if identity_of_credential(leaf.credential) == identity), None
        )

    def members(self) -> list[tuple[int, Identity, bytes]]:
        """Return each member's leaf, identity and signature key."""
        if self.group is None:
            return []
        return [
            (index, identity_of_credential(leaf.credential), leaf.signature_key) for index, leaf in self.group.members()
        ]
