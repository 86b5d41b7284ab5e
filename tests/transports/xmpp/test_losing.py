"""Nothing is lost, whatever happens to connections, servers, readers and archives."""

from __future__ import annotations

import asyncio
import contextlib
import random
from functools import partial

import pytest

from tests.servers.proxy import Proxy
from tests.transports.xmpp.scene import Listener, Scene
from transports.errors import ConnectionLostError, RetryableError
from transports.room import Batch, ConnectionState, EnvelopeSeen, HistoryLost, MembershipSeen, RoomAddress
from transports.xmpp import XmppTransport
from transports.xmpp.cursor import Cursor

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


async def test_who_missed_200_messages_catches_up_however_often_it_is_killed(scene: Scene) -> None:
    """The reader stores batch and cursor, as the interface asks, and is killed now and then in between or after."""
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    joined = await alice.join(room)
    await bob.join(room)
    before = scene.listen(bob)
    await alice.publish(joined.address, b"before", transaction="before")
    await before.hear(1)
    await before.live()
    await before.stop()
    await bob.close()
    expected = [b"%d" % number + b"." * (number % 7 * 1000) for number in range(200)]
    await asyncio.gather(*(_publish(alice, joined.address, each, number) for number, each in enumerate(expected)))
    chance = random.Random(scene.server.software)
    stored: list[bytes] = []
    cursor, kills, live = before.cursor, 0, False
    while not live:
        again = await scene.transport("bob")
        await again.join(room)
        async with contextlib.aclosing(again.batches(cursor)) as batches:
            async for batch in batches:
                fate = chance.random()
                if fate < 0.3:
                    break  # killed before it is stored
                stored += [event.envelope for event in batch.events if isinstance(event, EnvelopeSeen)]
                cursor, live = batch.cursor, batch.is_live
                assert not any(isinstance(event, HistoryLost) for event in batch.events)
                if live or fate < 0.6:
                    break  # killed after
        kills += not live
        await again.close()
    assert stored == expected
    assert kills >= 2


async def test_who_speaks_while_another_catches_up_is_heard_once_and_in_order(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    joined = await alice.join(room)
    for number in range(0, 120, 40):
        await asyncio.gather(
            *(_publish(alice, joined.address, b"%d" % each, each) for each in range(number, number + 40))
        )
    await bob.join(room)
    speaking = asyncio.create_task(_speak(alice, joined.address, range(120, 200)))
    listener = scene.listen(bob)
    await speaking
    await listener.hear(200)
    await listener.live()
    assert listener.envelopes == [b"%d" % number for number in range(200)]
    ids = [each.origin.event_id for each in listener.of(EnvelopeSeen)]
    assert len(set(ids)) == len(ids)


async def test_history_begins_where_it_was_asked_for(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    listener = scene.listen(alice)
    await alice.publish(joined.address, b"old", transaction="old")
    await asyncio.sleep(2.1)  # Prosody's archive counts seconds
    await alice.publish(joined.address, b"new", transaction="new")
    await listener.hear(2)
    bob = await scene.transport("bob")
    await bob.join(room, history_since=listener.of(EnvelopeSeen)[1].origin.at - 1000)
    late = scene.listen(bob)
    await late.live()
    assert late.envelopes == [b"new"]


async def test_an_id_that_the_archive_does_not_know_is_history_lost(scene: Scene) -> None:
    """Prosody says so; ejabberd answers as if nothing had been asked, or by the number in the id."""
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    for number in range(3):
        await _publish(alice, joined.address, b"%d" % number, number)
    listener = scene.listen(alice)
    await listener.hear(3)
    await listener.live()
    place = Cursor.from_bytes(listener.cursor)
    ids = [each.origin.event_id for each in listener.of(EnvelopeSeen)]
    for unknown in ("nonsense", "1", str(int(ids[0]) - 1) if ids[0].isdecimal() else "0", "9" * 20):
        place.places[joined.address].last = unknown
        again = scene.listen(alice, place.to_bytes())
        await again.live()
        assert [each.room for each in again.of(HistoryLost)] == [joined.address], unknown
        assert again.envelopes == [b"0", b"1", b"2"], unknown
        assert isinstance(again.events[0], HistoryLost)
        await again.stop()
    place.places[joined.address].last = ids[1]
    again = scene.listen(alice, place.to_bytes())
    await again.live()
    assert (again.of(HistoryLost), again.envelopes) == ([], [b"2"])


async def test_a_connection_that_is_cut_in_the_middle_of_a_stanza_loses_nothing(scene: Scene) -> None:
    """Sent again under its transaction until it is known to have arrived, each envelope arrives, in any case once."""
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    bob = await scene.transport("bob")
    await bob.join(room)
    heard = scene.listen(bob)
    chance = random.Random(7)
    async with Proxy(scene.server.c2s_port) as proxy:
        alice = await scene.transport("alice", port=proxy.port)
        states: list[ConnectionState] = []
        alice.on_state = states.append
        joined = await alice.join(room)
        own = scene.listen(alice)
        await own.live()
        failures = 0
        for number in range(30):
            if number % 3 == 0:
                proxy.cut_after = chance.randrange(1, 900)
            failures += await _until_published(alice, joined.address, b"%d" % number, f"t{number}")
        await heard.until(lambda: len(set(heard.envelopes)) == 30)
        await own.until(lambda: len(set(own.envelopes)) == 30)
        await own.live()
    assert failures >= 5
    assert proxy.connections >= 6
    # What was cut off behind the stanza, before its reflection, came twice: with ids of its own, in the same order.
    assert heard.envelopes == own.envelopes
    assert _first_of_each(own.envelopes) == [b"%d" % number for number in range(30)]
    assert heard.of(HistoryLost) == own.of(HistoryLost) == []
    assert {ConnectionState.LOST, ConnectionState.CONNECTING, ConnectionState.CATCHING_UP, ConnectionState.LIVE} <= {
        *states
    }


async def test_who_was_cut_off_hears_what_was_said_meanwhile(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    async with Proxy(scene.server.c2s_port) as proxy:
        bob = await scene.transport("bob", port=proxy.port)
        await bob.join(room)
        heard = scene.listen(bob)
        for number in range(60):
            if number % 12 == 5:
                proxy.cut()
            await _publish(alice, joined.address, b"%d" % number, number)
        await heard.hear(60)
        await heard.live()
    assert heard.envelopes == [b"%d" % number for number in range(60)]
    assert heard.of(HistoryLost) == []


async def test_a_connection_that_breaks_while_a_room_is_looked_after_is_made_again(scene: Scene) -> None:
    """Whoever keeps us in the room finds out before whoever keeps the connection."""
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    heard = scene.listen(alice)
    await heard.live()
    connection = alice._connection
    assert connection is not None
    connection.closed.set()
    alice._rooms[room].stirred.set()
    await _until_published(alice, joined.address, b"back", "back")
    await heard.hear(1)


async def test_a_network_that_is_gone_without_a_word_is_noticed(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    async with Proxy(scene.server.c2s_port) as proxy:
        bob = await scene.transport("bob", port=proxy.port)
        await bob.join(room)
        heard = scene.listen(bob)
        await heard.live()
        proxy.freeze()
        sending = asyncio.create_task(bob.publish(joined.address, b"into the void", transaction="void"))
        await _publish(alice, joined.address, b"unheard", 1)
        with pytest.raises(ConnectionLostError):
            await sending
        proxy.thaw()
        await heard.until(lambda: b"unheard" in heard.envelopes)
    assert heard.of(HistoryLost) == []


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_server_that_goes_and_comes_back_is_found_again(scene: Scene, how: str) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    joined = await alice.join(room)
    await bob.join(room)
    heard = [scene.listen(alice), scene.listen(bob)]
    await _publish(alice, joined.address, b"before", 1)
    for listener in heard:
        await listener.hear(1)
        await listener.live()
    await asyncio.to_thread(scene.server.stop if how == "stopped" else scene.server.kill)
    with pytest.raises(RetryableError):
        await alice.publish(joined.address, b"down", transaction="down")
    await asyncio.to_thread(scene.server.resume)
    await _until_published(bob, joined.address, b"after", "after")
    for listener in heard:
        await listener.until(partial(_has_heard, listener, b"after"))
        await listener.live()
        assert _first_of_each(listener.envelopes) == [b"before", b"after"]
        assert listener.of(HistoryLost) == []
        assert len(listener.of(MembershipSeen)) == 3


async def test_a_reader_who_is_slow_is_not_flooded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is not kept: the archive has it."""
    monkeypatch.setattr("transports.xmpp.feed.MOST_ITEMS", 20)
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    joined = await alice.join(room)
    await bob.join(room)
    told: list[Batch] = []
    async with contextlib.aclosing(bob.batches(None)) as batches:
        async for batch in batches:
            told.append(batch)
            if len(told) == 1:
                assert batch.is_live
                await _speak(alice, joined.address, range(130))
                assert len(bob._rooms[room].feed) <= 20
            if b"129" in _envelopes(told):
                break
    assert _envelopes(told) == [b"%d" % number for number in range(130)]
    assert not any(isinstance(event, HistoryLost) for batch in told for event in batch.events)


async def test_a_room_without_an_archive_says_what_it_cannot_know(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    setting = {"Prosody": "muc#roomconfig_enablearchiving", "ejabberd": "mam"}[scene.server.software]
    await scene.configure(room, **{setting: "0"})
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    async with Proxy(scene.server.c2s_port) as proxy:
        bob = await scene.transport("bob", port=proxy.port)
        await bob.join(room)
        heard = scene.listen(bob)
        await heard.live()
        await _publish(alice, joined.address, b"one", 1)
        await heard.hear(1)
        assert heard.of(HistoryLost) == []
        proxy.cut()
        await heard.until(lambda: heard.of(HistoryLost))
        await heard.live()
        await _publish(alice, joined.address, b"two", 2)
        await heard.hear(2)
    assert heard.envelopes == [b"one", b"two"]
    await heard.stop()
    again = scene.listen(alice, heard.cursor)
    await again.until(lambda: again.of(HistoryLost))
    fresh = await scene.transport("bob")
    await fresh.join(room)
    fresh_heard = scene.listen(fresh)
    await fresh_heard.live()
    assert fresh_heard.of(HistoryLost) == []


async def _publish(transport: XmppTransport, room: RoomAddress, envelope: bytes, number: int) -> None:
    await transport.publish(room, envelope, transaction=f"t{number}")


async def _speak(transport: XmppTransport, room: RoomAddress, numbers: range) -> None:
    for number in numbers:
        await _publish(transport, room, b"%d" % number, number)


async def _until_published(transport: XmppTransport, room: RoomAddress, envelope: bytes, transaction: str) -> int:
    """Publish as an outbox does, and return how often it failed."""
    for failures in range(400):
        try:
            await transport.publish(room, envelope, transaction=transaction)
        except RetryableError:
            await asyncio.sleep(0.05)
        else:
            return failures
    raise AssertionError("never published")


def _has_heard(listener: Listener, envelope: bytes) -> bool:
    return envelope in listener.envelopes


def _envelopes(batches: list[Batch]) -> list[bytes]:
    return [event.envelope for batch in batches for event in batch.events if isinstance(event, EnvelopeSeen)]


def _first_of_each(envelopes: list[bytes]) -> list[bytes]:
    return list(dict.fromkeys(envelopes))
