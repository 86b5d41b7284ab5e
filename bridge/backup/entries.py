"""What is in a backup, entry by entry, and why not more.

- **Who one is**: each client's signature key. With it a member can come back into its group; without it, it is somebody
  new, whom people would have to compare numbers with again.
- **The sequencer's key, without its memory.** A memory in a backup is older than what was sealed since, and whoever
  goes on from it signs a second seal for a place that is taken. So a restored key seals nothing in the terms that it
  had (`bridge.order.sealing.Stop.RESTORED`), whatever the room's archive still shows; a new term may name it again.
- **Settings**: the configuration as it is written (it only says where secrets are), where the rooms are, and which
  group each member was in, so that it comes back into that one and founds no other.
- **Whom one trusts**: every decision about a key, with how and when; and who was removed by somebody's decision.
- **What was said**, only where it is asked for.

Never in it: the keys of epochs and ratchets and the private keys of KeyPackages. Restored, they would be used a second
time, and they would open what was to be unreadable once it was read. Nor: passwords, tokens, the database's key, what
waits to be sent.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeAlias

from mls.codec import Opaque, Struct, UInt8, UInt64, struct

__all__ = [
    "STRUCTS",
    "AnyEntry",
    "Entry",
    "Frame",
    "Kind",
    "SavedConfig",
    "SavedContents",
    "SavedIdentity",
    "SavedMember",
    "SavedMessage",
    "SavedRoom",
    "SavedSequencer",
    "SavedTrust",
]


class Kind(IntEnum):
    """What an entry is."""

    CONTENTS = 1
    CONFIG = 2
    IDENTITY = 3
    SEQUENCER = 4
    ROOM = 5
    MEMBER = 6
    TRUST = 7
    MESSAGE = 8


@struct()
class SavedContents(Struct):
    """The first entry, and no other: what the backup is."""

    made_at: UInt64
    """Milliseconds since 1970."""
    software: Opaque
    has_history: UInt8
    """1 where messages follow, if any were kept."""


@struct()
class SavedConfig(Struct):
    """The configuration, as it was written."""

    text: Opaque


@struct()
class SavedIdentity(Struct):
    """A client's signature key."""

    identity: Opaque
    """Of the credential."""
    client: Opaque
    """A `bridge.member.storing.StoredClient`."""


@struct()
class SavedSequencer(Struct):
    """The key that a room's seals are signed with."""

    room: Opaque
    key: Opaque


@struct()
class SavedRoom(Struct):
    """Where a room's accounts are."""

    name: Opaque
    """In the configuration."""
    sides: Opaque
    """As `bridge.service.status` keeps them, JSON."""


@struct()
class SavedMember(Struct):
    """A member, and the group that it was in."""

    account: Opaque
    room: Opaque
    group_id: Opaque
    """Empty where it was in none."""
    removed: tuple[Opaque, ...]
    """Accounts that come back by a person's decision alone."""


@struct()
class SavedTrust(Struct):
    """A decision about a key."""

    owner: Opaque
    account: Opaque
    key: Opaque
    how: Opaque
    at: UInt64


@struct()
class SavedMessage(Struct):
    """A message that was kept."""

    account: Opaque
    room: Opaque
    message: Opaque
    """As `bridge.member.happenings` encodes it."""
    at: UInt64


AnyEntry: TypeAlias = (
    SavedContents | SavedConfig | SavedIdentity | SavedSequencer | SavedRoom | SavedMember | SavedTrust | SavedMessage
)

STRUCTS: Final[dict[Kind, type[AnyEntry]]] = {
    Kind.CONTENTS: SavedContents,
    Kind.CONFIG: SavedConfig,
    Kind.IDENTITY: SavedIdentity,
    Kind.SEQUENCER: SavedSequencer,
    Kind.ROOM: SavedRoom,
    Kind.MEMBER: SavedMember,
    Kind.TRUST: SavedTrust,
    Kind.MESSAGE: SavedMessage,
}


@struct()
class Entry(Struct):
    """An entry of any kind."""

    kind: UInt8
    body: Opaque


@struct()
class Frame(Struct):
    """What is encrypted together."""

    entries: tuple[Entry, ...]
