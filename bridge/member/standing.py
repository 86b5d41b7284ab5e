"""How firmly a group's epoch stands: what may yet be taken back, and whose Commits no longer count in it.

A Commit that is applied is *unsettled* until somebody else has applied it too (PROTOCOL.md, "Verdicts"). What a member
needs to go back, besides the engine's state of the epoch before, is here: one record of the store, small, and empty
most of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from bridge.member.memory import Identifier, InFlight, Intent, Outgoing
from bridge.protocol.bodies import LogPosition
from bridge.protocol.code_points import CLOSE_AFTER
from mls.codec import Constant, Opaque, Struct, UInt8, UInt32, UInt64, struct

__all__ = ["Before", "GivenNotice", "Place", "Standing", "Unsettled", "Voice", "firm"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the order names an envelope."""

    identity: bytes
    """The envelope's identity: 32 bytes."""
    position: LogPosition
    """The seal that names it. Mode `room`: term and number 0, and the identity as the hash."""
    sealed_at: int
    """That seal's timestamp: milliseconds since 1970. Mode `room`: 0."""


@struct()
class Voice(Struct):
    """A leaf of an epoch whose tree this member has not got, and the key that its word is signed with."""

    leaf: UInt32
    key: Opaque


@struct()
class GivenNotice(Struct):
    """Who is to be removed, and by whose word: Commits by these leaves do not count for a while."""

    leaf: UInt32
    subjects: tuple[UInt32, ...]
    """What that leaf has said last; none: it has withdrawn what it said before."""
    since: UInt64
    """When it first gave notice in this epoch, by the seal; mode `room`: 0."""
    taken_at: UInt64
    """The same, by this member's own clock."""


@struct()
class Before(Struct):
    """What a member wanted and remembered in the epoch before."""

    intents: tuple[Intent, ...]
    in_flight: InFlight | None
    removed: tuple[Opaque, ...]
    last_commit: Identifier
    updated_at: UInt64
    sent_since: UInt32
    asking: tuple[Opaque, ...]
    """Credential identities of those who asked to be let in, and came in by the Commit."""
    notices: tuple[GivenNotice, ...]
    voided: tuple[Identifier, ...]


@struct()
class Unsettled(Struct):
    """A Commit that the order has named, and that may yet turn out void."""

    commit: Identifier
    """Identity of its envelope."""
    epoch: UInt64
    """That it leads to."""
    author: Opaque
    """The credential identity of who made it."""
    author_leaf: UInt32
    witnesses: tuple[UInt32, ...]
    """Leaves of both epochs, without the author's: who can say whether it works, in the order in which they do."""
    voices: tuple[Voice, ...]
    """The leaves of the epoch that it leads to, where this member is not in that epoch."""
    removes: UInt8
    """1 if it removes anybody."""
    position: LogPosition
    """Where the order names it."""
    sealed_at: UInt64
    """When, by the seal; mode `room`: 0."""
    since: UInt64
    """When this member took it in, by its own clock; or later the first `nack` of it, or said `close`."""
    nacked_at: UInt64
    """When the order named its first `nack`, by the seal."""
    nackers: tuple[UInt32, ...]
    """Leaves that cannot follow it."""
    has_spoken: UInt8
    """1 once this member has said whether it can."""
    closes: UInt32
    """How often this member has asked to settle it."""
    welcome: Opaque
    """For those whom a Commit of one's own adds: WelcomeBody. It goes out once the Commit is final."""
    before: Before


@struct()
class Standing(Struct):
    """One record of the store, in this encoding."""

    version: Annotated[int, Constant(1, 1, "the version of what is stored of an unsettled Commit")]
    unsettled: Unsettled | None
    notices: tuple[GivenNotice, ...]
    """Of the current epoch."""
    voided: tuple[Identifier, ...]
    """Identities of the Commits that led out of the current epoch, and were void: they do not count again."""
    said: tuple[Outgoing, ...]
    """What this member has encrypted in the epoch that is not settled: it is to be said again where that is void."""
    shown: tuple[Identifier, ...]
    """Ids of the messages of that epoch that people have been told, the newest first."""
    repeats: tuple[Identifier, ...]
    """Ids of messages that were told in an epoch that was void: when they are said again, nobody is told twice."""

    def has_notice_of(self, leaf: int, sealed_at: int) -> bool:
        """Return whether Commits of a leaf do not count where a seal of that time names them; mode `room`: 0."""
        return any(
            leaf in notice.subjects and (sealed_at == 0 or sealed_at < notice.since + CLOSE_AFTER)
            for notice in self.notices
        )


def firm() -> Standing:
    """Return the standing of an epoch that nothing can take back."""
    return Standing(1, None, (), (), (), (), ())
