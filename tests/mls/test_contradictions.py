"""The last lines of defence: what only a dishonest member, or a bug of the engine's own, could bring about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.crypto.secret import Secret
from mls.errors import DecodeError, InternalError, UsageError
from mls.framing.content import _VERIFIED, VerifiedContent, verify
from mls.framing.private import no_padding, protect_private
from mls.group.applying import apply_commit
from mls.group.committing import commit
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose_update
from mls.group.successors import reinitialize
from mls.registry import MLS10, ContentType, WireFormat
from mls.schedule.secret_tree import LeafRatchets, Ratchet, RatchetLimits, SecretTree
from mls.tree.math import LeafIndex, NodeIndex
from mls.tree.private_tree import PrivateTree
from mls.wire.commit import Commit
from mls.wire.framing import ApplicationData, AuthenticatedContent, External, FramedContent, PublicMessage
from mls.wire.proposals import ReInit, Remove
from tests.mls.journey import talk
from tests.mls.rules.forging import private, signed
from tests.mls.rules.support import refused
from tests.mls.world import LIFETIME, World

if TYPE_CHECKING:
    from mls.group.state import GroupState
    from mls.wire.framing import AnyContent

SUITE = World().suite


# A dishonest member


CONTENTS: dict[str, AnyContent] = {
    "application": ApplicationData(b"hello"),
    "proposal": Remove(1),
    "commit": Commit((), None),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_content_that_ends_too_early(kind: str) -> None:
    world = World.of("alice", "bob")
    alice = world.states["alice"]
    message = signed(alice, CONTENTS[kind], wire_format=WireFormat.PRIVATE_MESSAGE)
    for length in (0, 1, 5, 40):

        def cut(plaintext: bytes, end: int = length) -> bytes:
            return plaintext[:end]

        with pytest.raises(DecodeError, match="truncated"):
            world.process("bob", private(alice, message, plaintext=cut))
    talk(world)


def test_a_member_who_was_not_told_a_key_above_it() -> None:
    world = World.of("alice", "bob", "carol", "dave")
    world.commit("carol")
    state = world.states["dave"]
    assert {node for node, _ in state.private_tree.items()} == {6, 5, 3}
    world.states["dave"] = replace(
        state, private_tree=PrivateTree(state.own_leaf, {NodeIndex(6): state.private_tree.leaf_key})
    )
    made = commit(world.states["alice"], world.environment, now=world.now)
    world.process("bob", made.output.message)
    with refused(rules.PATH_SECRET_DECRYPTS):
        world.process("dave", made.output.message)


# A caller who asks for what cannot be


def test_a_group_of_a_later_version_is_not_made() -> None:
    world = World.of("alice", "bob")
    world.commit("alice", ReInit(b"next", MLS10 + 1, 1, ()))
    with pytest.raises(UsageError, match="protocol version 2"):
        reinitialize(
            world.states["alice"], world.client("alice"), world.environment, [], lifetime=LIFETIME, now=world.now
        )


# The engine itself


def a_proposal(world: World) -> AuthenticatedContent:
    return signed(world.states["alice"], Remove(1))


def test_only_verification_says_that_something_is_verified() -> None:
    world = World.of("alice", "bob")
    state, message = world.states["bob"], a_proposal(World.of("alice", "bob"))
    assert verify(message, state.public.tree, state.public.context).message == message
    with pytest.raises(InternalError, match="only verification"):
        VerifiedContent(message, object())


def test_only_commits_are_followed() -> None:
    world = World.of("alice", "bob")
    state = world.states["bob"]
    verified = verify(a_proposal(world), state.public.tree, state.public.context)
    with pytest.raises(InternalError, match="something else than a Commit"):
        apply_commit(state, world.environment, verified, world.now)


def test_only_members_and_joiners_commit() -> None:
    world = World.of("alice", "bob")
    state = world.states["bob"]
    made = join_externally(world.client("carol"), world.environment, group_info(world.states["alice"]))
    message = made.output.message.message
    assert isinstance(message, PublicMessage)
    framed = message.content.replace(sender=External(0))
    verified = VerifiedContent(AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, framed, b"", b"tag"), _VERIFIED)
    with pytest.raises(InternalError, match="verified for External"):
        apply_commit(state, world.environment, verified, world.now)


def protect_as(state: GroupState, world: World, message: AuthenticatedContent) -> None:
    secret = state.epoch_secrets.sender_data_secret
    protect_private(message, state.messages, secret, padding=no_padding, random=world.environment.random)


def test_only_members_encrypt() -> None:
    world = World.of("alice", "bob")
    state = world.states["alice"]
    framed = FramedContent(state.group_id, state.epoch, External(0), b"", Remove(1))
    with pytest.raises(UsageError, match="only members"):
        protect_as(state, world, AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, framed, b"", None))


def test_no_commit_is_sent_without_its_confirmation() -> None:
    world = World.of("alice", "bob")
    message = signed(world.states["alice"], Commit((), None), wire_format=WireFormat.PRIVATE_MESSAGE)
    with pytest.raises(InternalError, match="no confirmation tag"):
        protect_as(world.states["alice"], world, message.replace(confirmation_tag=None))


def test_a_state_whose_leaf_is_not_in_its_tree() -> None:
    world = World.of("alice", "bob")
    state = world.states["alice"]
    elsewhere = PrivateTree(LeafIndex(5), {})
    lost = replace(state, private_tree=elsewhere)
    with pytest.raises(InternalError, match="own leaf"):
        commit(lost, world.environment, now=world.now)
    with pytest.raises(InternalError, match="own leaf"):
        propose_update(lost, world.environment, leaf_changes=LeafChanges())


def test_a_secret_tree_of_the_wrong_depth() -> None:
    secret = Secret(bytes(32))
    ratchets = LeafRatchets(Ratchet(0, secret), Ratchet(0, secret))
    for tree, message in (
        (SecretTree(SUITE, 2, ratchets), "deeper"),
        (SecretTree(SUITE, 1, (secret, secret)), "shallower"),
    ):
        with pytest.raises(InternalError, match=message):
            tree.next_key(LeafIndex(0), ContentType.APPLICATION)
        with pytest.raises(InternalError, match=message):
            tree.key_for(LeafIndex(0), ContentType.APPLICATION, 0, RatchetLimits())
