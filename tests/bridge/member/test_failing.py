"""What the room's server refuses for good is said, and not waited for."""

from __future__ import annotations

from bridge.conversation import Alarm, DeliveryChanged, DeliveryState, Remove, Removed, Say
from bridge.member import failing, requests
from bridge.protocol.code_points import EnvelopeKind
from tests.bridge.member.test_groups import texts, three


def test_a_message_that_cannot_be_posted_has_failed() -> None:
    table = three()
    alice = table.seats["alice"]
    with table.step(alice) as step:
        requests.answer(step, Say("Too much."), ())
        (post,) = step.posts
        step.posts.clear()  # the server has refused it
    waiting = alice.session.memory.awaited
    assert len(waiting) == 1
    with table.step(alice) as step:
        failing.take_failure(step, post.envelope.encode(), "too large")
    assert alice.session.memory.awaited == ()
    changes = [item for item in alice.told if isinstance(item, DeliveryChanged)]
    assert (changes[-1].state, changes[-1].reason) == (DeliveryState.FAILED, "too large")


def test_a_change_that_cannot_be_posted_is_tried_again() -> None:
    table = three()
    alice = table.seats["alice"]
    table.drop = lambda _room, _sealed: True
    table.is_sealing = False
    table.do("alice", Remove("bob"))
    lost = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    with table.step(alice) as step:
        failing.take_failure(step, lost.encode(), "forbidden")
    assert alice.heard(Alarm)
    assert alice.session.memory.in_flight is None
    table.drop = lambda _room, _sealed: False
    table.is_sealing = True
    table.pass_time(1_000)
    assert not table.seats["bob"].heard(Removed)
    table.pass_time(60_000)
    assert table.seats["bob"].heard(Removed)
    table.do("alice", Say("Done."))
    assert texts(table, "carol")[-1] == "Done."
