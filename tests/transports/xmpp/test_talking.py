"""What people do: speak, listen, come and go, on real servers."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.servers.proxy import Proxy
from tests.transports.xmpp.scene import Scene
from transports.carriers import XMPP_MAX_ENVELOPE
from transports.errors import TooLargeError
from transports.room import (
    Account,
    EnvelopeSeen,
    Member,
    Membership,
    MembershipSeen,
    PlaintextSeen,
    RelayNote,
    RoomAddress,
)
from transports.xmpp.elements import CLIENT, children, element, text_of

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_two_talk_and_both_hear_both_in_one_order(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    joined = await alice.join(room)
    await bob.join(f"xmpp:{room}?join")
    heard = [scene.listen(alice), scene.listen(bob)]
    note = RelayNote(RoomAddress("matrix:roomid/x"), Account("matrix:u/c"), "$1", 5)
    await alice.publish(joined.address, b"from alice", transaction="a-1", note=note, fallback="encrypted")
    await bob.publish(joined.address, b"from bob", transaction="b_1")
    for listener in heard:
        await listener.hear(2)
    first, second = heard[0].of(EnvelopeSeen)
    assert [first.origin.sender, second.origin.sender] == [alice.account, bob.account]
    assert (first.envelope, second.envelope) == (b"from alice", b"from bob")
    assert [(each.transaction, each.note) for each in heard[0].of(EnvelopeSeen)] == [("a-1", note), (None, None)]
    assert [(each.transaction, each.note) for each in heard[1].of(EnvelopeSeen)] == [(None, note), ("b_1", None)]
    ids = [[each.origin.event_id for each in listener.of(EnvelopeSeen)] for listener in heard]
    assert ids[0] == ids[1]
    fallback = await scene.owner.until(lambda stanza: stanza.get("id") == "a-1")
    assert [text_of(body) for body in children(fallback, CLIENT, "body")] == ["encrypted"]
    bare = await scene.owner.until(lambda stanza: stanza.get("id") == "b_1")
    assert list(children(bare, CLIENT, "body")) == []


async def test_the_largest_envelope_passes_and_one_byte_more_is_refused_here(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    joined = await alice.join(room)
    await bob.join(room)
    listener = scene.listen(bob)
    assert joined.limits.envelope_bytes == XMPP_MAX_ENVELOPE
    largest = random.Random(1).randbytes(XMPP_MAX_ENVELOPE)
    await alice.publish(joined.address, largest, transaction="large", fallback="x" * 200)
    await listener.until(lambda: listener.envelopes)
    assert listener.envelopes == [largest]
    with pytest.raises(TooLargeError) as raised:
        await alice.publish(joined.address, largest + b"!", transaction="larger")
    assert raised.value.limit == XMPP_MAX_ENVELOPE
    # A fallback counts too: the stanza would end the session, so it is not sent.
    with pytest.raises(TooLargeError):
        await alice.publish(joined.address, largest, transaction="wide", fallback="&" * 60_000)
    await alice.publish(joined.address, b"still here", transaction="small")


async def test_plaintext_is_shown_and_notices_are_plaintext(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    listener = scene.listen(alice)
    bob = await scene.raw(scene.login("bob"), room, "bob")
    await bob.say(room, element(CLIENT, "body", "in clear"))
    await bob.say(room, element(CLIENT, "body", "ü" * 40_000))
    await alice.post_notice(joined.address, "a \x00 notice\ud800", transaction="n-1")
    await listener.until(lambda: len(listener.of(PlaintextSeen)) == 3)
    first, second, third = listener.of(PlaintextSeen)
    assert (first.body, first.origin.sender) == ("in clear", f"xmpp:{scene.jid('bob')}")
    assert second.body == "ü" * 32_768
    assert (third.body, third.origin.sender) == ("a \ufffd notice\ufffd", alice.account)


async def test_many_at_once_arrive_in_the_order_of_the_calls(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    listener = scene.listen(alice)
    envelopes = [f"{number}".encode() for number in range(150)]
    await asyncio.gather(
        *(alice.publish(joined.address, each, transaction=f"t{number}") for number, each in enumerate(envelopes))
    )
    await listener.until(lambda: len(listener.envelopes) == 150)
    assert listener.envelopes == envelopes


async def test_a_nickname_that_is_taken_gets_a_number(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    await scene.raw(scene.login("bob"), room, "tea")
    alice = await scene.transport("alice", nickname="tea")
    joined = await alice.join(room)
    listener = scene.listen(alice)
    await alice.publish(joined.address, b"mine", transaction="t1")
    await listener.until(lambda: listener.envelopes)
    assert [each.transaction for each in listener.of(EnvelopeSeen)] == ["t1"]
    assert {member.account: member.display_name for member in await alice.members(joined.address)} == {
        f"xmpp:{scene.jid('owner')}": "owner",
        f"xmpp:{scene.jid('bob')}": "tea",
        f"xmpp:{scene.jid('alice')}": "tea-2",
    }


async def test_two_clients_of_one_account_hear_each_other(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    desk, phone = await scene.transport("alice"), await scene.transport("alice")
    joined = await desk.join(room)
    await phone.join(room)
    heard = [scene.listen(desk), scene.listen(phone)]
    await desk.publish(joined.address, b"from the desk", transaction="d1")
    await phone.publish(joined.address, b"from the phone", transaction="p1")
    for listener in heard:
        await listener.hear(2)
        assert [each.origin.sender for each in listener.of(EnvelopeSeen)] == [desk.account] * 2
    await phone.close()
    # One of two is gone: the other one is still in the room.
    await desk.publish(joined.address, b"alone", transaction="d2")
    await heard[0].hear(3)


async def test_members_are_those_with_an_affiliation_here_or_not(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    listener = scene.listen(alice)
    await listener.until(lambda: len(listener.of(MembershipSeen)) == 3)
    names = {name: Account(f"xmpp:{scene.jid(name)}") for name in ("owner", "alice", "bob", "carol")}
    assert {each.account for each in listener.of(MembershipSeen)} == {names[name] for name in ("owner", "alice", "bob")}
    assert set(await alice.members(joined.address)) == {
        Member(names["owner"], Membership.JOINED, "owner", 100),
        Member(names["alice"], Membership.JOINED, scene.jid("alice").partition("@")[0], 0),
        Member(names["bob"], Membership.JOINED, "", 0),
    }
    await scene.affiliate(room, "carol", "admin")
    await scene.affiliate(room, "bob", "outcast")
    await scene.affiliate(room, "carol", "none")
    await listener.until(lambda: len(listener.of(MembershipSeen)) == 6)
    assert [(each.account, each.membership) for each in listener.of(MembershipSeen)[3:]] == [
        (names["carol"], Membership.JOINED),
        (names["bob"], Membership.BANNED),
        (names["carol"], Membership.LEFT),
    ]
    told = listener.of(MembershipSeen)
    assert len({each.origin.event_id for each in told}) == len(told)


async def test_what_changed_while_nobody_looked_is_told_afterwards(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice", "bob"])
    alice = await scene.transport("alice")
    await alice.join(room)
    listener = scene.listen(alice)
    await listener.until(lambda: len(listener.of(MembershipSeen)) == 3)
    await listener.live()
    await listener.stop()
    await alice.close()
    await scene.affiliate(room, "bob", "none")
    await scene.affiliate(room, "carol", "member")
    again = await scene.transport("alice")
    await again.join(room)
    later = scene.listen(again, listener.cursor)
    await later.until(lambda: len(later.of(MembershipSeen)) == 2)
    assert [(each.account, each.membership) for each in later.of(MembershipSeen)] == [
        (f"xmpp:{scene.jid('bob')}", Membership.LEFT),
        (f"xmpp:{scene.jid('carol')}", Membership.JOINED),
    ]


async def test_an_archive_that_keeps_nothing_without_a_body_is_given_one(scene: Scene) -> None:
    """The servers here keep what has `<store/>`; through the proxy they do not see it."""
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    async with Proxy(scene.server.c2s_port) as proxy:
        hints = b'<store xmlns="urn:xmpp:hints" />', b'<encryption xmlns="urn:xmpp:eme:0"'
        proxy.upstream = lambda data: data.replace(hints[0], b"").replace(hints[1], b'<encryption xmlns="x"')
        alice = await scene.transport("alice", port=proxy.port)
        joined = await alice.join(room)
        listener = scene.listen(alice)
        await alice.publish(joined.address, b"one", transaction="t1")
        await alice.publish(joined.address, b"two", transaction="t2")
        await listener.until(lambda: listener.envelopes[-1:] == [b"two"])
    assert listener.envelopes == [b"one", b"one", b"two"]
    assert [each.transaction for each in listener.of(EnvelopeSeen)] == ["t1", "t1", "t2"]
    other = await scene.transport("owner")
    await other.join(room)
    archived = scene.listen(other)
    await archived.live()
    assert archived.envelopes == [b"one", b"two"]


async def test_a_room_that_was_left_is_heard_no_more(scene: Scene) -> None:
    await scene.register("alice")
    tea, coffee = await scene.room("tea", ["alice"]), await scene.room("coffee", ["alice"])
    alice = await scene.transport("alice")
    left, kept = await alice.join(tea), await alice.join(coffee)
    listener = scene.listen(alice)
    await alice.publish(left.address, b"last", transaction="t1")
    await alice.leave(left.address)
    await scene.owner.say(tea, element(CLIENT, "body", "behind her back"))
    await alice.publish(kept.address, b"next", transaction="t2")
    await listener.until(lambda: b"next" in listener.envelopes)
    assert listener.of(PlaintextSeen) == []
    assert left.address.encode() not in listener.cursor
