"""A member that is told which group is the room's founds or joins that one, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from bridge.conversation import Alarm, Join, Joined, RequestRefusedError, Say, Status, StatusShown, Told
from bridge.member.role import MemberRole
from bridge.member.settings import MemberSettings
from bridge.protocol.code_points import EnvelopeKind, Mode
from bridge.protocol.envelope import open_envelope
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from tests.bridge.member.table import MATRIX, START, XMPP, Table
from tests.bridge.member.test_groups import texts
from tests.bridge.relay.world import message
from transports.room import Account

NAMED, OTHER = b"the named group!", b"another group..."
EVE = Account("matrix:u/eve:one")


def handshake(group_id: bytes) -> bytes:
    return message(EnvelopeKind.HANDSHAKE, b"made up", group_id)


def test_a_founder_founds_the_named_group_whatever_others_post_first() -> None:
    table = Table()
    table.is_sealing = False
    alice = table.sit_down("alice", create=True, group_id=NAMED)
    table.post(MATRIX, EVE, open_envelope(handshake(OTHER)))
    table.run()
    table.is_sealing = True
    table.hello()

    assert alice.session.group is not None
    assert alice.session.group.group_id == NAMED
    assert {sealed.group_id for sealed in table.envelopes(EnvelopeKind.SEAL)} == {NAMED}


def test_what_others_posted_before_the_group_was_named_does_not_keep_it_from_being_founded() -> None:
    table = Table()
    table.is_sealing = False
    alice = table.sit_down("alice", create=True)
    table.post(MATRIX, EVE, open_envelope(handshake(OTHER)))
    table.run()
    alice.session = replace(alice.session, settings=replace(alice.session.settings, group_id=NAMED))
    table.hello()

    assert alice.session.group is not None
    assert alice.session.group.group_id == NAMED


def test_a_founder_asks_to_be_let_in_where_the_named_group_is_there() -> None:
    table = Table()
    table.is_sealing = False
    alice = table.sit_down("alice", create=True, group_id=NAMED)
    table.post(MATRIX, EVE, open_envelope(handshake(NAMED)))
    table.run()
    table.hello()

    assert alice.session.group is None


def test_who_asks_joins_the_named_group() -> None:
    table = Table()
    table.sit_down("alice", create=True, group_id=NAMED)
    bob = table.sit_down("bob", group_id=NAMED)
    table.hello()
    table.ask("bob")
    table.pass_time(4_000)
    table.do("alice", Say("Tea?"))

    assert bob.session.is_active
    assert texts(table, "bob") == ["Tea?"]


def test_nobody_takes_a_member_into_another_group() -> None:
    table = Table()
    alice = table.sit_down("alice", create=True, group_id=OTHER)
    bob = table.sit_down("bob", group_id=NAMED)
    table.hello()
    table.ask("bob")
    table.pass_time(4_000)

    assert alice.session.leaf_of(bob.session.identity) is not None
    assert bob.session.group is None
    assert not bob.heard(Joined)
    (alarm,) = bob.heard(Alarm)
    assert isinstance(alarm, Alarm)
    assert OTHER.hex() in alarm.what
    assert NAMED.hex() in alarm.next_step


def test_a_member_of_another_group_sends_nothing_until_it_is_corrected_or_joins_the_named_one() -> None:
    table = Table()
    table.sit_down("alice", create=True)
    bob = table.sit_down("bob")
    table.hello()
    table.ask("bob")
    table.pass_time(4_000)
    assert bob.session.group is not None
    settings, group_id = bob.session.settings, bob.session.group.group_id
    bob.session = replace(bob.session, settings=replace(settings, group_id=NAMED))
    count = len(table.posted)

    with pytest.raises(RequestRefusedError, match=f"the configuration names the group {NAMED.hex()}"):
        table.do("bob", Say("Hello?"))
    table.pass_time(30 * 24 * 3600 * 1000)  # keys would be renewed meanwhile
    assert not any(sender == bob.session.account for _, sender, _ in table.posted[count:])
    status = table.do("bob", Status())
    assert isinstance(status, StatusShown)
    assert "another one" in status.held

    table.do("bob", Join())
    assert any(
        sealed.kind == EnvelopeKind.KEY_PACKAGE and sender == bob.session.account
        for _, sender, sealed in table.posted[count:]
    )
    bob.session = replace(bob.session, settings=replace(settings, group_id=group_id))
    table.do("bob", Say("Here I am"))
    assert texts(table, "alice") == ["Here I am"]


@pytest.mark.asyncio
async def test_a_start_in_another_group_than_the_named_one_is_an_alarm(tmp_path: Path) -> None:
    store = await MemberStore.open(tmp_path / "a.db", StoreKey(bytes(32)), now=START)
    alarms = list[int]()
    try:
        for group_id in (OTHER, OTHER, NAMED, b""):
            settings = MemberSettings(create=True, mode=Mode.ROOM, group_id=group_id)
            role = MemberRole("alice", Account("xmpp:alice@two"), XMPP, settings, Random(1).randbytes)
            told = list[Told]()
            role.on_told = told.extend
            async with store.transaction() as tx:
                after = await role.start(tx, now=START)
            after()
            async with store.transaction() as tx:
                (await role.caught_up(tx, now=START))()
            alarms.append(sum(isinstance(one.what, Alarm) for one in told))
            assert role.session.is_active is (group_id != NAMED)
    finally:
        await store.close()

    assert alarms == [0, 0, 1, 0]
