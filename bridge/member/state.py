"""A member's whole state in one room. Immutable; steps make the next one (`bridge.member.step`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import mls
from bridge.conversation import Verification
from bridge.member.memory import Memory, empty_memory
from bridge.member.missing import Fetching
from bridge.member.recovery import Recovery, nothing_lost
from bridge.member.settings import MemberSettings
from bridge.member.standing import Standing, firm
from bridge.order.supplying import Supplying
from bridge.protocol.identity import Identity, identity_of_credential
from bridge.protocol.order import Order, find_order
from mls.codec import Opaque, Struct, UInt8, UInt64, struct
from mls.wire.key_package import KeyPackage
from transports.room import Account, RoomAddress

__all__ = ["Held", "Person", "Session"]


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
    standing: Standing = field(default_factory=firm)
    """How firmly the group's epoch stands."""
    left: mls.GroupState | None = None
    """What is kept of the epoch before, as long as the Commit that led out of it is not settled."""
    coming: mls.GroupState | None = None
    """The state behind one's own external Commit, until a member has shown that it counts."""
    memory: Memory = field(default_factory=empty_memory)
    recovery: Recovery = field(default_factory=nothing_lost)
    fetching: Fetching = field(default_factory=Fetching)
    supplying: Supplying = field(default_factory=Supplying)
    held: dict[bytes, Held] = field(default_factory=dict)
    """By identity, in the order of arrival."""
    people: Mapping[Identity, Person] = field(default_factory=dict)
    welcomed: tuple[bytes, ...] = ()
    """References of KeyPackages that some Welcome has answered, the newest first."""
    trust: Mapping[tuple[Account, bytes], Verification] = field(default_factory=dict)
    """What vouches for a signature key of an account: the strongest that was ever recorded."""
    bundles: tuple[mls.KeyPackageBundle, ...] = ()
    """KeyPackages of one's own that no Welcome has answered yet."""
    published_at: int = 0
    """When this member's last KeyPackage was posted, by this run of the program."""
    is_reading: bool = False
    """Whether the room has not been read yet as far as it went when the program started: nothing is encrypted before.
    An old database is found out by what stands in the room."""

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
    def is_following(self) -> bool:
        """Whether this member takes in what the order says: in the group, or removed by what may yet be void."""
        return self.is_active or (self.left is not None and not self.obstacle)

    @property
    def is_returning(self) -> bool:
        """Whether this member has lost the thread, and is on its way back."""
        return self.recovery.returning is not None

    @property
    def is_without_order(self) -> bool:
        """Whether this member has lost the thread for no other reason than that a part of the order is nowhere."""
        return self.is_returning and self.recovery.behind_since > 0

    @property
    def is_waiting(self) -> bool:
        """Whether there is a Commit that this member cannot follow, and that others may yet call void."""
        return self.group is not None and self.standing.unsettled is not None and self.left is None

    @property
    def is_bound(self) -> bool:
        """Whether no Commit of this member's would count now: not before its last one is settled (PROTOCOL.md)."""
        unsettled = self.standing.unsettled
        return self.is_waiting or (unsettled is not None and unsettled.author == self.identity.encode())

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
