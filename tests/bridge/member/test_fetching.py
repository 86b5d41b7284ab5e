"""What of the order is missing is fetched from the members, and nothing of an answer is believed for its own sake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.conversation import Notice, Remove, Removed, Say
from bridge.member import fetching, supplying
from bridge.member.state import Session
from bridge.protocol.asking import (
    Answer,
    EnvelopesWanted,
    HeadWanted,
    LogWanted,
    open_answer,
    open_request,
    request_envelope,
)
from bridge.protocol.authenticated_data import AuthenticatedData, SealHead
from bridge.protocol.bodies import LogPosition
from bridge.protocol.code_points import SEALED_KINDS, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope
from bridge.protocol.seal import start_of_log
from mls.wire.framing import PrivateMessage
from mls.wire.message import MLSMessage
from tests.bridge.member.stored_table import StoredTable
from tests.bridge.member.table import MATRIX, XMPP, Table
from tests.bridge.member.test_groups import introduce, texts
from tests.bridge.member.test_settling import update
from transports.room import Account, RoomAddress

STRANGER = Account("matrix:u/mallory:one")


@pytest.fixture
def table(tmp_path: Path) -> Iterator[StoredTable]:
    """Alice and Bob on Matrix, Carol on XMPP: what the relay drops, she misses."""
    with asyncio.Runner() as runner:
        made = StoredTable(tmp_path, runner, forgets=False)
        try:
            made.sit_down("alice", create=True)
            made.sit_down("bob")
            made.sit_down("carol", XMPP)
            introduce(made)
            yield made
        finally:
            runner.run(made.close())


def lose_kinds(*kinds: int) -> Callable[[RoomAddress, Envelope], bool]:
    return lambda room, sealed: room == XMPP and sealed.kind in kinds


def lose_all_but_answers(room: RoomAddress, sealed: Envelope) -> bool:
    return room == XMPP and sealed.kind not in {EnvelopeKind.ANSWER, EnvelopeKind.REQUEST}


def wanted(table: Table) -> list[object]:
    return [open_request(sealed).wanted for sealed in table.envelopes(EnvelopeKind.REQUEST)]


def answers(table: Table) -> list[Answer]:
    return [open_answer(sealed) for sealed in table.envelopes(EnvelopeKind.ANSWER)]


def session(table: Table, name: str) -> Session:
    return table.seats[name].session


def wait(table: Table, milliseconds: int) -> None:
    for _ in range(milliseconds // 500):
        table.pass_time(500)


def nobody_keeps(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        pass

    patch.setattr("bridge.member.keeping.keep", nothing)


def test_a_seal_that_was_lost_is_fetched(table: StoredTable) -> None:
    table.drop = lose_kinds(EnvelopeKind.SEAL)
    update(table, "alice")
    table.drop = lambda *_: False
    update(table, "bob")  # the seal that shows the gap
    assert len(table.epochs()) == 2
    wait(table, 20_000)
    assert isinstance(wanted(table)[0], LogWanted)
    assert len(table.epochs()) == 1
    assert not [item for item in table.seats["carol"].heard(Notice) if "lost the thread" in getattr(item, "text", "")]


@pytest.mark.parametrize("kind", sorted(SEALED_KINDS & {EnvelopeKind.HANDSHAKE, EnvelopeKind.ACK}))
def test_bytes_that_were_lost_are_fetched(table: StoredTable, kind: int) -> None:
    table.drop = lose_kinds(kind)
    update(table, "alice")
    table.drop = lambda *_: False
    wait(table, 20_000)
    assert isinstance(wanted(table)[0], EnvelopesWanted)
    assert len(table.epochs()) == 1
    table.do("alice", Say("Tea?"))
    assert texts(table, "carol") == ["Tea?"]


def test_a_welcome_for_somebody_else_that_was_lost_is_fetched(table: StoredTable) -> None:
    table.drop = lose_kinds(EnvelopeKind.WELCOME)
    table.sit_down("dave")
    table.ask("dave")
    wait(table, 30_000)
    assert session(table, "dave").is_active
    assert len(table.epochs()) == 1


def test_who_missed_everything_catches_up_in_several_answers(table: StoredTable) -> None:
    table.drop = lose_all_but_answers
    for _ in range(40):
        update(table, "alice")
        update(table, "bob")
    assert session(table, "carol").group != session(table, "alice").group
    with table.step(table.seats["carol"]) as step:
        fetching.look_for_the_newest(step)
    wait(table, 60_000)
    assert any(isinstance(one, HeadWanted) for one in wanted(table))
    assert sum(isinstance(one, LogWanted) for one in wanted(table)) > 1
    assert not all(answer.is_all for answer in answers(table))
    assert len(table.epochs()) == 1


def test_a_removal_at_the_end_of_the_order_that_was_lost_is_found_by_what_others_say(table: StoredTable) -> None:
    table.drop = lose_all_but_answers
    table.do("alice", Remove("carol"))
    wait(table, 10_000)
    assert session(table, "carol").is_active
    table.drop = lambda *_: False
    table.do("bob", Say("She is gone."))
    wait(table, 10_000)
    assert table.seats["carol"].heard(Removed)
    assert not texts(table, "carol")


def test_one_of_the_members_answers(table: StoredTable) -> None:
    table.drop = lose_kinds(EnvelopeKind.SEAL)
    update(table, "alice")
    table.drop = lambda *_: False
    update(table, "bob")
    wait(table, 30_000)
    assert len(answers(table)) == 1


def test_of_those_who_miss_the_same_one_asks(table: StoredTable) -> None:
    table.sit_down("dora", XMPP)
    table.sit_down("emil", XMPP)
    table.ask("dora")
    table.ask("emil")
    wait(table, 10_000)
    table.drop = lose_kinds(EnvelopeKind.SEAL)
    update(table, "alice")
    table.drop = lambda *_: False
    update(table, "bob")
    wait(table, 20_000)
    assert len(wanted(table)) == 1
    assert len(table.epochs()) == 1


def test_an_empty_answer_silences_nobody(table: StoredTable) -> None:
    """Somebody is faster than all members, and has nothing to say."""
    table.drop = lose_kinds(EnvelopeKind.SEAL)
    update(table, "alice")
    table.drop = lambda *_: False
    update(table, "bob")
    group = session(table, "alice").group
    assert group is not None
    asked = request_envelope(group.group_id, bytes(16), LogWanted(LogPosition(0, 0, bytes(32))))
    table.post(MATRIX, STRANGER, asked)
    table.run()
    waiting = {name: session(table, name).supplying.pending for name in ("alice", "bob")}
    lie = Answer(bytes(16), LogPosition(0, 99, bytes(32)), (), 1)
    junk = Answer(bytes(16), LogPosition(0, 99, bytes(32)), (b"junk", asked.encode()), 1)
    for answer in (lie, junk):
        table.post(MATRIX, STRANGER, envelope(EnvelopeKind.ANSWER, group.group_id, answer))
    table.run()
    assert {name: session(table, name).supplying.pending for name in ("alice", "bob")} == waiting


def test_nothing_that_the_order_does_not_name_comes_in_by_an_answer(table: StoredTable) -> None:
    group, held = session(table, "carol").group, session(table, "carol").held
    assert group is not None
    forged = [envelope(kind, group.group_id, b"junk").encode() for kind in SEALED_KINDS]
    other = envelope(EnvelopeKind.HANDSHAKE, b"another group", b"junk").encode()
    seal = next(sealed for sealed in table.envelopes(EnvelopeKind.SEAL))
    broken = seal.replace(body=seal.body[:-1] + bytes([seal.body[-1] ^ 1])).encode()
    answer = Answer(bytes(16), LogPosition(0, 99, bytes(32)), (*forged, other, broken, b""), 1)
    table.post(MATRIX, STRANGER, envelope(EnvelopeKind.ANSWER, group.group_id, answer))
    table.run()
    assert session(table, "carol").held == held
    assert session(table, "carol").group is group


def test_a_seal_that_somebody_has_made_up_costs_a_few_requests(table: StoredTable) -> None:
    group = session(table, "alice").group
    assert group is not None
    table.do("alice", Say("Tea?"))
    real = open_message(next(table.envelopes(EnvelopeKind.APPLICATION)))
    for number in range(3):
        named = SealHead(LogPosition(0, 1 << 40 + number, bytes(32)))
        forged = real.replace(epoch=group.epoch + 9, authenticated_data=AuthenticatedData(named).encode())
        body = MLSMessage(1, forged).encode()
        table.post(MATRIX, STRANGER, envelope(EnvelopeKind.APPLICATION, group.group_id, body))
        table.run()
        wait(table, 180_000)
    assert 1 <= len(wanted(table)) <= 8
    assert {name: session(table, name).is_active for name in table.seats} == dict.fromkeys(table.seats, True)


def test_what_nobody_has_leads_to_the_way_back(table: StoredTable, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_keeps(monkeypatch)
    table.drop = lose_kinds(EnvelopeKind.HANDSHAKE)
    update(table, "alice")
    table.drop = lambda *_: False
    wait(table, 170_000)
    assert session(table, "carol").is_active
    assert 3 <= sum(isinstance(one, EnvelopesWanted) for one in wanted(table)) <= 5
    wait(table, 60_000)
    assert session(table, "carol").recovery.returned
    assert len(table.epochs()) == 1


def test_what_all_members_miss_stops_nobody_for_good(table: StoredTable) -> None:
    """The order names what nobody has read: none could help the others back."""
    group = session(table, "alice").group
    assert group is not None
    junk = envelope(EnvelopeKind.HANDSHAKE, group.group_id, b"taken back by who posted it")
    table.do("carol", Say("Before."))
    table.seal(junk)
    table.run()
    wait(table, 200_000)
    assert [session(table, name).is_returning for name in table.seats] == [True] * 3
    table.do("alice", Say("Can you hear me?"))
    update(table, "bob")
    wait(table, 600_000)
    last_asked = wanted(table)[-12:]
    assert any(isinstance(one, EnvelopesWanted) for one in last_asked)
    known = session(table, "alice").memory.log
    assert known is not None
    answer = Answer(bytes(16), known.newest, (junk.encode(),), 1)  # the sequencer's, who comes back
    table.post(MATRIX, STRANGER, envelope(EnvelopeKind.ANSWER, group.group_id, answer))
    table.run()
    wait(table, 20_000)
    assert [session(table, name).is_active for name in table.seats] == [True] * 3
    assert len(table.epochs()) == 1
    assert not any(session(table, name).recovery.returned for name in table.seats)
    assert texts(table, "carol") == ["Can you hear me?"]
    assert texts(table, "bob") == ["Before.", "Can you hear me?"]


def test_requests_are_answered_within_limits(table: StoredTable) -> None:
    group = session(table, "alice").group
    assert group is not None
    before = len(answers(table))
    for number in range(200):
        after = LogWanted(LogPosition(0, 0, start(table)))
        table.post(MATRIX, STRANGER, request_envelope(group.group_id, number.to_bytes(16, "big"), after))
        table.run()
        table.pass_time(250)
    wait(table, 30_000)
    assert before < len(answers(table)) <= before + 3 * 2 * 20  # each of three, in each of two minutes


def test_an_old_request_is_not_answered(table: StoredTable) -> None:
    group = session(table, "alice").group
    assert group is not None
    with table.step(table.seats["alice"]) as step:
        asked = open_request(request_envelope(group.group_id, bytes(16), HeadWanted()))
        supplying.take_request(step, asked, table.now - 61_000)
        assert not step.session.supplying.pending


def open_message(sealed: Envelope) -> PrivateMessage:
    message = MLSMessage.decode(sealed.body).message
    assert isinstance(message, PrivateMessage)
    return message


def start(table: Table) -> bytes:
    known = session(table, "alice").memory.log
    assert known is not None
    return start_of_log(known.group_id, known.sequencer, 0).seal_hash
