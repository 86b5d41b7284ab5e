"""Members that have lost the thread come back by themselves, and nobody else comes in by the same door."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

import mls
from bridge.conversation import (
    Alarm,
    DeliveryChanged,
    DeliveryState,
    EpochChanged,
    Notice,
    Remove,
    RequestRefusedError,
    Resync,
    Say,
    Status,
    StatusShown,
)
from bridge.member import answering, losing
from bridge.member.environment import capabilities
from bridge.member.state import Session
from bridge.member.stopping import stop
from bridge.protocol.asking import (
    NONCE_SIZE,
    RejoinWanted,
    SealedGroupInfo,
    open_request,
    request_envelope,
    seal_group_info,
    sign_rejoin,
)
from bridge.protocol.bodies import Handshake, LogPosition
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from bridge.protocol.seal import SealContent, sign_seal
from mls.tree.math import LeafIndex
from mls.wire.commit import HPKECiphertext
from tests.bridge.member.table import MATRIX, RELAYS, XMPP, Table
from tests.bridge.member.test_groups import texts, three
from tests.bridge.member.test_settling import FOR_CAROL, everybody_talks, update
from tests.mls.spoiling import spoiling
from tests.mls.stored import reload


def lose(table: Table, name: str) -> None:
    with table.step(table.seats[name]) as step:
        losing.lose(step, "a test wants it")


def yesterday(session: Session) -> Session:
    """Return a copy of a member's state that stays as it is."""
    assert session.group is not None
    return replace(session, group=reload(session.group))


def notices(table: Table, name: str) -> list[str]:
    return [item.text for item in table.seats[name].told if isinstance(item, Notice)]


def alarms(table: Table, name: str) -> list[str]:
    return [item.what for item in table.seats[name].told if isinstance(item, Alarm)]


def bring_back(table: Table) -> None:
    for _ in range(5):
        table.pass_time(3_000)


def test_who_cannot_follow_what_the_others_took_up_is_back_in_a_moment() -> None:
    table = three()
    with spoiling(FOR_CAROL):
        update(table, "alice")
    table.pass_time(2_000)
    table.do("carol", Say("I was away."))
    bring_back(table)
    assert any("lost the thread" in text for text in notices(table, "carol"))
    assert any(text.startswith("Back in the group") for text in notices(table, "carol"))
    assert any("is back in the group" in text for text in notices(table, "alice"))
    assert texts(table, "alice")[-1] == texts(table, "bob")[-1] == "I was away."
    everybody_talks(table, "alice", "bob", "carol")
    for name, seat in table.seats.items():
        assert len(seat.session.members()) == 3, name
        assert seat.session.coming is None
        assert seat.session.left is None


def test_the_leaf_and_the_rights_are_the_same_and_nobody_is_shown_as_new() -> None:
    table = three()
    before = {(who, key) for _, who, key in table.seats["alice"].session.members()}
    told = {name: len(seat.told) for name, seat in table.seats.items()}
    lose(table, "alice")
    bring_back(table)
    assert {(who, key) for _, who, key in table.seats["bob"].session.members()} == before
    for name in ("bob", "carol"):
        kinds = {type(item) for item in table.seats[name].told[told[name] :]}
        assert kinds <= {Notice, EpochChanged}
    table.do("alice", Remove("carol"))
    assert not table.seats["carol"].session.is_active


def test_one_of_the_members_answers_and_the_others_see_it() -> None:
    table = three()
    lose(table, "carol")
    bring_back(table)
    assert len(list(table.envelopes(EnvelopeKind.REQUEST))) == 1
    assert len(list(table.envelopes(EnvelopeKind.GROUP_INFO))) == 1
    assert all(seat.session.recovery.pending == () for seat in table.seats.values())


def test_what_was_missed_is_counted_and_what_comes_after_is_read() -> None:
    table = three()
    carol = table.seats["carol"]
    table.drop = lambda room, sealed: room == XMPP and sealed.kind == EnvelopeKind.HANDSHAKE
    update(table, "alice")
    table.drop = lambda _room, _sealed: False
    update(table, "bob")
    table.do("alice", Say("In the gap."))
    assert texts(table, "carol") == []
    table.pass_time(1_000)
    table.pass_time(181_000)
    bring_back(table)
    assert any("1 messages of the time between cannot be read" in text for text in notices(table, "carol"))
    assert carol.session.is_active
    everybody_talks(table, "alice", "bob", "carol")


def test_a_part_of_the_order_that_comes_after_all_costs_nothing() -> None:
    table = three()
    table.seats["carol"].deaf = True
    update(table, "alice")
    update(table, "bob")
    missed = table.seats["carol"].missed
    first, rest = missed[:1], missed[1:]
    table.seats["carol"].missed = rest
    table.listen("carol")
    table.pass_time(100_000)
    for event in first:
        table.take(table.seats["carol"], event)
    table.run()
    table.pass_time(200_000)
    assert not any("lost the thread" in text for text in notices(table, "carol"))
    everybody_talks(table, "alice", "bob", "carol")


def test_who_is_lost_again_and_again_stops() -> None:
    table = three()
    for _ in range(4):
        lose(table, "carol")
        bring_back(table)
        assert table.seats["carol"].session.is_active
    lose(table, "carol")
    assert any("came back 4 times within an hour" in what for what in alarms(table, "carol"))
    bring_back(table)
    assert not table.seats["carol"].session.is_active


def test_the_ladder_ends_where_nobody_answers() -> None:
    table = three()
    table.seats["alice"].deaf = table.seats["bob"].deaf = True
    lose(table, "carol")
    table.do("carol", Say("Does anybody hear me?"))
    for _ in range(24 * 60):
        table.pass_time(60_000)
    assert any("no member has helped it back for a day" in what for what in alarms(table, "carol"))
    assert 30 < len(list(table.envelopes(EnvelopeKind.REQUEST))) < 50
    assert table.seats["carol"].session.recovery.returning is None
    changes = [item for item in table.seats["carol"].told if isinstance(item, DeliveryChanged)]
    assert changes[-1].state is DeliveryState.FAILED


def test_who_comes_later_answers_what_nobody_has_answered() -> None:
    table = three()
    table.seats["alice"].deaf = table.seats["bob"].deaf = True
    lose(table, "carol")
    for _ in range(20):
        table.pass_time(60_000)
    assert not table.seats["carol"].session.is_active
    table.listen("bob")
    bring_back(table)
    assert table.seats["carol"].session.is_active


def test_nobody_helps_back_who_was_removed() -> None:
    table = three()
    table.seats["carol"].deaf = True
    table.do("alice", Remove("carol"))
    table.pass_time(62_000)
    table.seats["carol"].deaf = False
    table.seats["carol"].missed = []
    lose(table, "carol")
    bring_back(table)
    assert list(table.envelopes(EnvelopeKind.GROUP_INFO)) == []


def test_a_request_that_its_leaf_has_not_signed_is_not_answered() -> None:
    table = three()
    group = table.seats["bob"].session.group
    assert group is not None
    key = group.suite.generate_hpke_key(table.random)
    nonce = table.random(NONCE_SIZE)
    head = LogPosition(0, 1, bytes(32))
    wanted = RejoinWanted(table.seats["carol"].session.client.signature_key.public_key, head, key.public_key, b"")
    forged = sign_rejoin(group.suite, group.signature_key, group_id=group.group_id, nonce=nonce, wanted=wanted)
    for claim in (forged, wanted, wanted.replace(signature_key=bytes(32))):
        table.post(MATRIX, RELAYS[MATRIX], request_envelope(group.group_id, nonce, claim))
        table.run()
    bring_back(table)
    assert list(table.envelopes(EnvelopeKind.GROUP_INFO)) == []


def test_a_stale_group_info_is_refused() -> None:
    """Somebody answers with the GroupInfo of an epoch that is over."""
    table = three()
    old = yesterday(table.seats["alice"].session)
    update(table, "bob")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "take_request", lambda *_: None)
        lose(table, "carol")
        table.pass_time(0)
    asked = list(table.envelopes(EnvelopeKind.REQUEST))[-1]
    stale = replace(table.seats["alice"], session=old, told=[], missed=[])
    with table.step(stale) as step:
        request = open_request(asked)
        assert isinstance(request.wanted, RejoinWanted)
        answering.take_request(step, request, request.wanted, table.now)
        step.recover(pending=tuple(item.replace(due=0) for item in step.session.recovery.pending))
        answering.answer(step)
    table.run()
    returning = table.seats["carol"].session.recovery.returning
    assert returning is not None
    assert open_request(asked).nonce == returning.nonce
    assert len(list(table.envelopes(EnvelopeKind.GROUP_INFO))) == 1
    assert table.seats["carol"].session.coming is None
    for _ in range(8):  # and asks again
        table.pass_time(3_000)
    assert table.seats["carol"].session.is_active


def test_an_answer_that_is_none_keeps_nobody_from_answering() -> None:
    """Anybody in the room can post one: it names the request, and nothing in it opens."""
    table = three()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "answer", lambda _: None)
        lose(table, "carol")
        table.pass_time(0)
        asked = open_request(list(table.envelopes(EnvelopeKind.REQUEST))[-1])
        group = table.seats["alice"].session.group
        assert group is not None
        junk = SealedGroupInfo(asked.nonce, LogPosition(0, 1, bytes(32)), HPKECiphertext(bytes(32), bytes(64)))
        for _ in range(3):
            table.post(MATRIX, RELAYS[MATRIX], envelope(EnvelopeKind.GROUP_INFO, group.group_id, junk))
            table.run()
    table.pass_time(9_000)
    assert table.seats["carol"].session.obstacle
    table.pass_time(2_000)
    assert table.seats["carol"].session.obstacle == ""
    assert all(seat.session.recovery.pending == () for seat in table.seats.values())


@pytest.mark.parametrize("lie", ["far ahead", "another history"])
def test_an_answer_that_lies_about_where_it_stands_delays_and_does_no_more(lie: str) -> None:
    table = three()
    table.is_sealing = False
    position = table.position
    assert position is not None
    told = position.replace(seq=1 << 40) if lie == "far ahead" else position.replace(seq=position.seq + 1)
    truth = seal_group_info
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            answering, "seal_group_info", lambda *given, **named: truth(*given, **{**named, "stands_at": told})
        )
        lose(table, "carol")
        table.pass_time(3_000)
    commit = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    table.is_sealing = True
    table.seal(commit)
    table.run()
    update(table, "alice")
    for _ in range(30):
        table.pass_time(3_000)
    assert table.seats["carol"].session.is_active
    assert alarms(table, "carol") == []
    everybody_talks(table, "alice", "bob", "carol")


def test_who_is_on_the_way_back_still_sees_two_histories() -> None:
    table = three()
    table.seats["alice"].deaf = table.seats["bob"].deaf = True
    lose(table, "carol")
    position, group = table.position, table.seats["carol"].session.group
    assert position is not None
    assert group is not None
    content = SealContent(group.group_id, position.term, position.seq, bytes(32), (), table.now)
    table.post(MATRIX, RELAYS[MATRIX], envelope(EnvelopeKind.SEAL, group.group_id, sign_seal(content, table.key)))
    table.run()
    assert any("different histories" in what for what in alarms(table, "carol"))
    assert not table.seats["carol"].session.is_returning


@pytest.mark.parametrize("wrong", ["somebody else's leaf", "no leaf", "another key"])
def test_nobody_comes_in_by_an_external_commit_that_replaces_anything_but_their_own_leaf(wrong: str) -> None:
    """Bob has a GroupInfo, as every member has, and a program that keeps no rules."""
    table = three()
    alice, bob = table.seats["alice"].session, table.seats["bob"].session
    assert alice.group is not None
    place = {"somebody else's leaf": "carol", "no leaf": None, "another key": "bob"}[wrong]
    leaf = None if place is None else alice.leaf_of(table.seats[place].session.identity)
    client = capabilities(mls.Client.basic(bob.identity.encode(), table.random))
    lax = mls.Environment(mls.UnsafeTrustEveryone(), random=table.random)
    made = mls.join_externally(
        client,
        lax,
        mls.group_info(alice.group),
        replaces=None if leaf is None else LeafIndex(leaf),
    )
    leads_to = hashlib.sha256(made.state.public.context.encode()).digest()
    body = Handshake(made.output.message.encode(), leads_to)
    before = table.epochs()
    table.post(MATRIX, RELAYS[MATRIX], envelope(EnvelopeKind.HANDSHAKE, alice.group.group_id, body))
    table.run()
    assert table.epochs() == before
    everybody_talks(table, "alice", "bob", "carol")


def test_status_says_what_goes_on() -> None:
    table = three()
    table.seats["alice"].deaf = table.seats["bob"].deaf = True
    lose(table, "carol")
    status = table.do("carol", Status())
    assert isinstance(status, StatusShown)
    assert status.held.startswith("on the way back into the group: a test wants it")


def test_a_person_can_have_the_group_taken_anew_whatever_the_program_has_stopped_for() -> None:
    table = three()
    with table.step(table.seats["carol"]) as step:
        stop(step, "two seals with the number 7")
    assert "two seals" in table.seats["carol"].session.obstacle
    table.do("carol", Resync())
    bring_back(table)
    assert table.seats["carol"].session.obstacle == ""
    everybody_talks(table, "alice", "bob", "carol")


def test_resync_is_refused_where_there_is_nothing_to_take() -> None:
    table = Table()
    table.sit_down("alice", create=True)
    table.sit_down("bob")
    with pytest.raises(RequestRefusedError, match="not in the group"):
        table.do("bob", Resync())
    table.hello()
    with pytest.raises(RequestRefusedError, match="alone in the group"):
        table.do("alice", Resync())
    table = three()
    table.do("alice", Remove("bob"))
    with pytest.raises(RequestRefusedError, match="/join"):
        table.do("bob", Resync())
