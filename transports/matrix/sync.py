"""What is asked of `/sync` and `/messages`, and their answers as values."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from transports.matrix.events import TOLD_TYPES

__all__ = ["PAGE_EVENTS", "Page", "SyncAnswer", "Timeline", "message_filter", "read_page", "read_sync", "sync_filter"]

PAGE_EVENTS: Final = 100
"""Events of a timeline or page: what Synapse gives at the most by default, 6.5 MB at the worst.

Synapse also looks for holes in a page, and fetches what is missing from other servers while we wait; it fetches no more
than this at once.
"""

_MAX_FILTERED_ROOMS: Final = 100
"""A filter travels in the URL, and servers take about 16 kB of one."""

_NOTHING: Final = {"not_types": ["*"]}


@dataclass(frozen=True, slots=True)
class Timeline:
    """What one sync tells of one room, oldest first."""

    events: tuple[object, ...]
    is_limited: bool
    """Whether there may be more between the last sync and these events."""
    prev_batch: str | None
    """Where to read back from."""


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """The answer to `/sync`."""

    next_batch: str
    timelines: Mapping[str, Timeline]
    """By room id; of rooms that the account is in, and of those that it just left."""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to `/messages`, as read backwards: newest first."""

    events: tuple[object, ...]
    end: str | None
    """Where the next page starts, `None` behind the last. A short page is not the last one."""


def sync_filter(room_ids: Collection[str], nonce: str) -> str:
    """Return the filter of `/sync`: the events that are told, in these rooms.

    `nonce` changes nothing but the filter's text. For two minutes Synapse answers the same question from a cache: who
    starts again from the same position would be told, as if it were now, how things stood then.
    """
    rooms: dict[str, object] = {
        "not_rooms": [f"!{nonce}:nonce.invalid"],
        "timeline": {"types": TOLD_TYPES, "limit": PAGE_EVENTS},
        "state": {**_NOTHING, "lazy_load_members": True},
        "ephemeral": _NOTHING,
        "account_data": _NOTHING,
    }
    if len(room_ids) <= _MAX_FILTERED_ROOMS:
        rooms["rooms"] = sorted(room_ids)
    return _compact({"room": rooms, "presence": _NOTHING, "account_data": _NOTHING})


def message_filter() -> str:
    """Return the filter of `/messages`. By types alone, so that years of other traffic cost the server little."""
    return _compact({"types": TOLD_TYPES})


def read_sync(answer: Mapping[str, object]) -> SyncAnswer | None:
    """Read the answer to `/sync`; `None` where it holds no token. What is not understood in it is left out."""
    next_batch = answer.get("next_batch")
    if not isinstance(next_batch, str) or not next_batch:
        return None
    rooms = _mapping(answer.get("rooms"))
    timelines = {
        room_id: _timeline(_mapping(_mapping(room).get("timeline")))
        for section in ("leave", "join")
        for room_id, room in _mapping(rooms.get(section)).items()
    }
    return SyncAnswer(next_batch, timelines)


def read_page(answer: Mapping[str, object]) -> Page:
    """Read the answer to `/messages`."""
    return Page(_list(answer.get("chunk")), _token(answer.get("end")))


def _timeline(timeline: Mapping[str, object]) -> Timeline:
    return Timeline(_list(timeline.get("events")), timeline.get("limited") is True, _token(timeline.get("prev_batch")))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list) else ()


def _token(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _compact(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))
