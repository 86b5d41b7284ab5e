"""Where a reader stands: what the caller stores with the events, and hands back after a restart.

A sync token alone is not enough. One answer of the server may bring thousands of events, told in many batches, and a
crash may come between any two; and `/messages`, which fills the gaps, orders events otherwise than `/sync`. So for each
room the cursor also holds what was told last, as digests of event ids: whoever reads a room backwards knows by them
where to stop, and what not to tell twice. Nothing else need be remembered of a gap that is half closed: what was told
of it stands in the cursor, and reading back anew from the newest event ends there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NewType

__all__ = ["BadCursorError", "Cursor", "Digest", "Place", "digest_of"]

Digest = NewType("Digest", bytes)
"""The first eight bytes of an event id's SHA-256."""

_DIGEST_BYTES: Final = 8
_REMEMBERED: Final = 512
"""How many events a room's place remembers: enough for branches that interleave, and for a timeline told in part."""

_VERSION: Final = 1


class BadCursorError(ValueError):
    """Not a cursor of this transport, or one of another account."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far one room is told."""

    floor: int
    """What is older than this was not asked for: milliseconds since 1970."""
    is_whole: bool = False
    """Whether everything since `floor` was told, down to where the reading began."""
    told_until: str | None = None
    """The sync token up to which this room is told, where it is not the cursor's own: the room was left out since."""
    looks_left: int = 0
    """How many times more to look for what the server may yet fetch from others (see `transports.matrix.timeline`)."""
    known: tuple[Digest, ...] = ()
    """The events told last, oldest first."""
    via: tuple[str, ...] = ()
    """Servers that were in the room: the way back into one whose id names none."""

    def knowing(self, event_ids: Iterable[str]) -> Place:
        """Return the place after these events are told."""
        known = (*self.known, *map(digest_of, event_ids))
        return replace(self, known=known[-_REMEMBERED:])

    def standing_on(self, event_ids: Iterable[str]) -> Place:
        """Return the place that also knows these, which are older than all that it was told."""
        older = (digest_of(event_id) for event_id in event_ids)
        known = (*(digest for digest in older if digest not in self.known), *self.known)
        return replace(self, known=known[-_REMEMBERED:])


@dataclass(frozen=True, slots=True)
class Cursor:
    """A reader's whole position."""

    user_id: str
    since: str | None = None
    """The sync token; `None` before the first sync."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """By room id."""

    def with_place(self, room_id: str, place: Place) -> Cursor:
        """Return the cursor with one room's place changed."""
        return replace(self, places={**self.places, room_id: place})

    def entering(self, floors: Mapping[str, int], vias: Mapping[str, tuple[str, ...]]) -> Cursor:
        """Return the cursor with a place in each of these rooms, and with what is known of the ways there."""
        places = dict(self.places)
        for room_id, floor in floors.items():
            place = places.get(room_id) or Place(floor)
            places[room_id] = replace(place, via=vias.get(room_id, place.via))
        return replace(self, places=places)

    def advanced(self, since: str, told: Iterable[str]) -> Cursor:
        """Return the cursor after a sync of which all these rooms are told; the other rooms stay where they are."""
        covered = frozenset(told)
        places = {
            room_id: replace(place, told_until=None if room_id in covered else place.told_until or self.since)
            for room_id, place in self.places.items()
        }
        return replace(self, since=since, places=places)

    def restarted(self) -> Cursor:
        """Return the cursor without its tokens, which the server no longer knows; what was told stays known."""
        places = {room_id: replace(place, told_until=None) for room_id, place in self.places.items()}
        return replace(self, since=None, places=places)

    def encode(self) -> bytes:
        """Return the bytes to store."""
        rooms = {
            room_id: {
                "floor": place.floor,
                "whole": place.is_whole,
                "until": place.told_until,
                "looks": place.looks_left,
                "known": base64.b64encode(b"".join(place.known)).decode(),
                **({"via": place.via} if place.via else {}),
            }
            for room_id, place in self.places.items()
        }
        record = {"v": _VERSION, "user": self.user_id, "since": self.since, "rooms": rooms}
        return json.dumps(record, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes, user_id: str) -> Cursor:
        """Read what `encode` wrote. Raises `BadCursorError`, for another account's as well."""
        try:
            record = json.loads(data)
        except (ValueError, RecursionError):
            raise BadCursorError("not JSON") from None
        match record:
            case {"v": 1, "user": str(owner), "since": str() | None as since, "rooms": dict(rooms)}:
                pass
            case _:
                raise BadCursorError("not a cursor of version 1")
        if owner != user_id:
            raise BadCursorError("a cursor of another account")
        return cls(user_id, since, {room_id: _place(place) for room_id, place in rooms.items()})


def digest_of(event_id: str) -> Digest:
    """Return what the cursor keeps of an event id."""
    return Digest(hashlib.sha256(event_id.encode()).digest()[:_DIGEST_BYTES])


def _place(record: object) -> Place:
    match record:
        case {
            "floor": int(floor),
            "whole": bool(whole),
            "until": str() | None as until,
            "looks": int(looks),
            "known": str(known),
            **others,
        }:
            vias = others.get("via", [])
        case _:
            raise BadCursorError("a room's place is not of version 1")
    try:
        digests = base64.b64decode(known, validate=True)
    except ValueError:
        raise BadCursorError("a room's known events are not base64") from None
    if len(digests) % _DIGEST_BYTES:
        raise BadCursorError("a room's known events end in the middle of one")
    if not isinstance(vias, list) or not all(isinstance(via, str) for via in vias):
        raise BadCursorError("a room's servers are no list of names")
    events = (Digest(digests[at : at + _DIGEST_BYTES]) for at in range(0, len(digests), _DIGEST_BYTES))
    return Place(floor, whole, until, looks, tuple(events), tuple(vias))
