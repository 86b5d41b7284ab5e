"""People with accounts on a real homeserver, and what they see."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from bridge.servers import SynapseServer
from transports.matrix import MatrixTransport, PasswordLogin
from transports.matrix.uris import room_uri, user_id_of
from transports.room import Batch, EnvelopeSeen, RoomAddress, RoomEvent

__all__ = ["PASSWORD", "Seen", "envelopes", "invite", "make_room", "new_name", "of_type", "people", "read", "user_id"]

PASSWORD = "a password for tests"
PATIENCE = 60.0

Kind = TypeVar("Kind")


class Seen:
    """What was stored of a transport's stream: the events, and the cursor behind them."""

    def __init__(self, cursor: bytes | None = None) -> None:
        self.events: list[RoomEvent] = []
        self.cursor = cursor
        self.is_live = False

    def store(self, batch: Batch) -> None:
        self.events += batch.events
        self.cursor = batch.cursor
        self.is_live = batch.is_live


def new_name(name: str) -> str:
    """Return a name that no other test uses."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


@asynccontextmanager
async def people(*servers: SynapseServer) -> AsyncIterator[list[MatrixTransport]]:
    """Make an account on each of the servers; started transports, closed at the end of the block."""
    transports: list[MatrixTransport] = []
    try:
        for server in servers:
            name = new_name("person")
            await asyncio.to_thread(server.register, name, PASSWORD)
            transports.append(MatrixTransport(server.url, PasswordLogin(name, PASSWORD)))
            await transports[-1].start()
        yield transports
    finally:
        for transport in transports:
            await transport.close()


async def make_room(owner: MatrixTransport, *guests: MatrixTransport, **options: object) -> RoomAddress:
    """Make a room that the owner and the guests have joined."""
    body = {"preset": "private_chat", "name": "Tea", "invite": [user_id(guest) for guest in guests], **options}
    answer = await owner.homeserver.post("createRoom", body=body)
    room = room_uri(str(answer["room_id"]))
    for person in (owner, *guests):
        await person.join(room)
    return room


async def invite(owner: MatrixTransport, room_id: str, guest: MatrixTransport) -> None:
    await owner.homeserver.post("rooms", room_id, "invite", body={"user_id": user_id(guest)})


async def read(
    transport: MatrixTransport, seen: Seen, until: Callable[[Seen], bool] = lambda seen: seen.is_live
) -> Seen:
    """Read on from where `seen` ends, until it holds what is asked for."""
    async with asyncio.timeout(PATIENCE), aclosing(transport.batches(seen.cursor)) as batches:
        async for batch in batches:
            seen.store(batch)
            if until(seen):
                break
    return seen


def user_id(transport: MatrixTransport) -> str:
    return user_id_of(transport.account)


def of_type(events: Sequence[RoomEvent], kind: type[Kind]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def envelopes(seen: Seen) -> list[bytes]:
    return [event.envelope for event in of_type(seen.events, EnvelopeSeen)]
