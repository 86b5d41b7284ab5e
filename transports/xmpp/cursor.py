"""What is stored between two runs: how far each room was told.

    {"v": 1, "rooms": {"xmpp:tea@muc.example.org": {"last": "…", "since": 0, "told": 7, "members": {…}}}}

Members stand in it because no archive tells of affiliations: who came and who went while nobody was looking shows only
against the list of before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from transports.errors import PermanentError
from transports.room import Account, RoomAddress

__all__ = ["Cursor", "Place"]

_VERSION: Final = 1


@dataclass(slots=True)
class Place:
    """How far one room was told."""

    last: str | None = None
    """The archive's id of the last message that was told, or passed over."""
    since: int = 0
    """Where to begin while there is no `last`: milliseconds since 1970."""
    told: int = 0
    """How many changes of members were told. It numbers them: the network gives them no id."""
    members: dict[Account, str] | None = None
    """The affiliations that were told; `None` before the first time."""


@dataclass(slots=True)
class Cursor:
    """All rooms' places, those of rooms that are not joined at the moment too."""

    places: dict[RoomAddress, Place] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, stored: bytes | None) -> Cursor:
        """What `to_bytes` wrote; `None` is the beginning. Raises `PermanentError`."""
        if stored is None:
            return cls()
        try:
            read = json.loads(stored)
            if read["v"] != _VERSION:
                raise PermanentError(f"is of version {read['v']!r}, not {_VERSION}", where="the XMPP cursor")
            return cls({RoomAddress(str(room)): _place(place) for room, place in read["rooms"].items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PermanentError(f"is damaged: {type(error).__name__}", where="the XMPP cursor") from error

    def to_bytes(self) -> bytes:
        """The bytes to store. Equal cursors give equal bytes."""
        rooms = {
            room: {"last": place.last, "since": place.since, "told": place.told, "members": place.members}
            for room, place in self.places.items()
        }
        return json.dumps({"v": _VERSION, "rooms": rooms}, separators=(",", ":"), sort_keys=True).encode()


def _place(read: dict[str, object]) -> Place:
    last, since, told, members = read["last"], read["since"], read["told"], read["members"]
    if not (last is None or isinstance(last, str)) or not isinstance(since, int) or not isinstance(told, int):
        raise TypeError
    if members is None:
        return Place(last, since, told)
    if not isinstance(members, dict):
        raise TypeError
    return Place(last, since, told, {Account(str(who)): str(affiliation) for who, affiliation in members.items()})
