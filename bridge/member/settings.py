"""What a person decides for a member, once, in the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge.protocol.code_points import Mode
from bridge.protocol.order import Retention
from transports.room import Account

__all__ = ["DEFAULT_PADDING", "DEFAULT_RETENTION", "AddPolicy", "MemberSettings"]

DEFAULT_RETENTION: Final = Retention(grace=600, epochs=5, seconds=24 * 3600, epochs_max=64)
"""Keys for late messages: ten minutes whatever the number of epochs; beyond that five epochs and a day."""

DEFAULT_PADDING: Final = 64
"""Bytes that the shortest message is padded to."""


class AddPolicy(StrEnum):
    """What happens when somebody asks to be let in."""

    OWN_NETWORK = "own-network"
    """Whoever one's own server shows posting their own key is added; others are for a person to decide."""
    ASK = "ask"
    """A person decides about everybody."""
    NOBODY = "nobody"
    """Nobody is added by this member."""


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """Immutable; times in milliseconds unless they say otherwise."""

    device: str = "mls-bridge"
    """The device's name in the credential: 1 to 64 bytes."""
    create: bool = False
    """Whether to found a group where the room has none; otherwise this member asks to be let in."""
    group_id: bytes = b""
    """The group that this member founds or joins, and no other; empty: whichever is there."""
    mode: Mode = Mode.SEALED
    """The order of a group that this member founds."""
    bridge: Account | None = None
    """Whose `hello` a founder believes; `None`: the only one in the room, and with two it asks a person."""
    retention: Retention = DEFAULT_RETENTION
    """How long the members of a group that this member founds keep past keys for late messages."""
    padding: int = DEFAULT_PADDING
    """Messages are padded to the next of so many bytes, twice as many, and so on; 0: not at all."""
    history: bool = False
    """Whether messages are kept once they are read, encrypted: one's own and others'."""
    add: AddPolicy = AddPolicy.OWN_NETWORK
    update_days: int = 7
    """After how many days at the latest this member refreshes its keys."""
    update_messages: int = 500
    """After how many messages of its own."""
    stagger: int = 3_000
    """Over how long members spread what each of them could do, so that one does it and the others see it done."""
    unsealed_alarm: int = 60_000
    """After how long a Commit of one's own that has no place in the order is an alarm."""
    key_package_days: int = 90
