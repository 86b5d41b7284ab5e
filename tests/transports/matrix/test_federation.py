"""A room with members on two homeservers, whose orders differ."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from bridge.servers import Synapse, SynapseServer
from tests.transports.matrix.scene import Seen, envelopes, make_room, people, read
from transports.errors import RoomNotFoundError
from transports.matrix import MatrixTransport, TokenLogin
from transports.room import RoomAddress

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


async def post(sender: MatrixTransport, room: RoomAddress, count: int, name: str) -> list[bytes]:
    sent = [f"{name} {number}".encode() for number in range(count)]
    for number, envelope in enumerate(sent):
        await sender.publish(room, envelope, transaction=f"{name}-{number}")
    return sent


async def federated_room(alice: MatrixTransport, bob: MatrixTransport) -> RoomAddress:
    """Make a room on Alice's server, and let Bob in from his, where its id says nothing of the server."""
    room = await make_room(alice, bob, preset="private_chat")
    assert ":" not in room.removeprefix("matrix:roomid/")
    return room


def in_order(seen: Seen, sent: list[bytes]) -> list[bytes]:
    """Return those of one sender's envelopes that were seen, as they came."""
    own = set(sent)
    return [envelope for envelope in envelopes(seen) if envelope in own]


async def test_members_on_two_servers_read_each_other(synapse_pair: tuple[SynapseServer, SynapseServer]) -> None:
    async with people(*synapse_pair) as (alice, bob):
        room = await federated_room(alice, bob)
        sent = await asyncio.gather(post(alice, room, 20, "alice"), post(bob, room, 20, "bob"))
        for reader in (alice, bob):
            seen = await read(reader, Seen(), lambda seen: len(envelopes(seen)) >= 40)
            assert sorted(envelopes(seen)) == sorted(sent[0] + sent[1])
            assert in_order(seen, sent[0]) == sent[0]
            assert in_order(seen, sent[1]) == sent[1]
        assert {member.account for member in await bob.members(room)} == {alice.account, bob.account}


async def test_what_a_server_missed_while_it_was_away_is_told_whole(
    synapse_installation: Synapse, tmp_path: Path
) -> None:
    # 150 messages while Bob's server is away, and Alice's restarts: hers no longer pushes them, and his fetches what
    # is older than the newest few by backfill alone.
    with synapse_installation.start_pair(tmp_path) as (first, second):
        async with people(first, second) as (alice, bob):
            room = await federated_room(alice, bob)
            seen = await read(bob, Seen(), lambda seen: len(seen.events) >= 3)
            await asyncio.to_thread(second.stop)
            sent = await post(alice, room, 150, "missed")
            await asyncio.to_thread(first.restart)
            await asyncio.to_thread(second.resume)
            sent += await post(alice, room, 1, "waking")
            await read(bob, seen, lambda seen: len(envelopes(seen)) >= len(sent))
            assert envelopes(seen) == sent


async def test_two_servers_that_were_apart_tell_both_branches(synapse_installation: Synapse, tmp_path: Path) -> None:
    with synapse_installation.start_pair(tmp_path) as (first, second):
        async with people(first, second) as (alice, bob):
            room = await federated_room(alice, bob)
            await alice.publish(room, b"together", transaction="together")
            seen = await read(bob, Seen(), lambda seen: b"together" in envelopes(seen))
            await asyncio.to_thread(first.stop)
            own = await post(bob, room, 130, "bob")
            await read(bob, seen, lambda seen: len(in_order(seen, own)) == len(own))
            await asyncio.to_thread(second.stop)
            await asyncio.to_thread(first.resume)
            theirs = await post(alice, room, 130, "alice")
            await asyncio.to_thread(second.resume)
            theirs += await post(alice, room, 1, "waking")
            await read(bob, seen, lambda seen: len(set(in_order(seen, theirs))) == len(theirs))
            assert in_order(seen, own) == own
            assert sorted(in_order(seen, theirs)) == sorted(theirs)


async def test_a_room_that_ones_server_has_left_is_found_again(
    synapse_pair: tuple[SynapseServer, SynapseServer],
) -> None:
    """Its id names no server, and Bob's has nobody else in it: the way back is one that the cursor remembers."""
    async with people(*synapse_pair) as (alice, bob):
        room = await make_room(alice, preset="public_chat")
        assert ":" not in room.removeprefix("matrix:roomid/")
        with pytest.raises(RoomNotFoundError, match=r"\?via="):
            await bob.join(room)
        await bob.join(f"{room}?via={synapse_pair[0].name}")
        sent = await post(alice, room, 2, "before")
        seen = await read(bob, Seen(), lambda seen: envelopes(seen) == sent)

        await bob.leave(room)
        sent += await post(alice, room, 2, "meanwhile")
        await bob.join(room)
        await read(bob, seen, lambda seen: envelopes(seen) == sent)

        await bob.leave(room)
        sent += await post(alice, room, 2, "again")
        token = bob.homeserver.access_token
        assert token is not None
        later = MatrixTransport(synapse_pair[1].url, TokenLogin(token))
        await later.start()
        try:
            with pytest.raises(RoomNotFoundError, match=r"\?via="):
                await later.join(room)
            async with asyncio.timeout(60), aclosing(later.batches(seen.cursor)) as batches:
                await anext(batches)
                await later.join(room)
                while envelopes(seen) != sent:
                    seen.store(await anext(batches))
        finally:
            await later.close()
