"""A room's members and settings, as the server says now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from transports.errors import RoomNotFoundError
from transports.matrix.adapter import Homeserver
from transports.matrix.uris import BadIdentifierError, account_uri, room_uri, server_of
from transports.room import Member, Membership

__all__ = [
    "CREATOR_POWER",
    "PowerLevels",
    "StateEvent",
    "fetch_members",
    "fetch_power_levels",
    "fetch_servers",
    "fetch_state",
    "read_members",
    "read_power_levels",
    "read_servers",
    "text_of",
]

CREATOR_POWER: Final = 2**53 - 1
"""Stands for a creator's power from room version 12 on, which is above all numbers: the largest in Matrix's JSON."""

_CREATORS_RULE: Final = 12
"""The room version from which creators are not in the power levels."""

_MAX_NAME: Final = 255
_SERVERS: Final = 3

_PRESENT: Final = {"join": Membership.JOINED, "invite": Membership.INVITED}


@dataclass(frozen=True, slots=True)
class StateEvent:
    """One setting of a room."""

    sender: str
    """Who set it; empty where the server does not tell."""
    content: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PowerLevels:
    """Who may do what, as far as it matters here."""

    users: Mapping[str, int]
    users_default: int
    events: Mapping[str, int]
    events_default: int

    def of(self, user_id: str) -> int:
        """Return a user's power level."""
        return self.users.get(user_id, self.users_default)

    def needed_for(self, event_type: str) -> int:
        """Return the level that a message event takes."""
        return self.events.get(event_type, self.events_default)


async def fetch_state(server: Homeserver, room_id: str, event_type: str) -> StateEvent | None:
    """Return the state event of a type, with an empty key; `None` if there is none. Raises `TransportError`."""
    path = ("rooms", room_id, "state", event_type)
    try:
        answer = await server.get(*path, query={"format": "event"}, where=room_uri(room_id))
    except RoomNotFoundError:
        return None
    sender, content = answer.get("sender"), answer.get("content")
    if isinstance(sender, str) and isinstance(content, Mapping):
        return StateEvent(sender, content)
    return StateEvent("", answer)  # a server that does not know the format, and answers with the content alone


async def fetch_power_levels(server: Homeserver, room_id: str) -> PowerLevels:
    """Return the room's power levels. Raises `TransportError`."""
    levels = await fetch_state(server, room_id, "m.room.power_levels")
    return read_power_levels(levels, await fetch_state(server, room_id, "m.room.create"))


async def fetch_members(server: Homeserver, room_id: str) -> tuple[Member, ...]:
    """Return who is in the room or invited. Raises `TransportError`."""
    query = {"not_membership": "leave"}
    answer = await server.get("rooms", room_id, "members", query=query, where=room_uri(room_id))
    events = answer.get("chunk")
    return read_members(events if isinstance(events, list) else (), await fetch_power_levels(server, room_id))


async def fetch_servers(server: Homeserver, room_id: str, *, besides: str) -> tuple[str, ...]:
    """Return some servers with people in the room, those with the most first. Raises `TransportError`."""
    answer = await server.get("rooms", room_id, "joined_members", where=room_uri(room_id))
    joined = answer.get("joined")
    return read_servers(joined if isinstance(joined, Mapping) else (), besides=besides)


def read_servers(user_ids: Iterable[str], *, besides: str) -> tuple[str, ...]:
    """Return some servers that these users are on, those with the most first."""
    found: Counter[str] = Counter()
    for user_id in user_ids:
        with suppress(BadIdentifierError):
            found[server_of(user_id)] += 1
    del found[besides]
    return tuple(name for name, _ in found.most_common(_SERVERS))


def read_power_levels(levels: StateEvent | None, create: StateEvent | None) -> PowerLevels:
    """Read `m.room.power_levels` and `m.room.create`; `None` for what the room does not have."""
    creators = () if create is None else _creators(create)
    version = "" if create is None else text_of(create.content, "room_version")
    are_above = version.isdecimal() and int(version) >= _CREATORS_RULE
    if levels is None:
        return PowerLevels(dict.fromkeys(creators, CREATOR_POWER if are_above else 100), 0, {}, 0)
    users = _levels(levels.content.get("users"))
    if are_above:
        users.update(dict.fromkeys(creators, CREATOR_POWER))
    return PowerLevels(
        users,
        _level(levels.content.get("users_default")),
        _levels(levels.content.get("events")),
        _level(levels.content.get("events_default")),
    )


def read_members(events: Iterable[object], power: PowerLevels) -> tuple[Member, ...]:
    """Read the members who are in the room or invited; what is malformed is left out."""
    members = (_member(event, power) for event in events)
    return tuple(member for member in members if member is not None)


def text_of(content: Mapping[str, object], key: str) -> str:
    """Return a text for people: printable, and cut where it is long. Empty where there is none."""
    value = content.get(key)
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value[:_MAX_NAME] if char.isprintable())


def _member(event: object, power: PowerLevels) -> Member | None:
    match event:
        case {"type": "m.room.member", "state_key": str(user_id), "content": dict(content)}:
            membership = _PRESENT.get(text_of(content, "membership"))
        case _:
            return None
    if membership is None:
        return None
    try:
        account = account_uri(user_id)
    except BadIdentifierError:
        return None
    return Member(account, membership, text_of(content, "displayname"), power.of(user_id))


def _creators(create: StateEvent) -> tuple[str, ...]:
    additional = create.content.get("additional_creators")
    named = (create.sender, *(additional if isinstance(additional, list) else ()))
    return tuple(user_id for user_id in named if isinstance(user_id, str))


def _levels(value: object) -> dict[str, int]:
    return {key: _level(level) for key, level in value.items()} if isinstance(value, Mapping) else {}


def _level(value: object) -> int:
    """Return a power level; room versions before 10 also take them as text."""
    try:
        return int(value) if isinstance(value, int | str) else 0
    except ValueError:
        return 0
