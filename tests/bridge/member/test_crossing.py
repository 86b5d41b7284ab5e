"""Changes that cross on their way: who comes while others come and go, and who goes while others do."""

from __future__ import annotations

import pytest

from bridge.conversation import (
    DeliveryChanged,
    DeliveryState,
    Join,
    Joined,
    Leave,
    MemberCame,
    Notice,
    Remove,
    RequestRefusedError,
    Say,
)
from bridge.member import committing, people
from bridge.member.memory import IntentKind
from bridge.protocol.bodies import LogPosition, WelcomeBody
from bridge.protocol.code_points import EnvelopeKind, Mode
from bridge.protocol.envelope import envelope, open_envelope
from mls.wire.commit import HPKECiphertext
from mls.wire.message import wrap
from mls.wire.welcome import EncryptedGroupSecrets, Welcome
from tests.bridge.member.table import MATRIX, RELAYS, XMPP, Seat, Table
from tests.bridge.member.test_groups import texts, three
from transports.room import EnvelopeSeen, RoomEvent


def give_history(table: Table, seat: Seat) -> None:
    """Let somebody who has just sat down read all that was posted in its room."""
    for room, sender, sealed in list(table.posted):
        if room == seat.session.room:
            table.take(seat, EnvelopeSeen(table.origin(room, sender), sealed.encode(), transaction=None))


def let_in(table: Table, *names: str) -> None:
    for name in names:
        table.ask(name)
        table.pass_time(4_000)
        assert table.seats[name].session.is_active


def test_who_leaves_is_not_let_in_again_with_the_key_package_of_the_first_coming() -> None:
    table = three()
    let_in_late = table.sit_down("dave")
    give_history(table, let_in_late)
    let_in(table, "dave")
    table.do("bob", Leave())
    for _ in range(4):
        table.pass_time(4_000)
    assert not table.seats["bob"].session.is_active
    assert {who.account for _, who, _ in let_in_late.session.members()} == {
        "matrix:u/alice:one",
        "matrix:u/dave:one",
        "xmpp:carol@two",
    }


def test_who_comes_after_somebody_left_does_not_let_them_in_with_what_the_history_has() -> None:
    table = three()
    table.do("bob", Leave())
    for _ in range(4):
        table.pass_time(4_000)
    dave = table.sit_down("dave")
    give_history(table, dave)
    let_in(table, "dave")
    for _ in range(4):
        table.pass_time(4_000)
    assert not table.seats["bob"].session.is_active
    assert not any(who.account == "matrix:u/bob:one" for _, who, _ in dave.session.members())


def test_nor_with_a_history_in_which_the_welcome_stands_before_what_it_answers() -> None:
    """Servers that federate have orders of their own."""
    table = three()
    table.do("bob", Leave())
    for _ in range(4):
        table.pass_time(4_000)
    dave = table.sit_down("dave")
    table.posted.sort(key=lambda item: item[2].kind != EnvelopeKind.WELCOME)
    give_history(table, dave)
    assert not any(person.asks for who, person in dave.session.people.items() if who.account == "matrix:u/bob:one")


def test_who_left_and_asks_again_is_let_in_again() -> None:
    table = three()
    table.do("bob", Leave())
    for _ in range(4):
        table.pass_time(4_000)
    table.do("bob", Join())
    table.pass_time(4_000)
    assert table.seats["bob"].session.is_active


def test_a_welcome_that_somebody_makes_up_only_delays_who_asks() -> None:
    table = three()
    dave = table.sit_down("dave")
    for seat in table.seats.values():
        seat.deaf = seat is not dave
    table.ask("dave")
    (bundle,) = dave.session.bundles
    secret = EncryptedGroupSecrets(bundle.reference, HPKECiphertext(b"junk", b"junk"))
    body = WelcomeBody(wrap(Welcome(1, (secret,), b"junk")).encode(), LogPosition(0, 9, bytes(32)))
    group = table.seats["alice"].session.group
    assert group is not None
    table.post(MATRIX, RELAYS[MATRIX], envelope(EnvelopeKind.WELCOME, group.group_id, body))
    table.run()
    for name in ("alice", "bob", "carol"):
        table.listen(name)
    table.pass_time(61_000)
    table.pass_time(4_000)
    assert dave.heard(Joined)


def test_in_mode_room_who_joins_takes_in_what_came_before_its_welcome() -> None:
    table = Table(rooms=(XMPP,))
    table.sit_down("alice", XMPP, create=True, mode=Mode.ROOM)
    table.sit_down("bob", XMPP)
    table.hello()
    let_in(table, "bob")
    carol = table.sit_down("carol", XMPP)
    table.ask("carol")
    carol.deaf = True
    table.pass_time(4_000)
    table.do("bob", Remove("alice"))
    welcomes = [event for event in carol.missed if _kind(event) == EnvelopeKind.WELCOME]
    assert welcomes, "Carol's Welcome is made, and she has not had it"
    carol.missed = [event for event in carol.missed if event not in welcomes] + welcomes
    table.listen("carol")
    assert len(table.epochs()) == 1
    table.do("bob", Say("the two of us"))
    assert texts(table, "carol") == ["the two of us"]


def test_who_comes_back_takes_in_the_seals_that_came_before_its_welcome() -> None:
    table = three()
    bob = table.seats["bob"]
    table.do("alice", Remove("bob"))
    assert bob.session.group is not None
    assert not bob.session.is_active
    table.do("bob", Join())
    bob.deaf = True
    with table.step(table.seats["alice"]) as step:  # a person decides: they were removed
        people.vouch(step, bob.session.account, people.digits_with(step.session, bob.session.account))
    table.run()
    table.do("carol", Leave())
    table.pass_time(4_000)
    welcomes = [event for event in bob.missed if _kind(event) == EnvelopeKind.WELCOME]
    assert welcomes
    bob.missed = [event for event in bob.missed if event not in welcomes] + welcomes
    table.listen("bob")
    table.pass_time(4_000)
    assert len(table.epochs()) == 1
    table.do("alice", Say("back again"))
    assert texts(table, "bob")[-1] == "back again"


def test_what_waits_when_one_is_removed_is_said_to_have_failed() -> None:
    table = three()
    bob = table.seats["bob"]
    bob.deaf = True
    table.do("carol", Leave())
    table.seats["alice"].deaf = True
    table.listen("bob")
    table.do("bob", Say("too late"))  # not while Carol's wish to leave waits
    table.listen("alice")
    table.do("alice", Remove("bob"))
    for _ in range(3):
        table.pass_time(4_000)
    states = [item.state for item in bob.told if isinstance(item, DeliveryChanged)]
    assert states[-1] is DeliveryState.FAILED


def test_what_was_wanted_when_one_is_removed_is_said_to_be_void() -> None:
    table = three()
    table.is_sealing = False
    table.do("alice", Remove("bob"))
    removal = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    with table.step(table.seats["bob"]) as step:
        committing.want(step, IntentKind.REMOVE, table.seats["carol"].session.identity)
    table.is_sealing = True
    table.seal(removal)
    table.run()
    notices = [item.text for item in table.seats["bob"].told if isinstance(item, Notice)]
    assert "This is not possible: remove xmpp:carol@two. You are out of the group." in notices
    assert table.seats["bob"].session.memory.intents == ()


def test_of_all_who_leave_at_once_one_lets_the_others_go() -> None:
    table = three()
    table.is_sealing = False
    for name in ("alice", "bob", "carol"):
        table.do(name, Leave())
    wishes = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-3:]
    table.is_sealing = True
    for wish in wishes:
        table.seal(wish)
    table.run()
    for _ in range(4):
        table.pass_time(4_000)
    assert [name for name, seat in table.seats.items() if seat.session.is_active] == ["alice"]
    assert any("All leave at once" in item.text for item in table.seats["alice"].told if isinstance(item, Notice))


def test_nothing_is_said_by_who_is_about_to_leave() -> None:
    table = three()
    table.is_sealing = False
    table.do("bob", Leave())
    with pytest.raises(RequestRefusedError, match="about to leave"):
        table.do("bob", Say("one more thing"))


def test_who_is_alone_by_the_time_it_could_leave_stays_and_is_told() -> None:
    table = Table()
    alice = table.sit_down("alice", create=True)
    table.sit_down("bob")
    table.hello()
    table.ask("bob")
    table.is_sealing = False
    table.do("alice", Remove("bob"))
    table.do("alice", Leave())
    table.is_sealing = True
    table.seal(*(sealed for sealed in list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1:]))
    table.run()
    assert not any(intent.kind is IntentKind.LEAVE for intent in alice.session.memory.intents)
    assert any(isinstance(item, Notice) and "alone in the group" in item.text for item in alice.told)
    assert len([item for item in alice.told if isinstance(item, MemberCame)]) == 1
    table.do("alice", Say("still here"))
    assert not alice.session.memory.outgoing


def _kind(event: RoomEvent) -> int | None:
    return open_envelope(event.envelope).kind if isinstance(event, EnvelopeSeen) else None
