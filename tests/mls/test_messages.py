"""Application messages: in any order, late, twice, one's own, and from whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.errors import UsageError
from mls.framing.private import no_padding, pad_to_power_of_two
from mls.group.environment import Limits
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import leave, propose, propose_update
from mls.group.processing import process
from mls.group.received import ApplicationMessage, OwnMessage, ProposalReceived
from mls.group.state import Status
from mls.registry import ContentType, WireFormat
from mls.schedule.secret_tree import RatchetLimits
from mls.wire.credentials import BasicCredential
from mls.wire.framing import PrivateMessage
from mls.wire.proposals import Remove
from tests.mls.journey import post, say, talk
from tests.mls.rules.support import refused
from tests.mls.stored import reload
from tests.mls.world import World, fingerprint

if TYPE_CHECKING:
    from mls.group.state import GroupState
    from mls.wire.message import MLSMessage


def read(world: World, name: str, message: MLSMessage) -> ApplicationMessage:
    """Let a member read a message of somebody else's."""
    received = world.process(name, message)
    assert isinstance(received, ApplicationMessage)
    return received


def with_limits(limits: Limits, *names: str) -> World:
    world = World.of(*(names or ("alice", "bob")))
    world.set(limits=limits)
    return world


def skipped(state: GroupState, leaf: int) -> list[int]:
    """Return the generations of application messages of a leaf whose keys are kept."""
    ratchets, _, _ = state.messages._descend(state.public.tree.signature_keys[_key(state, leaf)])
    return list(ratchets.application.skipped)


def _key(state: GroupState, leaf: int) -> bytes:
    found = state.public.tree.leaf(leaf)
    assert found is not None
    return found.signature_key


# Order


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 4, 0, 3, 1)], ids=str)
def test_messages_come_in_any_order(order: tuple[int, ...]) -> None:
    world = World.of("alice", "bob", "carol")
    sent = [say(world, "alice", bytes([number])) for number in range(5)]
    for number in order:
        for name in ("bob", "carol"):
            received = read(world, name, sent[number])
            assert (received.data, received.generation) == (bytes([number]), number)
    assert skipped(world.states["bob"], 0) == []


def test_skipped_keys_are_kept_up_to_the_limit() -> None:
    world = with_limits(Limits(ratchet=RatchetLimits(out_of_order=3)))
    sent = [say(world, "alice", bytes([number])) for number in range(10)]
    read(world, "bob", sent[5])
    assert skipped(world.states["bob"], 0) == [2, 3, 4]
    for number in (0, 1):
        with refused(rules.MESSAGE_KEY_IS_UNUSED):
            world.process("bob", sent[number])
    assert read(world, "bob", sent[3]).data == b"\x03"
    assert skipped(world.states["bob"], 0) == [2, 4]
    read(world, "bob", sent[8])
    assert skipped(world.states["bob"], 0) == [4, 6, 7], "the oldest goes first"
    with refused(rules.MESSAGE_KEY_IS_UNUSED):
        world.process("bob", sent[2])
    assert [read(world, "bob", sent[number]).data[0] for number in (4, 6, 7, 9)] == [4, 6, 7, 9]


def test_without_skipped_keys_only_what_comes_in_order_is_read() -> None:
    world = with_limits(Limits(ratchet=RatchetLimits(out_of_order=0)))
    sent = [say(world, "alice", bytes([number])) for number in range(3)]
    read(world, "bob", sent[1])
    assert skipped(world.states["bob"], 0) == []
    with refused(rules.MESSAGE_KEY_IS_UNUSED):
        world.process("bob", sent[0])
    read(world, "bob", sent[2])


def test_trimmed_keys_are_spent() -> None:
    world = with_limits(Limits(ratchet=RatchetLimits(out_of_order=2)))
    sent = [say(world, "alice") for _ in range(5)]
    read(world, "bob", sent[2])
    before = world.states["bob"]
    ratchets, _, _ = before.messages._descend(before.public.tree.signature_keys[_key(before, 0)])
    oldest = ratchets.application.skipped[0]
    transition = process(before, world.environment, sent[4], now=world.now)
    assert any(secret is oldest for secret in transition.spent)


@pytest.mark.parametrize("out_of_order", [0, 3, 100])
def test_the_forward_limit(out_of_order: int) -> None:
    world = with_limits(Limits(ratchet=RatchetLimits(out_of_order=out_of_order, forward=7)))
    sent = [say(world, "alice") for _ in range(20)]
    with refused(rules.GENERATION_IS_WITHIN_FORWARD_LIMIT):
        world.process("bob", sent[8])
    assert read(world, "bob", sent[7]).generation == 7, "seven were skipped"
    with refused(rules.GENERATION_IS_WITHIN_FORWARD_LIMIT):
        world.process("bob", sent[16])
    assert read(world, "bob", sent[15]).generation == 15


def test_handshake_and_application_messages_have_ratchets_of_their_own() -> None:
    world = World.of("alice", "bob")
    first = say(world, "alice")
    post(world, "alice", Remove(1))
    reference = world.states["alice"].proposals[0].reference
    for name in ("alice", "bob"):
        assert world.states[name].proposals[0].reference == reference
    assert read(world, "bob", first).generation == 0
    assert world.states["alice"].messages.next_generation(world.states["alice"].own_leaf, ContentType.PROPOSAL) == 1
    assert world.states["alice"].messages.next_generation(world.states["alice"].own_leaf, ContentType.APPLICATION) == 1


# Twice


def test_replays_are_refused() -> None:
    world = World.of("alice", "bob")
    first, second = say(world, "alice"), say(world, "alice")
    for message in (first, second):
        read(world, "bob", message)
        before = fingerprint(world.states["bob"])
        with refused(rules.MESSAGE_KEY_IS_UNUSED):
            world.process("bob", message)
        assert fingerprint(world.states["bob"]) == before
    world.commit("alice")
    for message in (first, second):
        with refused(rules.MESSAGE_KEY_IS_UNUSED):
            world.process("bob", message)
    world.states["bob"] = reload(world.states["bob"])
    with refused(rules.MESSAGE_KEY_IS_UNUSED):
        world.process("bob", first)


def test_a_proposal_received_twice_is_old_news() -> None:
    world = World.of("alice", "bob")
    made = propose(world.states["alice"], world.environment, Remove(1), wire_format=WireFormat.PUBLIC_MESSAGE)
    message = world.adopt("alice", made)
    first = world.process("bob", message)
    state = world.states["bob"]
    again = process(state, world.environment, message, now=world.now)
    assert isinstance(first, ProposalReceived)
    assert (again.state, again.output, again.spent) == (state, first, ())
    assert len(state.proposals) == 1


# One's own


def test_own_messages_come_back() -> None:
    world = World.of("alice", "bob")
    sent = [say(world, "alice") for _ in range(3)]
    state = world.states["alice"]
    for generation, message in enumerate(sent):
        transition = process(state, world.environment, message.encode(), now=world.now)
        assert transition.output == OwnMessage(1, generation, is_known=True)
        assert (transition.state, transition.spent) == (state, ())


def test_own_messages_that_another_copy_of_the_state_has_sent() -> None:
    world = World.of("alice", "bob")
    copy = reload(world.states["alice"])
    sent = [say(world, "alice") for _ in range(3)]
    world.states["alice"] = copy
    known = []
    for _ in range(4):
        received = [world.process("alice", message) for message in sent]
        known.append([isinstance(item, OwnMessage) and item.is_known for item in received])
        say(world, "alice")
    assert known == [[False, False, False], [True, False, False], [True, True, False], [True, True, True]]


def test_own_messages_come_back_late() -> None:
    world = World.of("alice", "bob")
    copy = reload(world.states["alice"])
    message = say(world, "alice")
    world.commit("bob")
    assert world.process("alice", message) == OwnMessage(1, 0, is_known=True)
    state = world.states["alice"]
    world.states = {"alice": copy}
    unknown = [say(world, "alice"), say(world, "alice")][1]
    assert process(state, world.environment, unknown, now=world.now).output == OwnMessage(1, 1, is_known=False)


def test_own_proposals_come_back() -> None:
    world = World.of("alice", "bob")
    copy = reload(world.states["alice"])
    private = world.adopt("alice", propose(world.states["alice"], world.environment, Remove(1)))
    public = world.adopt("alice", leave(world.states["alice"], world.environment))
    assert world.process("alice", private) == OwnMessage(1, 0, is_known=True)
    assert world.process("alice", public) == OwnMessage(1, None, is_known=True)
    assert len(world.states["alice"].proposals) == 2
    for message, generation in ((private, 0), (public, None)):
        found = process(copy, world.environment, message, now=world.now).output
        assert found == OwnMessage(1, generation, is_known=False)


# What they hold


@pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 63, bytes(range(256)) * 300], ids=len)
def test_any_data_comes_through(data: bytes) -> None:
    for padding in (no_padding, pad_to_power_of_two, lambda _: 17):
        world = World.of("alice", "bob")
        world.set(padding=padding)
        received = read(world, "bob", say(world, "alice", data, data[:5]))
        assert (received.data, received.authenticated_data) == (data, data[:5])


def ciphertext_size(world: World, data: bytes) -> int:
    body = say(world, "alice", data).message
    assert isinstance(body, PrivateMessage)
    return len(body.ciphertext)


def test_padding() -> None:
    world = World.of("alice", "bob")
    tag = world.suite.aead.Nt
    assert [pad_to_power_of_two(size) for size in (0, 1, 63, 64, 65, 128, 129)] == [64, 63, 1, 0, 63, 0, 127]
    assert {ciphertext_size(world, bytes(size)) - tag for size in range(60)} == {128}
    assert {ciphertext_size(world, bytes(size)) - tag for size in range(80, 180)} == {256}
    world.set(padding=no_padding)
    assert ciphertext_size(world, b"") + 40 == ciphertext_size(world, bytes(40))
    world.set(padding=lambda size: 1000 - size)
    assert ciphertext_size(world, b"") == ciphertext_size(world, bytes(500)) == 1000 + tag


def test_handshakes_are_not_padded() -> None:
    sizes = set()
    for padding in (no_padding, lambda _: 5000):
        world = World.of("alice", "bob")
        world.set(padding=padding)
        message = world.adopt("alice", propose(world.states["alice"], world.environment, Remove(1)))
        sizes.add(len(message.encode()))
    assert len(sizes) == 1


def test_equal_messages_look_different() -> None:
    world = World.of("alice", "bob")
    assert say(world, "alice", b"same") != say(world, "alice", b"same")


def test_authenticated_data_travels_in_the_clear() -> None:
    world = World.of("alice", "bob", "carol")
    message = say(world, "alice", b"secret", b"for all to see")
    assert b"for all to see" in message.encode()
    assert b"secret" not in message.encode()
    update = propose_update(
        world.states["bob"], world.environment, leaf_changes=LeafChanges(), authenticated_data=b"routing"
    )
    sent = world.adopt("bob", update)
    received = world.process("alice", sent)
    assert isinstance(received, ProposalReceived)
    assert received.authenticated_data == b"routing"


def test_a_message_can_be_given_decoded() -> None:
    world = World.of("alice", "bob")
    message = say(world, "alice", b"hello")
    found = process(world.states["bob"], world.environment, message, now=world.now).output
    assert isinstance(found, ApplicationMessage)
    assert found.data == b"hello"


def test_what_is_no_message_of_a_group() -> None:
    world = World.of("alice", "bob")
    with pytest.raises(UsageError, match="a KeyPackage is not a message within a group"):
        world.process("bob", world.key_package("carol").message)


# Late


def test_late_messages() -> None:
    world = World.of("alice", "bob", "carol")
    sent = [(world.states["alice"].epoch, say(world, "alice", bytes([number]))) for number in range(2)]
    for number in range(2, 5):
        world.commit("carol")
        sent.append((world.states["alice"].epoch, say(world, "alice", bytes([number]))))
    for number in (4, 1, 3, 0, 2):
        epoch, message = sent[number]
        received = read(world, "bob", message)
        assert (received.epoch, received.data) == (epoch, bytes([number]))
    talk(world)


def test_a_late_proposal_is_refused() -> None:
    world = World.of("alice", "bob")
    messages = [
        propose(world.states["alice"], world.environment, Remove(1), wire_format=wire_format).output
        for wire_format in (WireFormat.PRIVATE_MESSAGE, WireFormat.PUBLIC_MESSAGE)
    ]
    world.commit("bob")
    for message in messages:
        with refused(rules.PROPOSAL_EPOCH_IS_CURRENT):
            world.process("bob", message)


def test_a_message_from_the_future_is_refused() -> None:
    world = World.of("alice", "bob", "carol")
    behind = world.states["carol"]
    world.commit("alice")
    message = say(world, "alice")
    with refused(rules.EPOCH_IS_HELD):
        process(behind, world.environment, message, now=world.now)


def test_a_late_message_is_from_who_had_the_leaf_then() -> None:
    world = World.of("alice", "bob", "carol")
    late = say(world, "bob", b"I was here first")
    place = world.leaf("bob")
    world.commit("alice", Remove(place))
    del world.states["bob"]
    world.add("alice", "mallory")
    assert world.leaf("mallory") == place
    received = read(world, "carol", late)
    assert received.sender == place
    assert (received.sender_leaf.credential, received.epoch) == (BasicCredential(b"bob"), 1)
    fresh = read(world, "carol", say(world, "mallory"))
    assert (fresh.sender, fresh.sender_leaf.credential) == (place, BasicCredential(b"mallory"))


def test_a_late_message_is_no_own_message_of_who_has_the_leaf_now() -> None:
    world = World.of("alice", "bob", "carol")
    late = say(world, "bob", b"I was here first")
    world.commit("alice", Remove(world.leaf("bob")))
    del world.states["bob"]
    world.add("alice", "mallory")
    with refused(rules.EPOCH_IS_HELD):
        world.process("mallory", late)


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
def test_whoever_was_removed_reads_what_is_late_alone(restarted: bool) -> None:  # noqa: FBT001 - a parameter
    world = World.of("alice", "bob", "carol")
    before = say(world, "alice", b"two epochs ago")
    world.commit("alice")
    late = [say(world, "alice", b"late"), say(world, "carol", b"late")]
    own = say(world, "bob")
    proposal = propose(world.states["alice"], world.environment, Remove(2)).output
    public = propose(world.states["carol"], world.environment, Remove(0), wire_format=WireFormat.PUBLIC_MESSAGE).output
    world.commit("alice", Remove(world.leaf("bob")))
    after = say(world, "alice", b"he is gone")
    if restarted:
        world.states["bob"] = reload(world.states["bob"])
    assert world.states["bob"].status is Status.REMOVED
    assert read(world, "bob", before).data == b"two epochs ago"
    assert [read(world, "bob", message).data for message in late] == [b"late", b"late"]
    assert world.process("bob", own) == OwnMessage(2, 0, is_known=True)
    with refused(rules.EPOCH_IS_HELD):
        world.process("bob", after)
    for message in (proposal, public):
        with refused(rules.PROPOSAL_EPOCH_IS_CURRENT):
            world.process("bob", message)
