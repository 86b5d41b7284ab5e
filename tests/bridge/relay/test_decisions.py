"""What a relay decides, by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.protocol.bodies import Hello, MembershipClaim
from bridge.protocol.code_points import PROBE, PROTOCOL_VERSION, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope
from bridge.relay.decisions import Copy, Effect, MeetRelay, decide
from bridge.relay.pending import Pending, transaction_of
from bridge.relay.settings import Counted, Side
from bridge.relay.turns import LEFT_OUT, MAX_RELAYS, STAND_BY, Turns, decode_relays, encode_relays
from transports.room import (
    Account,
    EnvelopeSeen,
    HistoryLost,
    Membership,
    MembershipSeen,
    Origin,
    RelayNote,
    RoomAddress,
    RoomEvent,
)

A, B, C = (RoomAddress(f"memory:{name}") for name in "abc")
RELAY, ALICE, OTHER = (Account(f"memory:{name}") for name in ("relay", "alice", "other"))
SOURCE, TARGET, THIRD = (Side(RELAY, room) for room in (A, B, C))
NOTE = RelayNote(C, ALICE, "$9", 4)


def decided(event: RoomEvent) -> tuple[Effect, ...]:
    return decide(SOURCE, [TARGET, THIRD], 1 << 20, event)


def seen(
    kind: EnvelopeKind, body: bytes, *, sender: Account | None = ALICE, note: RelayNote | None = None
) -> EnvelopeSeen:
    return EnvelopeSeen(Origin(A, "$1", sender, 7), envelope(kind, b"g", body).encode(), None, note)


def hello(*rooms: RoomAddress) -> bytes:
    return Hello(b"x", tuple(room.encode() for room in rooms), b"", 1).encode()


def test_a_note_of_another_relay_is_replaced_by_what_this_one_saw() -> None:
    (copy,) = decided(seen(EnvelopeKind.APPLICATION, b"x", note=NOTE))

    assert isinstance(copy, Copy)
    assert copy.note == RelayNote(A, ALICE, "$1", 7)
    assert copy.targets == (TARGET, THIRD)


def test_a_probe_is_not_copied() -> None:
    probe = Envelope(PROTOCOL_VERSION, PROBE, b"", b"random").encode()

    assert decided(EnvelopeSeen(Origin(A, "$1", ALICE, 7), probe, None, None)) == ()


@pytest.mark.parametrize("kind", [EnvelopeKind.HELLO, EnvelopeKind.MEMBERSHIP])
def test_what_it_says_itself_stays_in_its_room(kind: EnvelopeKind) -> None:
    assert decided(seen(kind, b"x", sender=RELAY)) == ()
    (copy,) = decided(seen(kind, b"x", sender=RELAY, note=NOTE))
    assert isinstance(copy, Copy)


def test_what_others_post_with_its_account_is_copied() -> None:
    (copy,) = decided(seen(EnvelopeKind.SEAL, b"x", sender=RELAY))

    assert isinstance(copy, Copy)


def test_a_claim_is_not_told_to_the_room_that_it_is_about() -> None:
    claim = MembershipClaim(B.encode(), ALICE.encode(), b"joined", b"", 1).encode()

    (copy,) = decided(seen(EnvelopeKind.MEMBERSHIP, claim))

    assert isinstance(copy, Copy)
    assert copy.targets == (THIRD,)


def test_a_hello_makes_another_relay_known_unless_it_is_a_copy() -> None:
    met, copy = decided(seen(EnvelopeKind.HELLO, hello(A, B), sender=OTHER))

    assert met == MeetRelay(OTHER, frozenset({A, B}))
    assert isinstance(copy, Copy)
    assert [type(effect) for effect in decided(seen(EnvelopeKind.HELLO, hello(A, B), note=NOTE))] == [Copy]
    assert [type(effect) for effect in decided(seen(EnvelopeKind.HELLO, hello(A, B), sender=None))] == [Copy]


def test_own_membership_and_invitations_are_no_news() -> None:
    for account, membership in ((RELAY, Membership.JOINED), (ALICE, Membership.INVITED)):
        assert decided(MembershipSeen(Origin(A, "$1", ALICE, 7), account, membership)) == ()


def test_two_relays_claim_the_same_in_the_same_bytes() -> None:
    event = MembershipSeen(Origin(A, "$1", ALICE, 7), OTHER, Membership.LEFT)

    (one,) = decide(SOURCE, [TARGET], 1 << 20, event)
    (two,) = decide(Side(OTHER.replace("other", "second"), A), [Side(ALICE, B)], 1 << 20, event)  # type: ignore[arg-type]

    assert isinstance(one, Copy)
    assert isinstance(two, Copy)
    assert one.envelope == two.envelope


def test_lost_history_is_counted() -> None:
    assert decided(HistoryLost(A, "gone")) == (Counted.HISTORY_LOST,)


@given(st.binary(max_size=200), st.sampled_from([ALICE, RELAY, None]))
def test_any_bytes_lead_to_something(data: bytes, sender: Account | None) -> None:
    effects = decided(EnvelopeSeen(Origin(A, "$1", sender, 7), data))

    assert all(isinstance(effect, Copy | Counted | MeetRelay) for effect in effects)


@pytest.mark.parametrize("at", [-5, 0, 1 << 80])
def test_numbers_and_text_that_servers_should_not_send_are_carried(at: int) -> None:
    origin = Origin(A, "\ud800 id", Account("memory:\udc00"), at)
    (copy,) = decided(EnvelopeSeen(origin, envelope(EnvelopeKind.APPLICATION, b"g", b"x").encode()))
    (claim,) = decided(MembershipSeen(origin, Account("memory:\udc00"), Membership.JOINED))
    assert isinstance(copy, Copy)
    assert isinstance(claim, Copy)

    carried = Pending.decode(Pending.of(copy).encode()).entry(TARGET, 0).note
    claimed = Pending.decode(Pending.of(claim).encode()).entry(TARGET, 0)

    assert carried is not None
    assert (carried.event_id, carried.sender) == (origin.event_id, origin.sender)
    assert 0 <= carried.at < 1 << 63
    assert claimed.note is None


def test_the_transaction_of_a_copy_follows_from_identity_and_room() -> None:
    assert transaction_of(bytes(32), TARGET) == transaction_of(bytes(32), Side(OTHER, B))
    assert (
        len({transaction_of(bytes(32), TARGET), transaction_of(bytes(32), THIRD), transaction_of(b"\1" * 32, TARGET)})
        == 3
    )
    assert len(transaction_of(bytes(32), TARGET)) <= 59


class TestTurns:
    def test_exactly_one_of_several_relays_has_the_turn(self) -> None:
        accounts = [Account(f"memory:relay{number}") for number in range(5)]
        both = frozenset({A, B})
        waits = []
        for account in accounts:
            turns = Turns(A, account)
            for other in accounts:
                turns = turns.meet(other, both)
            waits.append(turns.wait(B, 0))

        assert sorted(waits) == [STAND_BY * place for place in range(5)]

    def test_relays_of_other_rooms_do_not_count(self) -> None:
        turns = Turns(A, RELAY)
        for number in range(20):
            turns = turns.meet(Account(f"memory:relay{number}"), frozenset({A, C}))
            turns = turns.meet(Account(f"memory:stranger{number}"), frozenset({B, C}))
        turns = turns.meet(OTHER, frozenset({A}))

        assert turns.wait(B, 0) == 0
        assert turns.wait(C, 0) > 0
        assert len(turns.relays) == MAX_RELAYS

    def test_who_lets_the_turn_pass_is_left_out_for_a_while(self) -> None:
        turns = next(
            turns
            for number in range(50)
            if (turns := Turns(A, RELAY).meet(Account(f"memory:{number}"), frozenset({A, B}))).wait(B, 0)
        )

        left_out = turns.passed(B, 1000)

        assert left_out.wait(B, 1001) == 0
        assert left_out.wait(B, 1000 + LEFT_OUT) == STAND_BY
        assert left_out.returned(B).wait(B, 1001) == STAND_BY
        assert left_out.returned(C) is left_out
        assert left_out.passed(B, 1001) is left_out

    def test_others_are_remembered(self) -> None:
        turns = Turns(A, RELAY).meet(OTHER, frozenset({A, B}))

        assert decode_relays(encode_relays(turns.relays)) == turns.relays
