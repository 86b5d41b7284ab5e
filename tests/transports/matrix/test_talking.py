"""People in a room of a real Synapse."""

import asyncio
import gc

import pytest

from bridge.servers import SynapseServer
from tests.transports.matrix.scene import (
    PASSWORD,
    Seen,
    envelopes,
    invite,
    make_room,
    new_name,
    of_type,
    people,
    read,
    user_id,
)
from transports.carriers import MATRIX_EVENT_TYPE, MATRIX_MAX_ENVELOPE
from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    PermanentError,
    RoomEndedError,
    RoomNotFoundError,
    TooLargeError,
    UnsuitableRoomError,
)
from transports.matrix import MatrixSession, MatrixTransport, PasswordLogin
from transports.matrix.rooms import CREATOR_POWER
from transports.matrix.uris import room_id_of, room_uri
from transports.room import (
    Account,
    EnvelopeSeen,
    MalformedSeen,
    Membership,
    MembershipSeen,
    PlaintextSeen,
    RelayNote,
    RoomAddress,
    RoomEnded,
    Transport,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(90)]


async def test_envelopes_travel_both_ways_and_come_back_with_their_transaction(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        as_interface: Transport = alice
        room = await make_room(alice, bob)
        note = RelayNote(RoomAddress("xmpp:tea@muc.a.org"), Account("xmpp:carol@a.org"), "id", 2**63 - 1)
        await as_interface.publish(room, b"from alice", transaction="a-1", note=note)
        await bob.publish(room, b"from bob", transaction="b_1")
        for reader, transactions in ((alice, ["a-1", None]), (bob, [None, "b_1"])):
            seen = of_type((await read(reader, Seen())).events, EnvelopeSeen)
            assert [event.envelope for event in seen] == [b"from alice", b"from bob"]
            assert [event.transaction for event in seen] == transactions
            assert [event.note for event in seen] == [note, None]
            assert [event.origin.sender for event in seen] == [alice.account, bob.account]
            assert {event.origin.room for event in seen} == {room}


async def test_publishing_again_posts_nothing_twice_even_after_a_restart(synapse: SynapseServer) -> None:
    name = new_name("alice")
    await asyncio.to_thread(synapse.register, name, PASSWORD)
    sessions: list[MatrixSession] = []
    first = MatrixTransport(synapse.url, PasswordLogin(name, PASSWORD), on_session=sessions.append)
    await first.start()
    room = await make_room(first)
    await first.publish(room, b"once", transaction="one")
    await first.publish(room, b"once", transaction="one")
    await first.close()
    again = MatrixTransport(synapse.url, PasswordLogin(name, PASSWORD, sessions[0]), on_session=sessions.append)
    await again.start()
    await again.join(room)
    await again.publish(room, b"once", transaction="one")
    seen = await read(again, Seen())
    await again.close()
    assert envelopes(seen) == [b"once"]
    assert sessions[0] == sessions[1]
    assert sessions[0].access_token not in repr(sessions[0])


async def test_an_own_envelope_is_known_on_another_device(synapse: SynapseServer) -> None:
    name = new_name("alice")
    await asyncio.to_thread(synapse.register, name, PASSWORD)
    devices = [MatrixTransport(synapse.url, PasswordLogin(name, PASSWORD)) for _ in range(2)]
    for device in devices:
        await device.start()
    room = await make_room(devices[0])
    await devices[1].join(room)
    await devices[0].publish(room, b"x", transaction="one")
    seen = of_type((await read(devices[1], Seen())).events, EnvelopeSeen)
    for device in devices:
        await device.close()
    assert [event.transaction for event in seen] == ["one"]


async def test_the_largest_envelope_passes_and_a_larger_one_is_refused_with_the_limit(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        largest = bytes(range(256)) * 176
        largest = largest[:MATRIX_MAX_ENVELOPE]
        joined = await bob.join(room)
        assert joined.limits.envelope_bytes == len(largest) == 45_000
        await alice.publish(room, largest, transaction="largest")
        with pytest.raises(TooLargeError) as refused:
            await alice.publish(room, largest + b"x", transaction="too-large")
        assert refused.value.limit == 45_000
        long = RelayNote(RoomAddress("xmpp:" + "r" * 3000), Account("xmpp:" + "s" * 3000), "e" * 1000, 1)
        with pytest.raises(TooLargeError) as refused:
            await alice.publish(room, largest, transaction="long-note", note=long)
        limit = refused.value.limit
        assert limit is not None
        assert 40_000 < limit < 45_000
        await alice.publish(room, largest[:limit], transaction="fits", note=long)
        seen = of_type((await read(bob, Seen())).events, EnvelopeSeen)
        assert [event.envelope for event in seen] == [largest, largest[:limit]]
        assert seen[1].note == long


async def test_more_than_the_server_takes_is_an_error(synapse: SynapseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with people(synapse) as (alice,):
        room = await make_room(alice)
        monkeypatch.setattr("transports.matrix.transport._MAX_CONTENT", 100_000)
        note = RelayNote(RoomAddress("xmpp:" + "r" * 8000), None, "e", 1)
        with pytest.raises(TooLargeError, match="M_TOO_LARGE"):
            await alice.publish(room, bytes(45_000), transaction="x", note=note)


async def test_plaintext_redactions_and_junk_are_told_as_what_they_are(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        room_id = room_id_of(room)
        send = ("rooms", room_id, "send")
        await bob.homeserver.put(*send, "m.room.message", "1", body={"msgtype": "m.text", "body": "hello"})
        await bob.homeserver.put(*send, "m.reaction", "3", body={"m.relates_to": 5})
        await bob.homeserver.put(*send, MATRIX_EVENT_TYPE, "4", body={"v": 1, "data": "?"})
        posted = await bob.homeserver.put(*send, MATRIX_EVENT_TYPE, "5", body={"v": 1, "data": "eA"})
        await bob.homeserver.put("rooms", room_id, "redact", str(posted["event_id"]), "6", body={})
        await alice.post_notice(room, "a notice", transaction="n")
        seen = await read(alice, Seen())
        assert [event.body for event in of_type(seen.events, PlaintextSeen)] == ["hello", "a notice"]
        assert [event.reason for event in of_type(seen.events, MalformedSeen)] == [
            "data is not unpadded base64",
            "empty: it was redacted",
        ]


async def test_who_comes_and_goes_is_told(synapse: SynapseServer) -> None:
    async with people(synapse, synapse, synapse) as (alice, bob, carol):
        room = await make_room(alice, bob)
        room_id = room_id_of(room)
        state = ("rooms", room_id, "state", "m.room.member", user_id(bob))
        await bob.homeserver.put(*state, body={"membership": "join", "displayname": "Bob"})
        for act in ("kick", "ban", "unban"):
            await alice.homeserver.post("rooms", room_id, act, body={"user_id": user_id(bob)})
        await invite(alice, room_id, carol)
        await carol.join(room)
        await carol.leave(room)
        seen = of_type((await read(alice, Seen())).events, MembershipSeen)
        assert [(event.account, event.membership) for event in seen] == [
            (alice.account, Membership.JOINED),
            (bob.account, Membership.INVITED),
            (bob.account, Membership.JOINED),
            (bob.account, Membership.KICKED),
            (bob.account, Membership.BANNED),
            (bob.account, Membership.LEFT),
            (carol.account, Membership.INVITED),
            (carol.account, Membership.JOINED),
            (carol.account, Membership.LEFT),
        ]
        assert seen[3].origin.sender == alice.account


async def test_ones_own_removal_is_told_while_reading(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        seen = await read(bob, Seen())

        async def kick() -> None:
            await asyncio.sleep(0.5)
            await alice.homeserver.post("rooms", room_id_of(room), "kick", body={"user_id": user_id(bob)})

        count = len(seen.events)
        await asyncio.gather(kick(), read(bob, seen, lambda seen: len(seen.events) > count))
        last = seen.events[-1]
        assert isinstance(last, MembershipSeen)
        assert (last.account, last.membership) == (bob.account, Membership.KICKED)
        with pytest.raises(ForbiddenError):
            await bob.publish(room, b"x", transaction="x")


@pytest.mark.parametrize("version,power", [("10", 100), ("12", CREATOR_POWER)])
async def test_members_are_listed_with_their_power(synapse: SynapseServer, version: str, power: int) -> None:
    async with people(synapse, synapse, synapse) as (alice, bob, carol):
        room = await make_room(alice, bob, room_version=version)
        assert (":" in room_id_of(room)) == (version == "10")
        await invite(alice, room_id_of(room), carol)
        state = ("rooms", room_id_of(room), "state", "m.room.member", user_id(bob))
        await bob.homeserver.put(*state, body={"membership": "join", "displayname": "Bob\u202e\n"})
        members = {member.account: member for member in await bob.members(room)}
        assert {account: member.membership for account, member in members.items()} == {
            alice.account: Membership.JOINED,
            bob.account: Membership.JOINED,
            carol.account: Membership.INVITED,
        }
        assert [members[person.account].power for person in (alice, bob, carol)] == [power, 0, 0]
        assert members[bob.account].display_name == "Bob"


async def test_a_room_is_joined_by_its_alias(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        name = new_name("tea")
        room = await make_room(alice, preset="public_chat", room_alias_name=name)
        joined = await bob.join(f"#{name}:{synapse.name}")
        assert (joined.address, joined.name) == (room, "Tea")


async def test_rooms_that_cannot_be_used_are_refused_with_the_reason(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        for missing in ("!missing:localhost", "!missing", "#missing:localhost", "no room", "xmpp:tea@muc.a.org"):
            with pytest.raises(RoomNotFoundError):
                await alice.join(missing)
        closed = await make_room(alice)
        with pytest.raises(ForbiddenError):
            await bob.join(closed)
        with pytest.raises(ForbiddenError):
            await bob.members(closed)
        with pytest.raises(RoomNotFoundError):
            await bob.publish(RoomAddress("xmpp:tea@muc.a.org"), b"x", transaction="x")
        state = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        with pytest.raises(UnsuitableRoomError, match=r"m\.room\.encryption"):
            await make_room(alice, initial_state=[state])
        answer = await alice.homeserver.post("rooms", room_id_of(closed), "upgrade", body={"new_version": "12"})
        with pytest.raises(RoomEndedError, match=str(answer["replacement_room"])) as ended:
            await alice.join(closed)
        assert ended.value.successor == room_uri(str(answer["replacement_room"]))


async def test_a_lack_of_power_is_an_error(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob, power_level_content_override={"events_default": 50})
        with pytest.raises(ForbiddenError):
            await bob.publish(room, b"x", transaction="x")


async def test_a_room_joined_while_reading_is_told_at_once(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        await make_room(alice)
        seen = await read(alice, Seen())
        other = await make_room(bob, alice)  # the call waits for no sync; the reader below is in a long poll
        await bob.publish(other, b"x", transaction="x")
        async with asyncio.timeout(10):
            await read(alice, seen, lambda seen: b"x" in envelopes(seen))
        third = await make_room(bob)
        await invite(bob, room_id_of(third), alice)
        await bob.publish(third, b"y", transaction="y")

        async def join_later() -> None:
            await asyncio.sleep(1)
            await alice.join(third)

        async with asyncio.timeout(10):
            await asyncio.gather(join_later(), read(alice, seen, lambda seen: b"y" in envelopes(seen)))


async def test_closing_leaves_nothing_behind(synapse: SynapseServer) -> None:
    before = asyncio.all_tasks()
    async with people(synapse) as (alice,):
        room = await make_room(alice)
        live = asyncio.Event()

        async def listen() -> int:
            count = 0
            async for _ in alice.batches(None):
                count += 1
                live.set()
            return count

        listening = asyncio.ensure_future(listen())
        await live.wait()
        await asyncio.sleep(0.2)
        async with asyncio.timeout(2):
            await alice.close()
            assert await listening == 1
        await alice.close()
        with pytest.raises(ConnectionLostError, match="closed"):
            await alice.publish(room, b"x", transaction="x")
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    gc.collect()  # an unclosed socket would warn now, and warnings are errors


async def test_a_cursor_of_another_account_is_refused(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        await make_room(alice)
        seen = await read(alice, Seen())
        for cursor in (seen.cursor, b"junk"):
            with pytest.raises(PermanentError, match="cursor"):
                await read(bob, Seen(cursor))


@pytest.mark.parametrize("way", ["upgrade", "encryption"])
async def test_a_room_that_ends_while_one_is_in_it_says_so(synapse: SynapseServer, way: str) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        seen = await read(bob, Seen())
        if way == "upgrade":
            path: tuple[str, ...] = ("rooms", room_id_of(room), "upgrade")
            answer = await alice.homeserver.post(*path, body={"new_version": "10"})
            successor = room_uri(str(answer["replacement_room"]))
        else:
            path = ("rooms", room_id_of(room), "state", "m.room.encryption", "")
            await alice.homeserver.put(*path, body={"algorithm": "m.megolm.v1.aes-sha2"})
            successor = None
        await read(bob, seen, lambda seen: bool(of_type(seen.events, RoomEnded)))
        (ended,) = of_type(seen.events, RoomEnded)
        assert (ended.room, ended.successor) == (room, successor)
        with pytest.raises(RoomEndedError if way == "upgrade" else UnsuitableRoomError):
            await bob.join(room)
