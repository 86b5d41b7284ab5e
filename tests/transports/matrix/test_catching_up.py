"""What was missed: while away, while slow, while dying again and again."""

import asyncio
import random
import time
from contextlib import aclosing

import pytest

from bridge.servers import SynapseServer
from tests.transports.matrix.scene import Seen, envelopes, make_room, of_type, people, read
from transports.matrix import MatrixTransport, TokenLogin, reading
from transports.matrix.uris import room_id_of
from transports.room import HistoryLost, RoomAddress, RoomEnded

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


async def post(sender: MatrixTransport, room: RoomAddress, count: int, name: str = "message") -> list[bytes]:
    """Post envelopes, one after the other, with other traffic between them."""
    sent = [f"{name} {number}".encode() for number in range(count)]
    for number, envelope in enumerate(sent):
        await sender.publish(room, envelope, transaction=f"{name}-{number}")
        if number % 10 == 0:
            path = ("rooms", room_id_of(room), "send", "m.reaction", f"{name}-noise-{number}")
            await sender.homeserver.put(*path, body={"noise": number})
    return sent


def of_room(seen: Seen, room: RoomAddress) -> Seen:
    """Return what was seen of one room."""
    here = Seen()
    here.events = [
        event for event in seen.events if not isinstance(event, HistoryLost | RoomEnded) and event.origin.room == room
    ]
    return here


async def test_who_was_away_for_250_messages_gets_each_once_in_order(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        sent = await post(bob, room, 3, "before")
        seen = await read(alice, Seen())
        sent += await post(bob, room, 250)
        await read(alice, seen)
        assert envelopes(seen) == sent
        assert not of_type(seen.events, HistoryLost)
        sent += await post(bob, room, 5, "after")
        await read(alice, seen, lambda seen: len(envelopes(seen)) == len(sent))
        assert envelopes(seen) == sent


async def test_who_is_slow_to_ask_for_the_next_batch_misses_nothing(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        seen = Seen()
        async with asyncio.timeout(60), aclosing(alice.batches(None)) as batches:
            sent: list[bytes] = []
            async for batch in batches:
                seen.store(batch)
                if len(sent) < 360:
                    sent += await post(bob, room, 120, f"message {len(sent)}")
                elif len(envelopes(seen)) >= len(sent):
                    break
        assert envelopes(seen) == sent


@pytest.mark.parametrize("seed", range(2))
async def test_a_reader_that_dies_again_and_again_tells_each_message_once(
    synapse: SynapseServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # Small batches make many points to die at: each drops the transport after some batches, the last ones unstored.
    monkeypatch.setattr(reading, "_MAX_EVENTS", 15)
    chance = random.Random(seed)
    async with people(synapse, synapse) as (alice, bob):
        rooms = [await make_room(alice, bob) for _ in range(2)]
        seen = Seen()
        await read(alice, seen)
        posting = asyncio.gather(*(post(bob, room, 150, f"room {at}") for at, room in enumerate(rooms)))
        lives = 0
        while not posting.done() or len(envelopes(seen)) < 300:
            lives += 1
            assert lives < 200
            token = alice.homeserver.access_token
            assert token is not None
            reader = MatrixTransport(synapse.url, TokenLogin(token))
            await reader.start()
            for room in rooms:
                await reader.join(room)
            unstored_after = chance.randrange(8)
            try:
                async with asyncio.timeout(2), aclosing(reader.batches(seen.cursor)) as batches:
                    async for batch in batches:
                        if unstored_after == 0:
                            break
                        unstored_after -= 1
                        seen.store(batch)
            except TimeoutError:
                pass
            await reader.close()
        sent = await posting
        for room, expected in zip(rooms, sent, strict=True):
            assert envelopes(of_room(seen, room)) == expected
        assert lives > 5


async def test_history_is_told_since_the_time_that_was_asked_for(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(bob, alice)
        await post(bob, room, 30, "old")
        await asyncio.sleep(0.05)
        since = int(time.time() * 1000)
        await alice.join(room, history_since=since)
        sent = await post(bob, room, 20, "new")
        seen = await read(alice, Seen())
        assert envelopes(seen) == sent
        sent += await post(bob, room, 110, "newer")
        await read(alice, seen)
        assert envelopes(seen) == sent


async def test_a_quiet_place_in_an_old_room_is_found_again(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(bob, alice)
        await post(bob, room, 30, "old")
        await asyncio.sleep(0.05)
        await alice.join(room, history_since=int(time.time() * 1000))
        seen = await read(alice, Seen())
        assert seen.events == []
        sent = await post(bob, room, 110, "new")
        await read(alice, seen)
        assert envelopes(seen) == sent


async def test_a_room_that_was_left_out_for_a_while_is_told_from_where_it_was(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        first, second = [await make_room(alice, bob) for _ in range(2)]
        seen = await read(alice, Seen())
        token = alice.homeserver.access_token
        assert token is not None
        sent = await post(bob, first, 5, "first")
        missed = await post(bob, second, 20, "second")
        again = MatrixTransport(synapse.url, TokenLogin(token))
        await again.start()
        await again.join(first)
        await read(again, seen)
        assert envelopes(seen) == sent
        sent += await post(bob, first, 3, "first again")
        await read(again, seen, lambda seen: envelopes(seen) == sent)
        await again.join(second)
        await read(again, seen)
        await again.close()
        assert envelopes(seen) == sent + missed


async def test_history_from_before_ones_joining_is_told_where_the_room_shows_it(synapse: SynapseServer) -> None:
    hidden = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    async with people(synapse, synapse) as (alice, bob):
        for state in ([], [hidden]):
            room = await make_room(bob, initial_state=state, preset="public_chat")
            sent = await post(bob, room, 10, "before")
            await alice.join(room)
            sent = (sent if not state else []) + await post(bob, room, 3, "after")
            seen = await read(alice, Seen())
            assert envelopes(of_room(seen, room)) == sent


async def test_large_events_come_in_batches_of_bounded_size(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        sent = [bytes([number]) * 45_000 for number in range(110)]
        for number, envelope in enumerate(sent):
            await bob.publish(room, envelope, transaction=f"large-{number}")
        seen = Seen()
        async with asyncio.timeout(30), aclosing(alice.batches(None)) as batches:
            async for batch in batches:
                before = len(envelopes(seen))
                seen.store(batch)
                assert (len(envelopes(seen)) - before) * 45_000 < 4.2 * 1024 * 1024
                if batch.is_live:
                    break
        assert envelopes(seen) == sent
