"""When a batch may say that everything is told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from bridge.servers import SynapseServer
from tests.transports.matrix.scene import Seen, envelopes, make_room, people, read
from transports.matrix import MatrixTransport, TokenLogin
from transports.matrix.adapter import Homeserver, JsonObject, Query
from transports.room import RoomAddress

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_a_room_that_is_joined_while_another_is_read_is_read_before_a_batch_is_live(
    synapse: SynapseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has answered of the one room already, and its history is being read, when the other is joined."""
    async with people(synapse, synapse) as (alice, bob):
        tea = await make_room(bob, alice)
        coffee = await make_room(bob, preset="public_chat")
        for room in (tea, coffee):
            await bob.publish(room, room.encode(), transaction="t")
        _join_meanwhile(alice, coffee, monkeypatch)
        seen = await read(alice, Seen())
        assert sorted(envelopes(seen)) == sorted([tea.encode(), coffee.encode()])


async def test_a_batch_is_live_after_each_joining_although_nothing_happened(synapse: SynapseServer) -> None:
    async with people(synapse) as (alice,):
        room = await make_room(alice)
        seen = await read(alice, Seen())
        await read(alice, seen)
        token = alice.homeserver.access_token
        assert token is not None
        again = MatrixTransport(synapse.url, TokenLogin(token))
        await again.start()
        try:
            async with asyncio.timeout(20), aclosing(again.batches(seen.cursor)) as batches:
                assert (await anext(batches)).is_live
                for _ in range(2):
                    await again.join(room)
                    after = await anext(batches)
                    assert after.is_live
                    assert after.events == ()
        finally:
            await again.close()


def _join_meanwhile(transport: MatrixTransport, room: RoomAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the transport join a room when it first reads a history."""
    ask = Homeserver.get
    rooms = [room]

    async def get(
        self: Homeserver, *path: str, query: Query | None = None, where: str | None = None, patience: float = 60
    ) -> JsonObject:
        if self is transport.homeserver and path[-1] == "messages" and rooms:
            await transport.join(rooms.pop())
        return await ask(self, *path, query=query, where=where, patience=patience)

    monkeypatch.setattr(Homeserver, "get", get)
