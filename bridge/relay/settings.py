"""What a relay is told about its link."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge.order.lanes import ByteQuota
from bridge.protocol.code_points import MAX_ENVELOPE
from transports.room import Account, RoomAddress

__all__ = ["Counted", "RelaySettings", "Side"]


DEFAULT_QUOTA: Final = ByteQuota(per_minute=8 << 20)


@dataclass(frozen=True, slots=True)
class Side:
    """One room of a link, and the account that the relay is there with."""

    account: Account
    room: RoomAddress

    @property
    def scope(self) -> str:
        """Under which the store remembers what was seen there."""
        return f"{self.account} {self.room}"


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The same for all sides of a link."""

    link: str
    """The link's name in the configuration; distinguishes links that share a room."""
    software: str
    """What the relay calls itself in its `Hello`."""
    rooms: tuple[RoomAddress, ...]
    """The rooms of the link, the home room first."""
    sequencer_key: bytes = b""
    """Ed25519, 32 bytes; empty where this process is no sequencer."""
    max_envelope: int = MAX_ENVELOPE
    quota: ByteQuota = DEFAULT_QUOTA
    """What one sender may have copied; the rest waits."""


class Counted(StrEnum):
    """What a relay counts."""

    COPIED = "copied"
    CLAIMED = "claimed"
    """A join or leave told to the other sides."""
    PLAINTEXT = "plaintext"
    """Written without encryption, and not copied."""
    MALFORMED = "malformed"
    TOO_LARGE = "too large"
    HISTORY_LOST = "history lost"
    ROOM_ENDED = "room ended"
