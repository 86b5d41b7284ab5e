"""Members come, change their keys, and go: in every cipher suite, with each way to send a handshake."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls.crypto.secret import Secret
from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES
from mls.errors import WrongEpochError
from mls.group.committing import commit
from mls.group.creation import default_capabilities
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import leave, new_member_proposal, propose_update
from mls.group.processing import process
from mls.group.received import Committed, MemberAdded, MemberRemoved, MemberUpdated, ProposalReceived
from mls.group.state import Status
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import ApplicationId, Extension, pack_extension
from mls.wire.framing import Member, NewMemberCommit, NewMemberProposal
from mls.wire.leaf_node import CommitSource, UpdateSource
from mls.wire.proposals import Add, Remove, SelfRemove
from mls.wire.psk import ExternalPSK, PreSharedKeyID
from tests.mls.journey import come_from_outside, live, post, talk
from tests.mls.variants import Variant, in_all_variants
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.group.received import Received

PRIVATE_USE = 0xF0AA
"""An extension type that is an application's own."""


def committed(received: dict[str, Received], name: str) -> Committed:
    """Return what a Commit was for one member."""
    found = received[name]
    assert isinstance(found, Committed)
    return found


@pytest.mark.parametrize("suite", sorted(CIPHER_SUITES | EXPERIMENTAL_CIPHER_SUITES))
def test_a_whole_life(suite: int) -> None:
    world = World(suite)
    live(world)
    assert {name: state.status for name, state in world.states.items()} == {
        "alice": Status.REINITIALIZED,
        "bob": Status.REINITIALIZED,
        "grace": Status.REMOVED,
    }


# Coming in


@in_all_variants
def test_add(variant: Variant) -> None:
    world = variant.world("alice")
    world.add("alice", "bob", options=variant.options)
    assert (world.states["bob"].epoch, world.leaf("bob")) == (1, 1)
    talk(world)
    world.add("bob", "carol", options=variant.options)
    assert [leaf.credential for _, leaf in world.states["carol"].members()] == [
        BasicCredential(name) for name in (b"alice", b"bob", b"carol")
    ]
    talk(world)


@in_all_variants
def test_add_several_in_one_commit(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol", "dave", "erin")
    talk(world)
    world.add("erin", "frank", "grace", "heidi", "ivan", options=variant.options)
    assert {world.leaf(name) for name in world.states} == set(range(9))
    talk(world)


@in_all_variants
def test_add_that_another_proposed(variant: Variant) -> None:
    world = variant.world("alice", "bob")
    bundles = [(name, world.key_package(name)) for name in ("carol", "dave")]
    for (_, bundle), by in zip(bundles, ("bob", "alice"), strict=True):
        post(world, by, Add(bundle.key_package), wire_format=variant.wire_format)
    received = world.commit("alice", joiners=bundles, options=variant.options)
    added = [change for change in committed(received, "bob").changes if isinstance(change, MemberAdded)]
    assert [change.index for change in added] == [world.leaf("carol"), world.leaf("dave")] == [2, 3]
    assert [item.sender for item in committed(received, "bob").proposals] == [Member(1), Member(0)]
    talk(world)


@in_all_variants
def test_new_members_take_the_leftmost_places(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol", "dave", "erin")
    world.commit("erin", Remove(world.leaf("bob")), Remove(world.leaf("carol")), options=variant.options)
    del world.states["bob"], world.states["carol"]
    world.add("alice", "frank", "grace", "heidi", options=variant.options)
    assert [world.leaf(name) for name in ("frank", "grace", "heidi")] == [1, 2, 5]
    talk(world)


@in_all_variants
def test_new_member_proposal(variant: Variant) -> None:
    world = variant.world("alice", "bob")
    bundle = world.key_package("carol")
    message = new_member_proposal(
        world.states["alice"].public.context,
        bundle.signature_key,
        bundle.key_package,
        authenticated_data=b"please",
        experimental=True,
    )
    for received in world.deliver(message).values():
        assert isinstance(received, ProposalReceived)
        assert (received.proposed.sender, received.authenticated_data) == (NewMemberProposal(), b"please")
    world.commit("bob", joiners=[("carol", bundle)], options=variant.options)
    talk(world)


@in_all_variants
def test_external_join(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol")
    come_from_outside(world, "dave", "bob", with_tree=variant.with_tree)
    come_from_outside(world, "erin", "dave", with_tree=variant.with_tree)
    assert (world.leaf("dave"), world.leaf("erin"), world.states["alice"].epoch) == (3, 4, 3)
    talk(world)
    world.commit("alice", options=variant.options)
    talk(world)


@in_all_variants
def test_external_join_with_a_psk(variant: Variant) -> None:
    world = variant.world("alice", "bob")
    world.set(psks={b"password": Secret(b"friend")})
    psk = PreSharedKeyID(ExternalPSK(b"password"), bytes(world.suite.Nh))
    come_from_outside(world, "carol", "alice", psks=[psk], with_tree=variant.with_tree)
    talk(world)


@in_all_variants
@pytest.mark.parametrize("with_new_key", [False, True], ids=["same key", "new key"])
def test_resync(variant: Variant, with_new_key: bool) -> None:  # noqa: FBT001 - a parameter
    world = variant.world("alice", "bob", "carol")
    client = world.client("bob")
    if with_new_key:
        client = replace(client, signature_key=world.suite.generate_signature_key(world.environment.random))
    lost = world.states["bob"]
    come_from_outside(world, "bob", "alice", client=client, replaces=lost.own_leaf, with_tree=variant.with_tree)
    assert (world.leaf("bob"), world.states["bob"].public.tree.member_count) == (lost.own_leaf, 3)
    talk(world)


@in_all_variants
def test_resync_is_seen_by_all(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol")
    place, before = world.states["bob"].own_leaf, world.states["carol"].public.tree.leaf(world.leaf("bob"))
    received = come_from_outside(world, "bob", "alice", replaces=place)
    after = world.states["carol"].public.tree.leaf(world.states["bob"].own_leaf)
    assert before is not None
    assert after is not None
    for name, removed_us in {"alice": False, "bob": True, "carol": False}.items():
        found = committed(received, name)
        assert (found.committer, found.removed_us) == (NewMemberCommit(), removed_us)
        assert found.changes == (MemberRemoved(place, before), MemberAdded(place, after))


# Changing one's keys


@in_all_variants
def test_update_by_proposal(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol")
    old = world.states["bob"]
    made = propose_update(
        old, world.environment, leaf_changes=LeafChanges(), wire_format=variant.wire_format, authenticated_data=b"!"
    )
    world.deliver(world.adopt("bob", made))
    received = world.commit("carol", options=variant.options)
    before, after = old.public.tree.leaf(1), world.states["bob"].public.tree.leaf(1)
    assert before is not None
    assert after is not None
    assert committed(received, "alice").changes[0] == MemberUpdated(world.states["bob"].own_leaf, before, after)
    assert after == before.replace(
        encryption_key=after.encryption_key, leaf_node_source=UpdateSource(), signature=after.signature
    )
    assert world.states["bob"].private_tree.leaf_key.public_key == after.encryption_key != before.encryption_key
    talk(world)


@in_all_variants
def test_update_by_the_first_leaf(variant: Variant) -> None:
    world = variant.world("alice", "bob")
    made = propose_update(
        world.states["alice"], world.environment, leaf_changes=LeafChanges(), wire_format=variant.wire_format
    )
    world.deliver(world.adopt("alice", made))
    received = world.commit("bob", options=variant.options)
    assert isinstance(committed(received, "alice").changes[0], MemberUpdated)
    talk(world)


@in_all_variants
def test_commit_without_proposals_changes_the_committers_keys(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol")
    for name in ("alice", "bob", "carol"):
        before = world.states[name].public.tree.leaf(world.states[name].own_leaf)
        received = world.commit(name, options=variant.options)
        after = world.states["alice"].public.tree.leaf(world.states[name].own_leaf)
        assert before is not None
        assert after is not None
        for other, found in received.items():
            assert isinstance(found, Committed)
            assert (found.is_own, found.proposals) == (other == name, ())
            assert found.changes == (MemberUpdated(world.states[name].own_leaf, before, after),)
        assert isinstance(after.leaf_node_source, CommitSource)
        assert before.encryption_key != after.encryption_key
    talk(world)


@in_all_variants
@pytest.mark.parametrize("by_proposal", [False, True], ids=["commit", "update"])
def test_everything_in_a_leaf_can_change(variant: Variant, by_proposal: bool) -> None:  # noqa: FBT001 - a parameter
    world = variant.world("alice", "bob", "carol")
    changes = LeafChanges(
        signature_key=world.suite.generate_signature_key(world.environment.random),
        credential=BasicCredential(b"robert"),
        capabilities=default_capabilities([variant.suite], extensions=[PRIVATE_USE]),
        extensions=(Extension(PRIVATE_USE, b"data"), pack_extension(ApplicationId(b"app"))),
    )
    if by_proposal:
        made = propose_update(
            world.states["bob"], world.environment, leaf_changes=changes, wire_format=variant.wire_format
        )
        world.deliver(world.adopt("bob", made))
        world.commit("alice", options=variant.options)
    else:
        world.commit("bob", options=replace(variant.options, with_path=True, leaf_changes=changes))
    leaf = world.states["alice"].public.tree.leaf(1)
    assert leaf is not None
    assert (leaf.credential, leaf.capabilities, leaf.extensions) == (
        changes.credential,
        changes.capabilities,
        changes.extensions,
    )
    assert changes.signature_key is not None
    assert leaf.signature_key == world.states["bob"].signature_key.public_key == changes.signature_key.public_key
    talk(world)
    world.add("bob", "dave", options=variant.options)  # the GroupInfo, too, is signed with the new key
    talk(world)


# Going


@in_all_variants
def test_remove(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol", "dave", "erin")
    assert world.states["alice"].public.tree.leaf_count == 8
    received = world.commit("bob", Remove(world.leaf("dave")), Remove(world.leaf("erin")), options=variant.options)
    gone = [change.index for change in committed(received, "carol").changes if isinstance(change, MemberRemoved)]
    assert gone == [3, 4]
    for name in ("dave", "erin"):
        assert committed(received, name).removed_us
        assert world.states.pop(name).status is Status.REMOVED
    assert world.states["alice"].public.tree.leaf_count == 4
    talk(world)


@in_all_variants
def test_remove_that_another_proposed(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol")
    post(world, "alice", Remove(world.leaf("bob")), wire_format=variant.wire_format)
    received = world.commit("carol", options=variant.options)
    assert committed(received, "bob").removed_us
    assert not committed(received, "alice").removed_us
    gone = world.states.pop("bob")
    later = world.commit("alice", options=variant.options)
    assert committed(later, "carol").epoch == gone.epoch + 2
    talk(world)


@in_all_variants
def test_whoever_was_removed_cannot_follow(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol")
    world.commit("alice", Remove(world.leaf("bob")), options=variant.options)
    gone = world.states.pop("bob")
    following = commit(world.states["alice"], world.environment, now=world.now, options=variant.options)
    with pytest.raises(WrongEpochError):
        process(gone, world.environment, following.output.message.encode(), now=world.now)


@in_all_variants
def test_leave(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol")
    message = world.adopt("bob", leave(world.states["bob"], world.environment, authenticated_data=b"bye"))
    world.deliver(message)
    received = world.commit("carol", options=variant.options)
    assert committed(received, "bob").removed_us
    (proposal,) = committed(received, "alice").proposals
    assert (proposal.proposal, proposal.sender) == (SelfRemove(), Member(1))
    del world.states["bob"]
    talk(world)


@in_all_variants
def test_leave_where_a_member_does_not_know_self_remove(variant: Variant) -> None:
    world = variant.world("alice", "bob")
    capabilities = default_capabilities([variant.suite]).replace(proposals=())
    world.clients["carol"] = replace(world.client("carol"), capabilities=capabilities)
    world.add("alice", "carol", options=variant.options)
    world.deliver(world.adopt("bob", leave(world.states["bob"], world.environment)))
    assert world.states["carol"].proposals[0].proposal == Remove(world.leaf("bob"))
    received = world.commit("carol", options=variant.options)
    assert committed(received, "bob").removed_us
    del world.states["bob"]
    talk(world)


@in_all_variants
def test_external_join_takes_in_those_who_leave(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol", "dave")
    farewells = [world.adopt(name, leave(world.states[name], world.environment)) for name in ("bob", "carol")]
    for message in farewells:
        world.deliver(message)
    come_from_outside(world, "erin", "dave", self_removes=farewells, with_tree=variant.with_tree)
    assert [world.states.pop(name).status for name in ("bob", "carol")] == [Status.REMOVED] * 2
    assert world.leaf("erin") == 1
    talk(world)
