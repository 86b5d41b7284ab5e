"""Words on a Commit that count, and those that do not."""

from __future__ import annotations

import pytest

from bridge.member import verdicts as verdicts_of_members
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope
from bridge.protocol.verdicts import open_verdict, verdict_envelope
from tests.bridge.member.table import MATRIX, RELAYS, Table
from tests.bridge.member.test_groups import three
from tests.bridge.member.test_settling import (
    FOR_BOB,
    FOR_CAROL,
    MINUTE,
    epoch_of,
    everybody_talks,
    update,
)
from tests.mls.spoiling import spoiling


def word(table: Table, name: str, kind: EnvelopeKind, *, attempt: int = 0, leaf: int | None = None) -> Envelope:
    """Return somebody's word on the Commit that is not settled, whatever they think."""
    session = table.seats[name].session
    unsettled, group = session.standing.unsettled, session.group
    assert unsettled is not None
    assert group is not None
    return verdict_envelope(
        group.suite,
        group.signature_key,
        kind,
        group_id=group.group_id,
        commit=unsettled.commit,
        epoch=unsettled.epoch,
        leaf=group.own_leaf if leaf is None else leaf,
        attempt=attempt,
    )


def test_a_false_nack_holds_up_nothing() -> None:
    table = three()
    table.is_sealing = False
    update(table, "alice")
    table.is_sealing = True
    newest = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts_of_members, "speak", lambda _: None)
        table.seal(newest)
        table.run()
        table.post(MATRIX, RELAYS[MATRIX], word(table, "bob", EnvelopeKind.NACK))
        table.run()
    table.pass_time(2_000)
    assert table.seats["alice"].session.standing.unsettled is None
    assert len(table.epochs()) == 1


@pytest.mark.parametrize("kind", [EnvelopeKind.ACK, EnvelopeKind.NACK, EnvelopeKind.CLOSE])
def test_words_that_do_not_count(kind: EnvelopeKind) -> None:
    """The author's own, one in another's name, one that comes too early: all that they do is be skipped."""
    table = three()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts_of_members, "speak", lambda _: None)
        update(table, "alice")
        carol = table.seats["carol"].session.group
        assert carol is not None
        standing = {name: seat.session.standing for name, seat in table.seats.items()}
        words = [word(table, "bob", kind, leaf=carol.own_leaf), word(table, "bob", kind, leaf=17)]
        words.append(word(table, "alice", kind) if kind != EnvelopeKind.CLOSE else word(table, "bob", kind))
        for sealed in words:
            table.post(MATRIX, RELAYS[MATRIX], sealed)
            table.run()
    assert {name: seat.session.standing for name, seat in table.seats.items()} == standing
    assert all(item.unsettled is not None for item in standing.values())


def test_a_close_that_came_too_early_is_said_again_with_the_next_attempt() -> None:
    table = three()
    table.seats["carol"].deaf = True
    with spoiling(FOR_BOB, FOR_CAROL):
        update(table, "alice")
    true = table.now
    seal = table.seal

    def slow(*sealed: Envelope) -> None:  # the sequencer's clock stands still for a while
        now, table.now = table.now, min(table.now, true + 50_000)
        seal(*sealed)
        table.now = now

    table.seal = slow  # type: ignore[method-assign]
    table.pass_time(MINUTE)
    assert len(table.epochs()) == 2
    table.seal = seal  # type: ignore[method-assign]
    table.pass_time(MINUTE)
    assert len(table.epochs()) == 1
    closes = [open_verdict(sealed) for sealed in table.envelopes(EnvelopeKind.CLOSE)]
    assert {item.attempt for item in closes} == {0, 1}
    table.listen("carol")
    everybody_talks(table, "alice", "bob", "carol")


def test_an_author_does_not_settle_its_commit_by_its_next_one() -> None:
    table = three()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts_of_members, "speak", lambda _: None)
        update(table, "alice")
        before = table.epochs()
        patch.setattr("bridge.member.state.Session.is_bound", property(lambda _: False))
        update(table, "alice")
        assert table.epochs() == before
        update(table, "bob")  # somebody else's does
    assert epoch_of(table, "carol") == min(before)[0] + 1
    assert all(
        seat.session.standing.unsettled is None or seat.session.standing.unsettled.author_leaf == 1
        for seat in table.seats.values()
    )
