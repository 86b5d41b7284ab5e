"""Coming in: by a Welcome or from outside, with whatever is at hand, and what is said where something is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.crypto.secret import Secret
from mls.errors import DecodeError, MissingError, UsageError
from mls.group.committing import CommitOptions, commit
from mls.group.creation import Client, create_group, create_key_package, lifetime_of_days
from mls.group.environment import Limits
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import leave, propose, propose_update
from mls.group.received import Joined
from mls.registry import ExtensionType, ResumptionPSKUsage, WireFormat
from mls.wire.extensions import Extension
from mls.wire.leaf_node import Lifetime
from mls.wire.proposals import Add, PreSharedKey, Remove
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK
from tests.mls.journey import post, say, talk
from tests.mls.rules.support import refused
from tests.mls.world import GROUP_ID, LIFETIME, World

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

NO_TREE = CommitOptions(welcome_with_tree=False)


def invite(
    world: World, *bundles: KeyPackageBundle, more: tuple[AnyProposal, ...] = (), options: CommitOptions | None = None
) -> MLSMessage:
    """Let alice add these and put it into effect; returns the Welcome."""
    proposals = [*(Add(bundle.key_package) for bundle in bundles), *more]
    made = commit(
        world.states["alice"],
        world.environment,
        now=world.now,
        proposals=proposals,
        options=options or CommitOptions(),
    )
    output = world.adopt("alice", made)
    world.deliver(output.message)
    assert output.pending.welcome is not None
    return output.pending.welcome


# By a Welcome


def test_joining_says_when_and_by_whom() -> None:
    world = World.of("alice", "bob", "carol")
    world.add("carol", "dave")
    bundle = world.key_package("erin")
    transition = join(world.environment, invite(world, bundle), [bundle])
    assert transition.output == Joined(3, world.states["alice"].own_leaf)
    assert (transition.state.epoch, transition.state.own_leaf, transition.state.revision) == (3, 4, 0)
    assert transition.spent == (bundle.init_key.secret, bundle.encryption_key.secret)


def test_the_right_one_of_several_key_packages_is_used() -> None:
    world = World.of("alice")
    bundles = [world.key_package("bob") for _ in range(4)]
    welcome = invite(world, bundles[2])
    world.adopt("bob", join(world.environment, welcome.encode(), iter(bundles)))
    assert [bundle.init_key.secret.is_wiped for bundle in bundles] == [False, False, True, False]
    talk(world)


def test_one_welcome_serves_all_whom_a_commit_adds() -> None:
    world = World.of("alice")
    bundles = {name: world.key_package(name) for name in ("bob", "carol", "dave")}
    welcome = invite(world, *bundles.values())
    for name, bundle in bundles.items():
        world.adopt(name, join(world.environment, welcome, [bundle]))
    talk(world)


def test_a_welcome_for_others() -> None:
    world = World.of("alice")
    welcome = invite(world, world.key_package("bob"))
    for bundles in ([world.key_package("bob"), world.key_package("carol")], []):
        with refused(rules.WELCOME_IS_FOR_US):
            join(world.environment, welcome, bundles)


def test_a_key_package_is_used_once() -> None:
    world = World.of("alice")
    bundle = world.key_package("bob")
    welcome = invite(world, bundle)
    world.adopt("bob", join(world.environment, welcome, [bundle]))
    with pytest.raises(UsageError, match="wiped"):
        join(world.environment, welcome, [bundle])


def test_a_group_that_the_client_is_in_already() -> None:
    world = World.of("alice")
    bundle = world.key_package("bob")
    welcome = invite(world, bundle)
    with refused(rules.GROUP_ID_IS_NEW):
        join(world.environment, welcome, [bundle], groups={b"another", GROUP_ID})
    join(world.environment, welcome, [bundle], groups={b"another"})


def test_what_is_not_a_welcome() -> None:
    world = World.of("alice", "bob")
    with pytest.raises(UsageError, match="a PrivateMessage is not a Welcome"):
        join(world.environment, say(world, "alice").encode(), [])
    with pytest.raises(UsageError, match="a GroupInfo is not a Welcome"):
        join(world.environment, group_info(world.states["alice"]), [])
    with pytest.raises(DecodeError):
        join(world.environment, b"nothing at all", [])
    with pytest.raises(UsageError, match="a Welcome is not a message within a group"):
        world.process("bob", invite(world, world.key_package("carol")))


def test_nothing_over_the_limit_is_decoded() -> None:
    world = World.of("alice", "bob")
    bundle = world.key_package("carol")
    welcome, message = invite(world, bundle).encode(), say(world, "alice").encode()
    info = group_info(world.states["alice"]).encode()
    world.set(limits=Limits(max_message=len(message)))
    world.process("bob", message)
    with pytest.raises(DecodeError, match="over the limit"):
        join(world.environment, welcome, [bundle])
    with pytest.raises(DecodeError, match="over the limit"):
        join_externally(world.client("dave"), world.environment, info)


def test_no_larger_group_than_the_limit_is_joined() -> None:
    world = World.of("alice", "bob", "carol", "dave")
    bundle = world.key_package("erin")
    welcome = invite(world, bundle)
    world.set(limits=Limits(max_members=4))
    with refused(rules.TREE_IS_WITHIN_LIMITS):
        join(world.environment, welcome, [bundle])
    world.set(limits=Limits(max_members=5))
    join(world.environment, welcome, [bundle])


def test_with_a_path_a_new_member_knows_the_keys_above_it() -> None:
    for with_path, nodes in ((True, {6, 3}), (False, {6})):
        world = World.of("alice", "bob", "carol")
        bundle = world.key_package("dave")
        welcome = invite(world, bundle, options=CommitOptions(with_path=with_path))
        state = join(world.environment, welcome, [bundle]).state
        assert {node for node, _ in state.private_tree.items()} == nodes
        world.states["dave"] = state
        talk(world)


# The tree


def test_the_tree_may_be_given_beside_the_welcome() -> None:
    world = World.of("alice", "bob")
    bundle = world.key_package("carol")
    before = world.states["alice"].public.tree.to_extension()
    welcome = invite(world, bundle, options=NO_TREE)
    with refused(rules.TREE_IS_AVAILABLE):
        join(world.environment, welcome, [bundle])
    with refused(rules.TREE_HASH_MATCHES):
        join(world.environment, welcome, [bundle], tree=before)
    tree = world.states["bob"].public.tree.to_extension()
    world.adopt("carol", join(world.environment, welcome, [bundle], tree=tree))
    talk(world)


def test_the_tree_inside_comes_before_the_one_beside() -> None:
    world = World.of("alice", "bob")
    bundle = world.key_package("carol")
    other = World.of("eve").states["eve"].public.tree.to_extension()
    welcome = invite(world, bundle)
    world.adopt("carol", join(world.environment, welcome, [bundle], tree=other))
    talk(world)
    info = group_info(world.states["alice"])
    made = join_externally(world.client("dave"), world.environment, info, tree=other)
    world.deliver(made.output.message)


# Pre-shared keys


def test_joining_with_psks() -> None:
    world = World.of("alice", "bob")
    nonce = bytes(world.suite.Nh)
    psks = [
        PreSharedKey(PreSharedKeyID(ExternalPSK(b"password"), nonce)),
        PreSharedKey(PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.APPLICATION, b"another", 3), nonce)),
        PreSharedKey(PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.APPLICATION, GROUP_ID, 1), nonce)),
    ]
    another, own = Secret(b"of another group"), world.states["bob"].epoch_secrets.resumption_psk
    environment = world.environment
    world.set(
        psks={b"password": Secret(b"friend")},
        resumption_keys=lambda group_id, epoch: another if (group_id, epoch) == (b"another", 3) else None,
    )
    bundle = world.key_package("carol")
    welcome = invite(world, bundle, more=tuple(psks))
    for missing in (
        environment,
        replace(world.environment, psks={}),
        replace(world.environment, resumption_keys=environment.resumption_keys),
        world.environment,  # whoever was not in epoch 1 of this group does not have its key
    ):
        with pytest.raises(MissingError) as caught:
            join(missing, welcome, [bundle])
        assert caught.value.rule is rules.PSK_IS_AVAILABLE
    everything = replace(
        world.environment, resumption_keys=lambda group_id, _: another if group_id == b"another" else own
    )
    with refused(rules.GROUP_INFO_DECRYPTS):
        join(replace(everything, psks={b"password": Secret(b"foe")}), welcome, [bundle])
    world.adopt("carol", join(everything, welcome, [bundle]))
    talk(world)


def test_whoever_was_a_member_knows_the_resumption_psks_of_then() -> None:
    world = World.of("alice", "bob")
    old = world.states["bob"]
    world.commit("alice", Remove(1))
    world.states.pop("bob")
    bundle = world.key_package("bob")
    psk = PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.APPLICATION, GROUP_ID, 1), bytes(32))
    welcome = invite(world, bundle, more=(PreSharedKey(psk),))
    with refused(rules.PSK_IS_AVAILABLE):
        join(world.environment, welcome, [bundle])
    old = replace(old, resumption_keys=world.states["alice"].resumption_keys)
    world.adopt("bob", join(world.environment, welcome, [bundle], previous=old))
    talk(world)


# From outside


def test_what_one_cannot_join_with() -> None:
    world = World.of("alice", "bob")
    state, dave = world.states["alice"], world.client("dave")
    with pytest.raises(UsageError, match="a PrivateMessage is not a GroupInfo"):
        join_externally(dave, world.environment, say(world, "alice").encode())
    with refused(rules.EXTERNAL_PUB_IS_AVAILABLE):
        join_externally(dave, world.environment, group_info(state, external_join=False))
    with refused(rules.TREE_IS_AVAILABLE):
        join_externally(dave, world.environment, group_info(state, with_tree=False))
    with refused(rules.GROUP_INFO_SUITE_MATCHES):
        join_externally(World(2).client("dave"), world.environment, group_info(state))
    with refused(rules.PSK_IS_AVAILABLE):
        psk = PreSharedKeyID(ExternalPSK(b"unknown"), bytes(32))
        join_externally(dave, world.environment, group_info(state), psks=[psk])


def test_a_group_info_may_say_more() -> None:
    world = World.of("alice", "bob")
    more = Extension(0xF001, b"whatever")
    info = group_info(world.states["alice"], extensions=(more,))
    made = join_externally(world.client("carol"), world.environment, info.encode(), authenticated_data=b"knock")
    assert made.output.committed.authenticated_data == b"knock"
    assert (made.output.committed.is_own, made.output.committed.epoch) == (True, made.state.epoch)
    world.deliver(made.output.message.encode())
    world.adopt("carol", made)
    talk(world)


def test_only_self_removes_of_the_epoch_go_into_an_external_commit() -> None:
    world = World.of("alice", "bob", "carol")
    dave, env, info = world.client("dave"), world.environment, group_info(world.states["alice"])
    farewell = leave(world.states["bob"], env).output
    removal = propose(world.states["bob"], env, Remove(2), wire_format=WireFormat.PUBLIC_MESSAGE).output
    update = propose_update(world.states["bob"], env, leaf_changes=LeafChanges()).output
    for message in (removal, update, info):
        with pytest.raises(UsageError, match="only SelfRemove"):
            join_externally(dave, env, info, self_removes=[message])
    elsewhere = create_group(world.client("bob"), env, group_id=b"elsewhere", lifetime=LIFETIME).state
    with refused(rules.GROUP_ID_MATCHES):
        join_externally(dave, env, info, self_removes=[leave(elsewhere, env).output])
    made = join_externally(dave, env, info, self_removes=[farewell.encode()])
    assert [change.index for change in made.output.committed.changes] == [1, 1]
    world.commit("alice")
    with refused(rules.PROPOSAL_EPOCH_IS_CURRENT):
        join_externally(dave, env, group_info(world.states["alice"]), self_removes=[farewell])


def test_members_must_have_the_self_remove_too() -> None:
    world = World.of("alice", "bob", "carol")
    farewell = leave(world.states["bob"], world.environment).output
    world.process("alice", farewell)
    made = join_externally(
        world.client("dave"), world.environment, group_info(world.states["alice"]), self_removes=[farewell]
    )
    with refused(rules.PROPOSAL_IS_KNOWN):
        world.process("carol", made.output.message)
    world.process("alice", made.output.message)


def test_an_external_commit_that_was_not_accepted_is_nothing() -> None:
    world = World.of("alice", "bob")
    info = group_info(world.states["alice"])
    first, second = (join_externally(world.client(name), world.environment, info) for name in ("carol", "dave"))
    world.deliver(first.output.message)
    for name in ("alice", "bob"):
        with refused(rules.COMMIT_EPOCH_IS_CURRENT):
            world.process(name, second.output.message)
    world.adopt("carol", first)
    talk(world)


# Beginnings


def test_lifetimes() -> None:
    assert lifetime_of_days(1, now=10_000) == Lifetime(6_400, 96_400)
    assert lifetime_of_days(0, now=100) == Lifetime(0, 100)


def test_whoever_is_added_must_be_within_its_lifetime_for_the_one_who_adds() -> None:
    world = World.of("alice", "bob")
    bundle = create_key_package(world.client("carol"), world.environment, lifetime=Lifetime(world.now, world.now + 9))
    state, proposals = world.states["alice"], [Add(bundle.key_package)]
    for later in (-1, 10):
        with refused(rules.LIFETIME_IS_CURRENT):
            commit(state, world.environment, now=world.now + later, proposals=proposals)
    commit(state, world.environment, now=world.now, proposals=proposals)
    made = commit(state, world.environment, now=world.now + 9, proposals=proposals)
    world.now += 10**9
    world.process("bob", made.output.message)  # validity does not depend on the receiver's clock


def test_a_new_group_is_its_creators_alone() -> None:
    world = World()
    client = Client.basic(b"alice", world.environment.random)
    state = create_group(client, world.environment, group_id=b"new", lifetime=LIFETIME).state
    assert (state.epoch, state.own_leaf, state.group_id) == (0, 0, b"new")
    assert [leaf.credential for _, leaf in state.members()] == [client.credential]
    assert repr(state) == "<GroupState of 6e6577: epoch 0, active, leaf 0 of 1 members, revision 0>"
    with refused(rules.NEW_GROUP_EXTENSIONS_ARE_SUPPORTED):
        extensions = (Extension(0xF001, b""),)
        create_group(client, world.environment, group_id=b"new", lifetime=LIFETIME, extensions=extensions)


def test_a_key_package_as_it_is_published() -> None:
    world = World(3)
    ordinary, last = world.key_package("alice"), world.key_package("alice", is_last_resort=True)
    assert (ordinary.key_package.is_last_resort, last.key_package.is_last_resort) == (False, True)
    assert last.key_package.extensions == (Extension(ExtensionType.LAST_RESORT, b""),)
    assert ordinary.suite is world.suite
    assert ordinary.reference == world.suite.key_package_ref(ordinary.key_package.encode()) != last.reference
    assert ordinary.message.message == ordinary.key_package


def test_new_members_hear_nothing_of_before() -> None:
    world = World.of("alice", "bob")
    before = say(world, "alice")
    post(world, "alice", Add(world.key_package("dave").key_package))
    world.add("bob", "carol")
    assert world.states["carol"].proposals == ()
    with refused(rules.EPOCH_IS_HELD):
        world.process("carol", before)
