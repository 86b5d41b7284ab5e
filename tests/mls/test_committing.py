"""Commits as values: pending, racing, winning and losing; and the application's own say in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.crypto.secret import Secret
from mls.errors import UsageError, ValidationError
from mls.group.committing import CommitOptions, commit
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.membership import add, remove
from mls.group.messaging import export, leave
from mls.group.processing import process
from mls.group.received import Committed, MemberAdded, MemberRemoved
from mls.group.state import Status
from mls.registry import MLS10, WireFormat
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import Extension, RequiredCapabilities, pack_extension
from mls.wire.framing import Member, NewMemberCommit
from mls.wire.proposals import Add, GroupContextExtensions, PreSharedKey, ReInit, Remove
from mls.wire.psk import ExternalPSK, PreSharedKeyID
from tests.mls.journey import come_from_outside, post, say, talk
from tests.mls.rules.support import refused
from tests.mls.world import World, fingerprint

if TYPE_CHECKING:
    from mls.group.committing import CommitOutput
    from mls.group.environment import ProposalList
    from mls.wire.key_package import KeyPackage
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

FORMATS = (WireFormat.PRIVATE_MESSAGE, WireFormat.PUBLIC_MESSAGE)


def prepare(world: World, name: str, *proposals: AnyProposal, options: CommitOptions | None = None) -> CommitOutput:
    """Let a member make a Commit; nobody has heard of it yet."""
    made = commit(
        world.states[name], world.environment, now=world.now, proposals=proposals, options=options or CommitOptions()
    )
    return world.adopt(name, made)


# Pending Commits are values


def test_a_commit_leaves_its_input_as_it_was() -> None:
    world = World.of("alice", "bob", "carol")
    world.set(psks={b"psk": Secret(b"x")})
    post(world, "bob", PreSharedKey(PreSharedKeyID(ExternalPSK(b"psk"), bytes(32))))
    bundle = world.key_package("dave")
    state = world.states["alice"]
    for wire_format in FORMATS:
        before = fingerprint(state)
        made = commit(
            state,
            world.environment,
            now=world.now,
            proposals=[Add(bundle.key_package), Remove(2)],
            options=CommitOptions(wire_format=wire_format),
        )
        assert fingerprint(state) == before
        assert (made.state.epoch, made.state.public) == (state.epoch, state.public)
        assert made.state.pending == (*state.pending, made.output.pending)


def test_the_epoch_begins_when_the_message_comes_back() -> None:
    for as_bytes in (True, False):
        world = World.of("alice", "bob")
        output = prepare(world, "alice")
        assert world.states["alice"].epoch == 1
        message = output.message.encode() if as_bytes else output.message
        received = process(world.states["alice"], world.environment, message, now=world.now)
        assert isinstance(received.output, Committed)
        assert (received.output.is_own, received.output.epoch, received.state.epoch) == (True, 2, 2)
        assert received.output == output.pending.next_epoch.committed


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_any_of_several_pending_commits_can_win(winner: int) -> None:
    world = World.of("alice", "bob", "carol")
    bundle = world.key_package("dave")
    outputs = [
        prepare(world, "alice", Remove(2), options=CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE)),
        prepare(world, "alice", Add(bundle.key_package)),
        prepare(world, "alice"),
    ]
    before = world.states["alice"]
    assert len(before.pending) == 3
    others = [output for number, output in enumerate(outputs) if number != winner]
    received = world.deliver(outputs[winner].message)["alice"]
    assert isinstance(received, Committed)
    assert received.is_own
    assert not world.states["alice"].pending
    assert all(secret.is_wiped for output in others for secret in output.pending.next_epoch.epoch_secrets.all())
    for output in others:
        for name in ("alice", "bob"):
            with refused(rules.COMMIT_EPOCH_IS_CURRENT):
                world.process(name, output.message)
    if winner == 0:
        assert world.states.pop("carol").status is Status.REMOVED
    talk(world)


def test_between_commits_of_two_members_the_first_in_order_wins() -> None:
    for winner, loser in (("alice", "bob"), ("bob", "alice")):
        world = World.of("alice", "bob", "carol")
        outputs = {name: prepare(world, name) for name in (winner, loser)}
        fallen = list(outputs[loser].pending.next_epoch.epoch_secrets.all())
        world.deliver(outputs[winner].message)
        assert all(state.epoch == 2 and not state.pending for state in world.states.values())
        assert all(secret.is_wiped for secret in fallen)
        for name in world.states:
            with refused(rules.COMMIT_EPOCH_IS_CURRENT):
                world.process(name, outputs[loser].message)
        talk(world)
        world.commit(loser)
        talk(world)


def test_messages_go_on_while_a_commit_is_pending() -> None:
    world = World.of("alice", "bob")
    output = prepare(world, "alice")
    talk(world)
    late = say(world, "bob", b"late")
    world.deliver(output.message)
    talk(world)
    world.process("alice", late)


def test_proposals_come_in_while_a_commit_is_pending() -> None:
    world = World.of("alice", "bob", "carol")
    output = prepare(world, "alice")
    post(world, "bob", Remove(2))
    world.deliver(output.message)
    assert not any(state.proposals for state in world.states.values()), "proposals do not outlive their epoch"
    talk(world)


def test_an_external_commit_beats_a_pending_one() -> None:
    world = World.of("alice", "bob")
    output = prepare(world, "alice")
    come_from_outside(world, "carol", "bob")
    assert not world.states["alice"].pending
    with refused(rules.EPOCH_IS_HELD):
        world.process("carol", output.message)
    talk(world)


def test_both_branches_of_a_fork_can_be_followed() -> None:
    world = World.of("alice", "bob", "carol")
    state = world.states["carol"]
    outputs = [commit(world.states[name], world.environment, now=world.now).output for name in ("alice", "bob")]
    branches = [process(state, world.environment, output.message, now=world.now).state for output in outputs]
    assert len({branch.epoch_authenticator for branch in branches}) == 2
    for branch, output in zip(branches, outputs, strict=True):
        authenticator = output.pending.next_epoch.epoch_secrets.epoch_authenticator
        assert branch.epoch_authenticator == authenticator.value


@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_commit_of_ones_own_that_is_not_pending_is_refused(wire_format: WireFormat) -> None:
    world = World.of("alice", "bob")
    state = world.states["alice"]
    made = commit(state, world.environment, now=world.now, options=CommitOptions(wire_format=wire_format))
    others = commit(state, world.environment, now=world.now)
    for before in (state, others.state):
        with refused(rules.OWN_COMMIT_IS_PENDING):
            process(before, world.environment, made.output.message, now=world.now)


# How it is sent


def test_options() -> None:
    world = World.of("alice", "bob")
    bundle = world.key_package("carol")
    more = Extension(0xF001, b"beside")
    options = CommitOptions(authenticated_data=b"why", external_join=True, group_info_extensions=(more,))
    output = prepare(world, "alice", Add(bundle.key_package), options=options)
    for received in world.deliver(output.message).values():
        assert isinstance(received, Committed)
        assert received.authenticated_data == b"why"
        assert (received.welcome is None) == (not received.is_own)
    assert output.pending.welcome is not None
    world.adopt("carol", join(world.environment, output.pending.welcome, [bundle]))
    talk(world)


def test_a_leaf_changes_by_a_path_alone() -> None:
    world = World.of("alice", "bob")
    key = world.suite.generate_signature_key(world.environment.random)
    bundle = world.key_package("carol")
    options = CommitOptions(with_path=False, leaf_changes=LeafChanges(signature_key=key))
    with pytest.raises(UsageError, match="without a path"):
        prepare(world, "alice", Add(bundle.key_package), options=options)
    prepare(world, "alice", options=options)  # with no proposals there must be one


def test_who_is_added_is_a_member_of_a_commit_with_or_without_a_path() -> None:
    for with_path in (True, False):
        world = World.of("alice", "bob")
        state, bundle = world.states["alice"], world.key_package("carol")
        made = add(
            state,
            world.environment,
            [bundle.message.encode()],
            now=world.now,
            options=CommitOptions(with_path=with_path),
        )
        changes = made.output.pending.next_epoch.committed.changes
        assert changes[0] == MemberAdded(changes[0].index, bundle.key_package.leaf_node)
        assert len(changes) == 1 + with_path


def test_add_takes_key_packages_in_each_form() -> None:
    world = World.of("alice", "bob")
    bundles = [world.key_package(name) for name in ("carol", "dave", "erin")]
    forms: list[bytes | MLSMessage | KeyPackage] = [
        bundles[0].message.encode(),
        bundles[1].message,
        bundles[2].key_package,
    ]
    output = world.adopt("alice", add(world.states["alice"], world.environment, forms, now=world.now))
    world.deliver(output.message)
    assert world.states["bob"].public.tree.member_count == 5
    with pytest.raises(UsageError, match="a PrivateMessage is not a KeyPackage"):
        add(world.states["alice"], world.environment, [say(world, "alice")], now=world.now)


def test_remove_takes_leaves() -> None:
    world = World.of("alice", "bob", "carol")
    output = world.adopt("alice", remove(world.states["alice"], world.environment, [1, 2], now=world.now))
    received = world.deliver(output.message)["alice"]
    assert isinstance(received, Committed)
    assert [change.index for change in received.changes if isinstance(change, MemberRemoved)] == [1, 2]


def test_the_last_member_can_go_on_alone() -> None:
    world = World.of("alice", "bob")
    world.commit("alice", Remove(1))
    del world.states["bob"]
    assert world.states["alice"].public.tree.leaf_count == 1
    world.commit("alice")
    world.add("alice", "carol")
    talk(world)


def test_keys_that_others_have_are_refused() -> None:
    world = World.of("alice", "bob")
    key = world.client("bob").signature_key
    with refused(rules.SIGNATURE_KEY_IS_UNIQUE):
        prepare(world, "alice", options=CommitOptions(leaf_changes=LeafChanges(signature_key=key)))
    prepare(world, "alice", Remove(1), options=CommitOptions(leaf_changes=LeafChanges(signature_key=key)))


# The application's own rules


class Witness:
    """Rules that remember what they were shown, and refuse what they are told to."""

    def __init__(self, answer: str | None = None) -> None:
        self.answer = answer
        self.shown: list[ProposalList] = []

    def __call__(self, proposals: ProposalList) -> str | None:
        self.shown.append(proposals)
        return self.answer


def test_author_and_receivers_are_shown_the_same() -> None:
    world = World.of("alice", "bob", "carol")
    witness = Witness()
    world.set(proposal_rules=witness)
    extensions = (pack_extension(RequiredCapabilities((), (), (1,))),)
    reference = post(world, "carol", Remove(1))
    before = world.states["alice"].public
    options = CommitOptions(authenticated_data=b"why")
    world.commit("alice", GroupContextExtensions(extensions), options=options)
    author, bob, carol = witness.shown
    for seen in (author, bob, carol):
        assert isinstance(seen.tree, RatchetTree)
        assert (seen.context, seen.tree.tree_hash()) == (before.context, before.tree.tree_hash())
        assert (seen.committer, seen.authenticated_data) == (Member(0), b"why")
        assert [item.proposal for item in seen.proposals] == [GroupContextExtensions(extensions), Remove(1)]
        assert [(item.sender, item.reference) for item in seen.proposals] == [(Member(0), None), (Member(2), reference)]
        assert seen.extensions == extensions
        assert seen.path_leaf == world.states["carol"].public.tree.leaf(0)


def test_without_a_path_there_is_no_leaf_to_show() -> None:
    world = World.of("alice", "bob")
    witness = Witness()
    world.set(proposal_rules=witness)
    world.add("alice", "carol", options=CommitOptions(with_path=False))
    assert [seen.path_leaf for seen in witness.shown] == [None, None]
    assert [seen.extensions for seen in witness.shown] == [(), ()]


def test_external_commits_are_shown_with_the_joiners_leaf() -> None:
    world = World.of("alice", "bob")
    witness = Witness()
    world.set(proposal_rules=witness)
    come_from_outside(world, "carol", "alice")
    assert len(witness.shown) == 3
    for seen in witness.shown:
        assert (seen.committer, len(seen.proposals)) == (NewMemberCommit(), 1)
        assert seen.path_leaf is not None
        assert seen.path_leaf.credential == BasicCredential(b"carol")
        assert seen.context.epoch == 1


def test_rules_refuse_on_both_sides() -> None:
    world = World.of("alice", "bob")
    allowed = commit(world.states["alice"], world.environment, now=world.now).output
    info = group_info(world.states["alice"])
    outsider = join_externally(world.client("carol"), world.environment, info).output
    world.set(proposal_rules=Witness("not on a sunday"))
    with pytest.raises(ValidationError, match="not on a sunday"):
        commit(world.states["alice"], world.environment, now=world.now)
    with refused(rules.APPLICATION_RULES_HOLD):
        commit(world.states["alice"], world.environment, now=world.now)
    with refused(rules.APPLICATION_RULES_HOLD):
        join_externally(world.client("carol"), world.environment, info)
    for message in (allowed.message, outsider.message):
        with refused(rules.APPLICATION_RULES_HOLD):
            world.process("bob", message)


def test_rules_are_not_asked_about_ones_own_commit_again() -> None:
    world = World.of("alice", "bob")
    output = prepare(world, "alice")
    world.set(proposal_rules=Witness("too late"))
    assert isinstance(world.process("alice", output.message), Committed)


# What a Commit leads to


def test_a_reinit_closes_the_group_for_all() -> None:
    world = World.of("alice", "bob")
    other = prepare(world, "bob")
    reinit = ReInit(b"next", MLS10, 1, ())
    received = world.commit("alice", reinit)
    for name, found in received.items():
        assert isinstance(found, Committed)
        assert (found.reinit, world.states[name].reinit, world.states[name].pending) == (reinit, reinit, ())
    with refused(rules.COMMIT_EPOCH_IS_CURRENT):
        world.process("alice", other.message)


def test_exported_secrets_belong_to_the_epoch() -> None:
    world = World.of("alice", "bob", "carol")
    seen: set[bytes] = set()
    for _ in range(2):
        for label, context, length in (
            ("a", b"", 16),
            ("b", b"", 16),
            ("a", b"x", 16),
            ("a", b"", 32),
            ("a", b"", 300),
        ):
            (exported,) = {export(state, label, context, length) for state in world.states.values()}
            assert len(exported) == length
            seen.add(exported[:16])
        (authenticator,) = {state.epoch_authenticator for state in world.states.values()}
        seen.add(authenticator)
        world.commit("alice")
    assert len(seen) == 12


def test_whoever_leaves_waits_for_another() -> None:
    world = World.of("alice", "bob")
    world.deliver(world.adopt("bob", leave(world.states["bob"], world.environment)))
    received = world.commit("bob")["alice"]
    assert isinstance(received, Committed)
    assert received.proposals == (), "nobody commits its own removal"
    assert world.states["bob"].status is Status.ACTIVE
