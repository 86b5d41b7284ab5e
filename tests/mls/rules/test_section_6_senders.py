"""Section 6 (message framing), who says what: each rule broken on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.errors import WrongEpochError
from mls.group.environment import Limits
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.messaging import leave, protect
from mls.group.processing import process
from mls.registry import WireFormat
from mls.wire.commit import Commit
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import ExternalSender, ExternalSenders, pack_extension
from mls.wire.framing import (
    ApplicationData,
    External,
    Member,
    NewMemberCommit,
    NewMemberProposal,
)
from mls.wire.proposals import Add, Remove, SelfRemove
from tests.mls.rules.doors import refused_by
from tests.mls.rules.forging import (
    forged_commit,
    forged_external_commit,
    private,
    public,
    signed,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.wire.framing import AnyContent, AuthenticatedContent
    from tests.mls.rules.forging import Alteration

BOTH_FORMATS = (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE)
ENCRYPTED = WireFormat.PRIVATE_MESSAGE

BAD_SIGNATURES: tuple[Alteration[bytes], ...] = (
    lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    lambda signature: signature[:-1],
    lambda signature: signature + b"\0",
    lambda _: b"",
)


def _world() -> World:
    """Return a world whose group listens to a server outside of it."""
    world = World()
    server = ExternalSender(world.client("server").signature_key.public_key, BasicCredential(b"server"))
    world.found("alice", extensions=(pack_extension(ExternalSenders((server,))),))
    world.add("alice", "bob", "carol")
    return world


# 6: the message's group and epoch


@breaks(rules.GROUP_ID_MATCHES)
def test_group_id_matches() -> None:
    world = _world()
    for wire_format in BOTH_FORMATS:
        for group_id in (b"another group", b"the grou", b"the group\0", b""):
            alice = world.states["alice"]
            message = signed(alice, Remove(2), group_id=group_id, wire_format=wire_format)
            bad = public(alice, message) if wire_format == WireFormat.PUBLIC_MESSAGE else private(alice, message)
            refused_by(world, "bob", rules.GROUP_ID_MATCHES, bad)


@breaks(rules.GROUP_ID_MATCHES)
def test_group_id_matches__self_remove() -> None:
    world = _world()
    bob, leaving = world.states["bob"], leave(world.states["bob"], world.environment).output
    elsewhere = public(bob, signed(bob, SelfRemove(), group_id=b"another group"))
    dave, info = world.client("dave"), group_info(world.states["alice"])
    with refused(rules.GROUP_ID_MATCHES):
        join_externally(dave, world.environment, info, self_removes=[elsewhere.encode()])
    join_externally(dave, world.environment, info, self_removes=[leaving.encode()])


@breaks(rules.EPOCH_IS_HELD)
def test_epoch_is_held() -> None:
    world = _world()
    for ahead in (1, 2, 1 << 40):
        alice = world.states["alice"]
        message = signed(alice, ApplicationData(b"hello"), wire_format=ENCRYPTED, epoch=alice.epoch + ahead)
        with pytest.raises(WrongEpochError) as caught:
            process(world.states["bob"], world.environment, private(alice, message), now=world.now)
        assert (caught.value.have, caught.value.got) == (alice.epoch, alice.epoch + ahead)
        refused_by(world, "bob", rules.EPOCH_IS_HELD, private(alice, message))


@breaks(rules.EPOCH_IS_HELD)
def test_epoch_is_held__no_longer() -> None:
    world = _world()
    world.set(limits=Limits(past_grace=10, past_epochs=2, past_seconds=100))
    late = protect(world.states["alice"], world.environment, b"one").output
    later = protect(world.states["alice"], world.environment, b"two").output
    for _ in range(2):
        world.commit("carol")
    world.now += 11
    world.process("bob", late)
    world.commit("carol")
    refused_by(world, "bob", rules.EPOCH_IS_HELD, later)


@breaks(rules.EPOCH_IS_HELD)
def test_epoch_is_held__before_joining() -> None:
    world = _world()
    early = protect(world.states["alice"], world.environment, b"not for dave").output
    world.add("alice", "dave")
    refused_by(world, "dave", rules.EPOCH_IS_HELD, early)


@breaks(rules.APPLICATION_DATA_IS_ENCRYPTED)
def test_application_data_is_encrypted() -> None:
    world = _world()
    alice = world.states["alice"]
    bad = public(alice, signed(alice, ApplicationData(b"for all to read")))
    refused_by(world, "bob", rules.APPLICATION_DATA_IS_ENCRYPTED, bad)


@breaks(rules.APPLICATION_DATA_IS_ENCRYPTED)
def test_application_data_is_encrypted__external_sender() -> None:
    world = _world()
    alice, key = world.states["alice"], world.client("server").signature_key
    bad = public(alice, signed(alice, ApplicationData(b"for all to read"), sender=External(0), key=key))
    refused_by(world, "bob", rules.APPLICATION_DATA_IS_ENCRYPTED, bad)


# 6.1: senders


@breaks(rules.MEMBER_SENDER_IS_A_MEMBER)
def test_member_sender_is_a_member() -> None:
    world = _world()
    contents: list[AnyContent] = [Remove(2), Commit((), None)]
    for leaf in (3, 4, 0x7FFF_FFFF, 0xFFFF_FFFF):
        for content in contents:
            alice = world.states["alice"]
            bad = public(alice, signed(alice, content, sender=Member(leaf)))
            refused_by(world, "bob", rules.MEMBER_SENDER_IS_A_MEMBER, bad)


@breaks(rules.MEMBER_SENDER_IS_A_MEMBER)
def test_member_sender_is_a_member__any_more() -> None:
    world = _world()
    key = world.states["carol"].signature_key
    world.commit("alice", Remove(2))
    alice = world.states["alice"]
    del world.states["carol"]
    bad = public(alice, signed(alice, Remove(1), sender=Member(2), key=key))
    refused_by(world, "bob", rules.MEMBER_SENDER_IS_A_MEMBER, bad)


@breaks(rules.EXTERNAL_SENDER_IS_LISTED)
def test_external_sender_is_listed() -> None:
    world = _world()
    key = world.client("server").signature_key
    for index in (1, 2, 0xFFFF_FFFF):
        alice = world.states["alice"]
        bad = public(alice, signed(alice, Remove(2), sender=External(index), key=key))
        refused_by(world, "bob", rules.EXTERNAL_SENDER_IS_LISTED, bad)


@breaks(rules.EXTERNAL_SENDER_IS_LISTED)
def test_external_sender_is_listed__none_are() -> None:
    world = World.of("alice", "bob")
    alice, key = world.states["alice"], world.client("server").signature_key
    bad = public(alice, signed(alice, Remove(0), sender=External(0), key=key))
    refused_by(world, "bob", rules.EXTERNAL_SENDER_IS_LISTED, bad)


@breaks(rules.EXTERNAL_SENDER_ONLY_PROPOSES)
def test_external_sender_only_proposes() -> None:
    world = _world()
    alice, key = world.states["alice"], world.client("server").signature_key
    honest = forged_commit(alice, world.environment, wire_format=WireFormat.PUBLIC_MESSAGE).message
    for content in (honest.content.content, Commit((Remove(2),), None)):
        bad = public(world.states["alice"], signed(world.states["alice"], content, sender=External(0), key=key))
        refused_by(world, "bob", rules.EXTERNAL_SENDER_ONLY_PROPOSES, bad)


@breaks(rules.NEW_MEMBER_COMMIT_IS_A_COMMIT)
def test_new_member_commit_is_a_commit() -> None:
    world = _world()
    bundle = world.key_package("dave")
    for content in (Add(bundle.key_package), Remove(2)):
        alice = world.states["alice"]
        bad = public(alice, signed(alice, content, sender=NewMemberCommit(), key=bundle.signature_key))
        refused_by(world, "bob", rules.NEW_MEMBER_COMMIT_IS_A_COMMIT, bad)


@breaks(rules.NEW_MEMBER_PROPOSAL_IS_AN_ADD)
def test_new_member_proposal_is_an_add() -> None:
    world = _world()
    bundle = world.key_package("dave")
    contents: list[AnyContent] = [Remove(2), Commit((Add(bundle.key_package),), None)]
    for content in contents:
        alice = world.states["alice"]
        bad = public(alice, signed(alice, content, sender=NewMemberProposal(), key=bundle.signature_key))
        refused_by(world, "bob", rules.NEW_MEMBER_PROPOSAL_IS_AN_ADD, bad)


# 6.1: signatures. Bob is a member, so he has all keys but alice's signature key.


@breaks(rules.MESSAGE_SIGNATURE_IS_VALID)
def test_message_signature_is_valid() -> None:
    world = _world()
    for wire_format in BOTH_FORMATS:
        bob = world.states["bob"]
        message = signed(bob, Remove(1), sender=Member(0), wire_format=wire_format)
        bad = public(bob, message) if wire_format == WireFormat.PUBLIC_MESSAGE else private(bob, message, leaf=0)
        refused_by(world, "carol", rules.MESSAGE_SIGNATURE_IS_VALID, bad)


@breaks(rules.MESSAGE_SIGNATURE_IS_VALID)
def test_message_signature_is_valid__application() -> None:
    world = _world()
    bob = world.states["bob"]
    message = signed(bob, ApplicationData(b"alice says"), sender=Member(0), wire_format=ENCRYPTED)
    refused_by(world, "carol", rules.MESSAGE_SIGNATURE_IS_VALID, private(bob, message, leaf=0))


@breaks(rules.MESSAGE_SIGNATURE_IS_VALID)
def test_message_signature_is_valid__altered() -> None:
    world = _world()
    for wire_format in BOTH_FORMATS:
        for alter in BAD_SIGNATURES:
            message = signed(world.states["alice"], Remove(2), wire_format=wire_format)
            bad = _sent(world, message.replace(signature=alter(message.signature)))
            refused_by(world, "bob", rules.MESSAGE_SIGNATURE_IS_VALID, bad)
            message = forged_commit(world.states["alice"], world.environment, wire_format=wire_format).message
            bad = _sent(world, message.replace(signature=alter(message.signature)))
            refused_by(world, "bob", rules.MESSAGE_SIGNATURE_IS_VALID, bad)


@breaks(rules.MESSAGE_SIGNATURE_IS_VALID)
def test_message_signature_is_valid__late() -> None:
    world = _world()
    bob = world.states["bob"]
    message = signed(bob, ApplicationData(b"alice said"), sender=Member(0), wire_format=ENCRYPTED)
    late = private(bob, message, leaf=0)
    world.commit("alice")
    refused_by(world, "carol", rules.MESSAGE_SIGNATURE_IS_VALID, late)


@breaks(rules.MESSAGE_SIGNATURE_IS_VALID)
def test_message_signature_is_valid__other_wire_format() -> None:
    world = _world()
    alice = world.states["alice"]
    refused_by(
        world,
        "bob",
        rules.MESSAGE_SIGNATURE_IS_VALID,
        public(alice, signed(alice, Remove(2), wire_format=WireFormat.PRIVATE_MESSAGE)),
    )
    alice = world.states["alice"]
    refused_by(
        world,
        "bob",
        rules.MESSAGE_SIGNATURE_IS_VALID,
        private(alice, signed(alice, Remove(2), wire_format=WireFormat.PUBLIC_MESSAGE)),
    )


@breaks(rules.MESSAGE_SIGNATURE_IS_VALID)
def test_message_signature_is_valid__other_epoch() -> None:
    """The signature covers the GroupContext: in one that only looks alike, it says nothing."""
    world = _world()
    alice = world.states["alice"]
    other = replace(alice, public=replace(alice.public, context=alice.public.context.replace(tree_hash=bytes(32))))
    refused_by(world, "bob", rules.MESSAGE_SIGNATURE_IS_VALID, public(alice, signed(other, Remove(2))))


@breaks(rules.MESSAGE_SIGNATURE_IS_VALID)
def test_message_signature_is_valid__from_outside() -> None:
    world = _world()
    wrong = world.client("mallory").signature_key
    add = Add(world.key_package("dave").key_package)
    for content, sender in ((Remove(2), External(0)), (add, NewMemberProposal())):
        alice = world.states["alice"]
        bad = public(alice, signed(alice, content, sender=sender, key=wrong))
        refused_by(world, "bob", rules.MESSAGE_SIGNATURE_IS_VALID, bad)
    alice = world.states["alice"]
    external = forged_external_commit(alice, world.client("dave"), world.environment, key=wrong)
    refused_by(world, "bob", rules.MESSAGE_SIGNATURE_IS_VALID, external.sent_by(alice))


def _sent(world: World, message: AuthenticatedContent) -> bytes:
    """Return alice's message, encoded, as it travels in its wire format."""
    send = public if message.wire_format == WireFormat.PUBLIC_MESSAGE else private
    return send(world.states["alice"], message).encode()
