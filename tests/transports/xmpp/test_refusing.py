"""Rooms and people that say no: each no is an error that names its cause, and what can be mended is mended."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.servers.proxy import Proxy
from tests.transports.xmpp.scene import Listener, Scene
from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    PermanentError,
    RetryableError,
    RoomEndedError,
    RoomNotFoundError,
    TooLargeError,
    UnsuitableRoomError,
)
from transports.room import Account, Membership, MembershipSeen, RoomAddress, RoomEnded
from transports.xmpp import XmppTransport
from transports.xmpp.elements import CLIENT, MUC_USER, Element, child, element

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_a_room_that_is_not_there_is_not_made(scene: Scene) -> None:
    await scene.register("alice")
    alice = await scene.transport("alice")
    for room in (scene.room_jid("nowhere"), f"tea@{scene.server.domain}"):
        with pytest.raises(RoomNotFoundError) as raised:
            await alice.join(room)
        assert raised.value.where == room
    for room in ("no jid at all @@", scene.server.muc_domain, ""):
        with pytest.raises(PermanentError):
            await alice.join(room)
    with pytest.raises(RoomNotFoundError):
        await alice.publish(RoomAddress(f"xmpp:{scene.room_jid('nowhere')}"), b"", transaction="t")
    # Nothing was made by trying.
    with pytest.raises(RoomNotFoundError):
        await alice.join(scene.room_jid("nowhere"))


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"whois": "moderators"}, ["muc#roomconfig_whois = anyone"]),
        ({"membersonly": "0"}, ["muc#roomconfig_membersonly = 1"]),
        (
            {"whois": "moderators", "membersonly": "0"},
            ["muc#roomconfig_whois = anyone", "muc#roomconfig_membersonly = 1"],
        ),
    ],
    ids=["semi-anonymous", "open", "both"],
)
async def test_a_room_that_no_group_can_work_in_is_refused(
    scene: Scene, settings: dict[str, str], named: list[str]
) -> None:
    await scene.register("alice")
    room = await scene.room("tea", ["alice"], **settings)
    alice = await scene.transport("alice")
    with pytest.raises(UnsuitableRoomError) as raised:
        await alice.join(room)
    assert all(setting in str(raised.value) for setting in named)


async def test_who_is_not_a_member_stays_out(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["bob"])
    alice = await scene.transport("alice")
    with pytest.raises(ForbiddenError, match="not a member"):
        await alice.join(room)
    await scene.affiliate(room, "alice", "outcast")
    with pytest.raises(ForbiddenError, match=r"banned|not a member"):
        await alice.join(room)
    await scene.affiliate(room, "alice", "member")
    await alice.join(room)


async def test_who_may_not_speak_is_told(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room("tea", ["alice"], moderatedroom="1")
    alice = await scene.transport("alice", nickname="alice")
    joined = await alice.join(room)
    await scene.give_role(room, "alice", "visitor")
    await scene.owner.until(lambda each: _role(each) == "visitor")
    with pytest.raises(ForbiddenError):
        await alice.publish(joined.address, b"no voice", transaction="t1")
    await scene.give_role(room, "alice", "participant")
    await alice.publish(joined.address, b"a voice", transaction="t1")


async def test_who_is_kicked_comes_back_and_has_missed_nothing(scene: Scene) -> None:
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice, bob = await scene.transport("alice", nickname="alice"), await scene.transport("bob")
    joined = await alice.join(room)
    await bob.join(room)
    heard = [scene.listen(alice), scene.listen(bob)]
    for listener in heard:
        await listener.live()
    await scene.kick(room, "alice")
    await bob.publish(joined.address, b"while she was out", transaction="t1")
    for listener in heard:
        await listener.hear(1)
        await listener.live()
        told = listener.of(MembershipSeen)
        assert [(each.account, each.membership) for each in told[3:]] == [(alice.account, Membership.KICKED)]
    assert Account(f"xmpp:{scene.jid('alice')}") in {each.account for each in await bob.members(joined.address)}
    await alice.publish(joined.address, b"back", transaction="t2")


@pytest.mark.parametrize("affiliation, told", [("outcast", Membership.BANNED), ("none", Membership.LEFT)])
async def test_who_is_put_out_says_so_and_comes_back_once_let_in(
    scene: Scene, affiliation: str, told: Membership
) -> None:
    await scene.register("alice", "bob")
    tea, coffee = await scene.room("tea", ["alice", "bob"]), await scene.room("coffee", ["alice", "bob"])
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    out, kept = await alice.join(tea), await alice.join(coffee)
    await bob.join(tea)
    heard = [scene.listen(alice), scene.listen(bob)]
    for listener in heard:
        await listener.live()
    await scene.affiliate(tea, "alice", affiliation)
    for listener in heard:
        await listener.until(partial(_was_told, listener, told))
        last = listener.of(MembershipSeen)[-1]
        assert (last.account, last.origin.room) == (alice.account, out.address)
    with pytest.raises((ForbiddenError, ConnectionLostError)):
        await alice.publish(out.address, b"let me in", transaction="t1")
    # The other room goes on.
    await alice.publish(kept.address, b"meanwhile", transaction="t2")
    await heard[0].until(lambda: b"meanwhile" in heard[0].envelopes)
    await bob.publish(out.address, b"without her", transaction="t3")
    await scene.affiliate(tea, "alice", "member")
    await heard[0].until(lambda: b"without her" in heard[0].envelopes)
    await heard[0].live()
    await alice.publish(out.address, b"back", transaction="t4")


async def test_a_room_that_is_destroyed_is_not_made_again(scene: Scene) -> None:
    await scene.register("alice")
    tea, coffee = await scene.room("tea", ["alice"]), await scene.room("coffee", ["alice"])
    alice = await scene.transport("alice")
    gone, kept = await alice.join(tea), await alice.join(coffee)
    heard = scene.listen(alice)
    await heard.live()
    await scene.destroy(tea, successor=coffee)
    await heard.until(lambda: heard.of(RoomEnded))
    (ended,) = heard.of(RoomEnded)
    assert (ended.room, ended.successor) == (gone.address, kept.address)
    await alice.publish(kept.address, b"here", transaction="t1")
    await heard.until(lambda: b"here" in heard.envelopes)
    with pytest.raises(RoomNotFoundError, match="destroyed"):
        await alice.publish(gone.address, b"gone", transaction="t2")
    with pytest.raises(RoomEndedError, match="destroyed"):
        await alice.join(tea)
    with pytest.raises(RoomNotFoundError):
        await (await scene.transport("owner")).join(tea)


async def test_a_room_that_was_destroyed_meanwhile_has_ended_if_the_server_remembers_it(scene: Scene) -> None:
    """Prosody does. For ejabberd the room is one that never was, so that it may be made again."""
    remembers = scene.server.software == "Prosody"
    await scene.register("alice")
    tea, coffee = await scene.room("tea", ["alice"]), await scene.room("coffee", ["alice"])
    milk = await scene.room("milk", ["alice"])
    async with Proxy(scene.server.c2s_port) as proxy:
        alice = await scene.transport("alice", port=proxy.port)
        gone, kept = await alice.join(tea), await alice.join(coffee)
        heard = scene.listen(alice)
        await heard.live()
        proxy.freeze()
        await scene.destroy(tea, successor=coffee)
        await scene.destroy(milk)
        proxy.cut()
        proxy.thaw()
        await _publish_once_back(alice, kept.address)
        with pytest.raises(RoomNotFoundError) as refused:
            await _publish_once_back(alice, gone.address)
        assert isinstance(refused.value, RoomEndedError) == remembers
        if remembers:
            await heard.until(lambda: heard.of(RoomEnded))
            (ended,) = heard.of(RoomEnded)
            assert (ended.room, ended.successor) == (gone.address, kept.address)
        assert bool(heard.of(RoomEnded)) == remembers
        await heard.stop()
        await alice.close()
        for room, successor in ((tea, kept.address), (milk, None)):
            with pytest.raises(RoomNotFoundError) as refused:
                await (await scene.transport("alice")).join(room)
            assert isinstance(refused.value, RoomEndedError) == remembers
            assert getattr(refused.value, "successor", None) == (successor if remembers else None)


async def test_a_room_that_stops_showing_addresses_is_left_until_it_does_again(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    heard = scene.listen(alice)
    await heard.live()
    await scene.configure(room, **{"muc#roomconfig_whois": "moderators"})
    with pytest.raises((UnsuitableRoomError, ConnectionLostError)):
        await _speak_until_refused(alice, joined.address)
    await scene.owner.until(lambda each: each.get("type") == "unavailable" and each.get("from", "").startswith(room))
    with pytest.raises(UnsuitableRoomError, match="whois = anyone"):
        await alice.publish(joined.address, b"nobody", transaction="nobody")
    await scene.configure(room, **{"muc#roomconfig_whois": "anyone"})
    await scene.owner.until(lambda each: each is scene.owner.heard[-1] and _role(each) == "participant")
    await _speak_once_let_in(alice, joined.address)
    await heard.until(lambda: heard.envelopes[-1:] == [b"again"])


async def test_who_is_forgotten_by_the_room_finds_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it happens when the room's server has lost ours for a while."""
    await scene.register("alice", "bob")
    room = await scene.room(members=["alice", "bob"])
    alice, bob = await scene.transport("alice"), await scene.transport("bob")
    joined = await alice.join(room)
    await bob.join(room)
    heard = scene.listen(alice)
    await heard.live()
    connection = alice._connection
    assert connection is not None
    # Our transport does not hear the room's answer to this.
    monkeypatch.setattr(alice._rooms[room], "on_stanza", lambda *_, **__: None)
    connection.send(
        element(CLIENT, "presence", type="unavailable", to=f"{room}/{scene.jid('alice').partition('@')[0]}")
    )
    await connection.ping()
    monkeypatch.undo()
    await bob.publish(joined.address, b"without her", transaction="t1")
    await heard.hear(1)
    await heard.live()
    await alice.publish(joined.address, b"back", transaction="t2")
    await heard.hear(2)
    assert heard.envelopes == [b"without her", b"back"]


async def test_what_no_transport_may_send_is_not_sent(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    for transaction in ("", "a b", "ä", "x" * 65, "a\n"):
        with pytest.raises(ValueError, match="transaction"):
            await alice.publish(joined.address, b"", transaction=transaction)
    with pytest.raises(TooLargeError):
        await alice.post_notice(joined.address, "x" * 300_000, transaction="t")


async def _publish_once_back(transport: XmppTransport, room: RoomAddress) -> None:
    """Publish as soon as there is a connection again, and the room has let us in or refused."""
    async with asyncio.timeout(15):
        while True:
            try:
                return await transport.publish(room, b"back", transaction="back")
            except RetryableError:
                await asyncio.sleep(0.05)


async def _speak_until_refused(transport: XmppTransport, room: RoomAddress) -> None:
    for attempt in range(1000):
        await transport.publish(room, b"who hears this?", transaction=f"t{attempt}")


def _was_told(listener: Listener, membership: Membership) -> bool:
    return listener.of(MembershipSeen)[-1].membership is membership


def _role(presence: Element) -> str | None:
    item = child(child(presence, MUC_USER, "x"), MUC_USER, "item")
    return None if item is None else item.get("role")


async def _speak_once_let_in(transport: XmppTransport, room: RoomAddress) -> None:
    """Publish as soon as the transport knows that it is back: others see that a moment earlier."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await transport.publish(room, b"again", transaction="again")
            except UnsuitableRoomError:
                await asyncio.sleep(0.02)
