"""What a relay, a member without the right, or a stranger in the room tries, and what comes of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

import mls
from bridge.conversation import (
    Alarm,
    Asked,
    EpochChanged,
    MessageArrived,
    Notice,
    PlaintextShown,
    Remove,
    RequestRefusedError,
    Say,
    Status,
    StatusShown,
)
from bridge.member import committing
from bridge.member.environment import capabilities, environment
from bridge.member.memory import IntentKind
from bridge.member.state import Session
from bridge.protocol.bodies import Handshake, KeyPackagePurpose, LogPosition, PublishedKeyPackage, WelcomeBody
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.identity import Identity
from bridge.protocol.seal import SealContent, sign_seal
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from tests.bridge.member.table import MATRIX, RELAYS, XMPP, Table
from tests.bridge.member.test_groups import texts, three
from transports.room import Account, Origin, PlaintextSeen


def introduce(table: Table, account: str, *, by: Account, room: str = MATRIX) -> None:
    """Post a KeyPackage in somebody's name."""
    client = capabilities(mls.Client.basic(Identity(Account(account), "evil").encode(), table.random))
    lifetime = mls.lifetime_of_days(30, now=table.now // 1000)
    bundle = mls.create_key_package(client, environment(table.random), lifetime=lifetime)
    body = PublishedKeyPackage(KeyPackagePurpose.ASK, room.encode(), bundle.message.encode())
    table.post(MATRIX, by, envelope(EnvelopeKind.KEY_PACKAGE, b"", body))
    table.run()
    table.pass_time(10_000)


def roster(table: Table, name: str) -> set[str]:
    return {who.account for _, who, _ in table.seats[name].session.members()}


@pytest.mark.parametrize("account", ["xmpp:mallory@two", "matrix:u/mallory:one", "xmpp:carol@two", "matrix:u/bob:one"])
def test_a_relay_introduces_nobody(account: str) -> None:
    table = three()
    before = roster(table, "alice")
    epochs = table.epochs()
    introduce(table, account, by=RELAYS[MATRIX], room=XMPP)
    assert roster(table, "alice") == before
    assert table.epochs() == epochs


def test_a_relays_word_is_put_before_the_one_with_the_right() -> None:
    table = three()
    introduce(table, "xmpp:mallory@two", by=RELAYS[MATRIX], room=XMPP)
    asked = {name: [item for item in seat.told if isinstance(item, Asked)] for name, seat in table.seats.items()}
    assert [item.account for item in asked["alice"]][-1] == "xmpp:mallory@two"
    assert asked["alice"][-1].by_relay
    assert asked["bob"] == []


def test_a_member_without_the_right_to_vouch_cannot_add_across_networks() -> None:
    """Bob's program has been changed to commit it nevertheless: everyone skips it, and his own too."""
    table = three()
    introduce(table, "xmpp:mallory@two", by=RELAYS[MATRIX], room=XMPP)
    bob = table.seats["bob"]
    person = bob.session.people[Identity(Account("xmpp:mallory@two"), "evil")]
    lax = mls.Environment(environment(table.random).authentication, random=table.random)
    group = bob.session.group
    assert group is not None
    made = mls.add(group, lax, [person.key_package], now=table.now // 1000)
    bob.session = replace(bob.session, group=made.state.step(pending=()))
    leads_to = hashlib.sha256(made.output.pending.next_epoch.public.context.encode()).digest()
    epochs = table.epochs()
    body = Handshake(made.output.message.encode(), leads_to)
    table.post(MATRIX, bob.session.account, envelope(EnvelopeKind.HANDSHAKE, group.group_id, body))
    table.run()
    assert "xmpp:mallory@two" not in roster(table, "alice") | roster(table, "carol")
    assert table.epochs() == epochs
    table.do("alice", Say("Still here."))
    assert texts(table, "carol")[-1] == "Still here."


def test_a_commit_that_does_not_lead_where_it_says_is_skipped() -> None:
    table = three()
    table.is_sealing = False
    with table.step(table.seats["bob"]) as step:
        committing.want(step, IntentKind.UPDATE, at_once=True)
        committing.commit_what_is_due(step)
    true = step.posts[0].envelope
    body = Handshake.decode(true.body)
    lie = envelope(EnvelopeKind.HANDSHAKE, true.group_id, body.replace(leads_to=bytes(32)))
    table.post(MATRIX, RELAYS[MATRIX], lie)
    table.run()
    table.is_sealing = True
    before = {epoch for epoch, _ in table.epochs()}
    table.seal(lie)
    table.seal(true)
    table.run()
    assert {epoch for epoch, _ in table.epochs()} == {max(before) + 1}
    assert len(table.epochs()) == 1


def test_a_malformed_handshake_behind_its_seal_holds_up_nothing() -> None:
    table = three()
    group = table.seats["alice"].session.group
    assert group is not None
    junk = envelope(EnvelopeKind.HANDSHAKE, group.group_id, b"nonsense")
    table.seal(junk)
    table.run()
    held = table.do("alice", Status())
    assert isinstance(held, StatusShown)
    assert "missing" in held.held
    table.is_sealing = False
    table.post(MATRIX, RELAYS[MATRIX], junk)
    table.run()
    for name in table.seats:
        status = table.do(name, Status())
        assert isinstance(status, StatusShown)
        assert status.held == ""


def test_seals_by_another_key_are_nobodys_order() -> None:
    table = three()
    before = table.epochs()
    table.key = SignaturePrivateKey(Ed25519(), table.random(32))
    table.do("alice", Remove("bob"))
    assert table.epochs() == before
    status = table.do("alice", Status())
    assert isinstance(status, StatusShown)
    assert "place in the order" in status.held


def test_a_change_that_nobody_seals_becomes_an_alarm() -> None:
    table = three()
    table.is_sealing = False
    table.do("alice", Remove("bob"))
    table.pass_time(61_000)
    (alarm,) = [item for item in table.seats["alice"].told if isinstance(item, Alarm)]
    assert "nobody seals it" in alarm.what
    table.pass_time(61_000)
    assert len([item for item in table.seats["alice"].told if isinstance(item, Alarm)]) == 1


def test_two_seals_for_one_place_stop_everybody() -> None:
    table = three()
    position = table.position
    assert position is not None
    alice = table.seats["alice"]
    assert alice.session.group is not None
    group_id = alice.session.group.group_id
    content = SealContent(group_id, position.term, position.seq, bytes(32), (), table.now)
    table.post(MATRIX, RELAYS[MATRIX], envelope(EnvelopeKind.SEAL, group_id, sign_seal(content, table.key)))
    table.run()
    for seat in table.seats.values():
        assert any("different histories" in item.what for item in seat.told if isinstance(item, Alarm))
        assert not seat.session.is_active
    with pytest.raises(RequestRefusedError, match="two seals"):
        table.do("alice", Say("Nobody hears this."))


def test_a_member_shown_another_history_is_found_out_by_what_others_say() -> None:
    """The relay withholds nothing, the sequencer signs twice: the first message across shows it."""
    table = three()
    position, group = table.position, table.seats["alice"].session.group
    assert position is not None
    assert group is not None
    two = [SealContent(group.group_id, 0, position.seq + 1, position.seal_hash, (), table.now + at) for at in (1, 2)]
    table.drop = lambda _room, _sealed: True  # each side sees its own
    for room, content in zip((MATRIX, XMPP), two, strict=True):
        table.post(room, RELAYS[room], envelope(EnvelopeKind.SEAL, group.group_id, sign_seal(content, table.key)))
    table.run()
    assert all(seat.session.is_active for seat in table.seats.values())
    table.drop = lambda _room, _sealed: False
    table.do("alice", Say("Do you see what I see?"))
    assert any("different histories" in item.what for item in table.seats["carol"].told if isinstance(item, Alarm))


def test_seals_out_of_order_are_put_in_order() -> None:
    table = three()
    table.seats["carol"].deaf = True
    for _ in range(3):
        for name in ("alice", "bob"):
            with table.step(table.seats[name]) as step:
                step.now += 1
                committing.want(step, IntentKind.UPDATE, at_once=True)
                committing.commit_what_is_due(step)
            table.run()
            table.now += 10_000
    carol = table.seats["carol"]
    carol.missed.reverse()
    table.listen("carol")
    assert len(table.epochs()) == 1


def test_a_change_that_the_sequencer_has_not_seen_is_posted_again_and_ever_more_rarely() -> None:
    """Somebody takes it out of the room before the sequencer has read it."""
    table = three()
    table.is_sealing = False
    table.do("alice", Remove("bob"))
    first = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    for _ in range(24 * 12):
        table.pass_time(300_000)
    again = [sealed for sealed in table.envelopes(EnvelopeKind.HANDSHAKE) if sealed.identity == first.identity]
    assert 5 <= len(again) <= 8
    assert len([item for item in table.seats["alice"].told if isinstance(item, Alarm)]) == 1
    table.is_sealing = True
    table.pass_time(3 * 24 * 3_600_000)
    assert not table.seats["bob"].session.is_active
    assert len(table.epochs()) == 1


def test_an_unsealed_commit_is_never_applied_not_even_by_its_author() -> None:
    table = three()
    table.is_sealing = False
    epochs = table.epochs()
    table.do("alice", Remove("bob"))
    table.pass_time(5_000)
    assert table.epochs() == epochs
    table.do("bob", Say("I am still here."))
    assert texts(table, "alice")[-1] == "I am still here."


def test_plaintext_is_shown_as_such() -> None:
    table = three()
    origin = Origin(MATRIX, "p", Account("matrix:u/eve:one"), table.now)
    table.take(table.seats["alice"], PlaintextSeen(origin, "buy now"))
    assert table.seats["alice"].told[-1] == PlaintextShown("matrix:u/eve:one", "buy now", table.now)


def test_a_replayed_message_is_shown_once() -> None:
    table = three()
    table.do("alice", Say("Once."))
    sealed = list(table.envelopes(EnvelopeKind.APPLICATION))[-1]
    for _ in range(3):
        table.post(MATRIX, RELAYS[MATRIX], sealed)
    table.run()
    assert texts(table, "bob") == ["Once."]


def test_a_welcome_into_the_group_of_another_room_is_refused() -> None:
    table = Table()
    table.sit_down("alice", create=True)
    bob = table.sit_down("bob")
    table.hello()
    table.is_sealing = False
    table.ask("bob")
    other = Table(seed=2, rooms=(MATRIX,))
    other.rooms = (XMPP, MATRIX)
    mallory = other.sit_down("mallory", XMPP, create=True)
    other.rooms = (XMPP,)
    other.hello()
    assert mallory.session.group is not None
    bundle = bob.session.bundles[0]
    lax = mls.Environment(environment(table.random).authentication, random=table.random)
    made = mls.add(mallory.session.group, lax, [bundle.key_package], now=table.now // 1000)
    entered = mls.process(made.state, lax, made.output.message, now=table.now // 1000)
    assert isinstance(entered.output, mls.Committed)
    assert entered.output.welcome is not None
    body = WelcomeBody(entered.output.welcome.encode(), LogPosition(0, 1, bytes(32)))
    table.post(MATRIX, RELAYS[MATRIX], envelope(EnvelopeKind.WELCOME, mallory.session.group.group_id, body))
    table.run()
    assert not bob.session.is_active


@pytest.mark.parametrize("kind", [*EnvelopeKind, 200])
def test_junk_of_every_kind_changes_nothing(kind: int) -> None:
    table = three()
    group = table.seats["alice"].session.group
    assert group is not None
    epochs = table.epochs()
    for size in (0, 1, 7, 40, 400):
        for group_id in (group.group_id, b"", b"other"):
            junk = envelope(EnvelopeKind.HELLO, group_id, table.random(size)).encode()
            junk = junk[:1] + bytes([kind]) + junk[2:]
            table.post(MATRIX, Account("matrix:u/eve:one"), open_envelope(junk))
    table.run()
    assert table.epochs() == epochs
    table.do("carol", Say("Undisturbed."))
    assert texts(table, "alice")[-1] == "Undisturbed."


def test_a_message_of_a_member_in_another_name_is_not_shown() -> None:
    table = three()
    bob: Session = table.seats["bob"].session
    assert bob.group is not None
    with table.step(table.seats["bob"]) as step:
        made = mls.protect(step.group, step.environment, b"\x00junk", authenticated_data=step.authenticated_data)
        step.post(envelope(EnvelopeKind.APPLICATION, bob.group.group_id, step.take(made).encode()), "test")
    table.run()
    assert texts(table, "alice") == []
    assert any("is not shown" in item.text for item in table.seats["alice"].told if isinstance(item, Notice))


def test_a_second_copy_of_a_member_is_noticed() -> None:
    """A restored backup sends: the other copy sees a message of its own leaf that it has not sent."""
    table = three()
    twin = table.seats["bob"].session
    table.do("bob", Say("One"))
    table.seats["bob"].session, later = twin, table.seats["bob"].session
    assert later.group is not None
    twin_state = later.group  # secrets of the twin are wiped with the original's: the other direction is tested
    made = mls.protect(twin_state, environment(table.random), b"x")
    table.seats["bob"].session = later
    sealed = envelope(EnvelopeKind.APPLICATION, later.group.group_id, made.output.encode())
    table.post(MATRIX, later.account, sealed)
    table.run()
    assert any("another copy" in item.text for item in table.seats["bob"].told if isinstance(item, Notice))
    for _ in range(5):
        table.pass_time(3_000)
    assert table.seats["bob"].session.is_active  # with keys that no other copy has
    assert len(table.epochs()) == 1


def test_late_messages_of_the_epoch_before_are_opened_and_marked() -> None:
    table = three()
    table.drop = lambda room, sealed: room == XMPP and sealed.kind == EnvelopeKind.APPLICATION
    table.do("alice", Say("Late."))
    late = list(table.envelopes(EnvelopeKind.APPLICATION))[-1]
    table.drop = lambda _room, _sealed: False
    table.do("alice", Remove("bob"))
    table.post(XMPP, RELAYS[XMPP], late)
    table.run()
    (message,) = [item for item in table.seats["carol"].told if isinstance(item, MessageArrived)]
    assert message.text == "Late."
    assert message.late


def test_messages_before_their_commit_wait_for_it() -> None:
    table = three()
    carol = table.seats["carol"]
    carol.deaf = True
    table.do("alice", Remove("bob"))
    table.do("alice", Say("After."))
    # the messages first, then what they need
    carol.missed.sort(key=lambda event: open_envelope(event.envelope).kind != EnvelopeKind.APPLICATION)  # type: ignore[union-attr]
    table.listen("carol")
    assert texts(table, "carol") == ["After."]


def test_a_missing_envelope_blocks_and_is_named() -> None:
    table = three()
    table.drop = lambda room, sealed: room == XMPP and sealed.kind == EnvelopeKind.HANDSHAKE
    table.do("alice", Remove("bob"))
    table.drop = lambda _room, _sealed: False
    status = table.do("carol", Status())
    assert isinstance(status, StatusShown)
    assert "missing" in status.held
    missing = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    table.post(XMPP, RELAYS[XMPP], missing)
    table.run()
    assert len(table.epochs()) == 1


def test_a_gap_in_the_seals_is_named() -> None:
    table = three()
    table.drop = lambda room, sealed: room == XMPP and sealed.kind == EnvelopeKind.SEAL
    table.do("alice", Remove("bob"))
    table.drop = lambda _room, _sealed: False
    table.pass_time(62_000)  # Carol has not said that she could follow: Alice settles it, by a seal behind the lost one
    status = table.do("carol", Status())
    assert isinstance(status, StatusShown)
    assert status.held.startswith("the seal after number")


def test_epochs_are_shown_once_each() -> None:
    table = three()
    for seat in table.seats.values():
        shown = [item.epoch for item in seat.told if isinstance(item, EpochChanged)]
        assert shown == sorted(set(shown))
