"""What RFC 9420 asks of those who make Commits and groups, seen from what comes out. See test_duties.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.crypto.secret import Secret
from mls.errors import RuleError, UsageError
from mls.group.committing import CommitOptions, commit
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import (
    drop_proposals,
    external_proposal,
    leave,
    new_member_proposal,
    propose,
    propose_update,
    protect,
)
from mls.group.received import ApplicationMessage, Committed
from mls.group.state import Status
from mls.registry import MLS10, WireFormat
from mls.wire.commit import Commit
from mls.wire.extensions import Extension, ExternalSender, ExternalSenders, RequiredCapabilities, pack_extension
from mls.wire.framing import NewMemberCommit, PrivateMessage, PublicMessage
from mls.wire.proposals import Add, GroupContextExtensions, PreSharedKey, ReInit, Remove, UnknownProposal
from mls.wire.psk import ExternalPSK, PreSharedKeyID
from mls.wire.welcome import Welcome
from tests.mls.rfc.support import say, secrets_for
from tests.mls.world import World, fingerprint

if TYPE_CHECKING:
    from mls.group.committing import CommitOutput
    from mls.rules import Rule
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

AS_PUBLIC = CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE)
WITHOUT_PATH = CommitOptions(with_path=False, wire_format=WireFormat.PUBLIC_MESSAGE)


def commit_of(message: MLSMessage) -> Commit:
    assert isinstance(message.message, PublicMessage)
    assert isinstance(message.message.content.content, Commit)
    return message.message.content.content


def make(world: World, name: str, *proposals: AnyProposal, options: CommitOptions = AS_PUBLIC) -> CommitOutput:
    return commit(world.states[name], world.environment, now=world.now, proposals=proposals, options=options).output


# Section 12.1: proposals


def test_external_proposals_are_public() -> None:
    world = World()
    key = world.suite.generate_signature_key(world.environment.random)
    sender = ExternalSender(key.public_key, world.client("s").credential)
    world.found("a", extensions=(pack_extension(ExternalSenders((sender,))),))
    context = world.states["a"].public.context
    bundle = world.key_package("b")

    by_sender = external_proposal(context, 0, key, Add(bundle.key_package))
    by_joiner = new_member_proposal(context, bundle.signature_key, bundle.key_package)

    for message in (by_sender, by_joiner):
        assert isinstance(message.message, PublicMessage)
        assert message.message.membership_tag is None
        world.process("a", message)
    assert len(world.states["a"].proposals) == 2


def test_unsupported_proposals_are_not_sent() -> None:
    world = World.of("a", "b")
    unknown = UnknownProposal(0xF0F0, b"")

    with pytest.raises(RuleError) as proposed:
        propose(world.states["a"], world.environment, unknown)
    with pytest.raises(RuleError) as committed:
        make(world, "a", unknown)
    assert proposed.value.rule is rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL
    assert committed.value.rule is rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL


# Sections 12.2 and 12.3: lists of proposals


def test_authors_check_their_own_list() -> None:
    world = World.of("a", "b")
    one, other = (world.key_package("c").key_package for _ in range(2))
    psk = PreSharedKey(PreSharedKeyID(ExternalPSK(b"psk"), bytes(32)))
    extensions = GroupContextExtensions(())
    wrong: list[tuple[Rule, tuple[AnyProposal, ...]]] = [
        (rules.NO_REMOVE_OF_COMMITTER, (Remove(world.leaf("a")),)),
        (rules.ONE_CHANGE_PER_LEAF, (Remove(world.leaf("b")), Remove(world.leaf("b")))),
        (rules.REMOVED_LEAF_IS_A_MEMBER, (Remove(7),)),
        (rules.ADDS_ARE_DISTINCT_CLIENTS, (Add(one), Add(other))),
        (rules.PSKS_ARE_DISTINCT, (psk, psk)),
        (rules.PSK_IS_AVAILABLE, (psk,)),
        (rules.ONE_GROUP_CONTEXT_EXTENSIONS, (extensions, extensions)),
        (rules.REINIT_STANDS_ALONE, (ReInit(b"", MLS10, 1, ()), Remove(world.leaf("b")))),
    ]
    before = fingerprint(world.states["a"])

    for rule, proposals in wrong:
        with pytest.raises(RuleError) as caught:
            make(world, "a", *proposals)
        assert caught.value.rule is rule
    assert fingerprint(world.states["a"]) == before


def test_proposals_are_applied_in_the_order_of_the_rfc() -> None:
    world = World.of("a", "b", "c", "d")
    update = world.adopt("d", propose_update(world.states["d"], world.environment, leaf_changes=LeafChanges()))
    world.deliver(update, to=("a", "b", "c"))
    bundles = [(name, world.key_package(name)) for name in ("e", "f")]
    first, second = (Add(bundle.key_package) for _, bundle in bundles)
    state = Extension(1, b"new")

    # Listed back to front: the Adds stand first, and still come after the Remove that makes room for one of them.
    world.commit("a", first, second, Remove(world.leaf("b")), GroupContextExtensions((state,)), joiners=bundles)

    assert world.states["b"].status is Status.REMOVED
    assert (world.leaf("e"), world.leaf("f")) == (1, 4)
    assert world.states["e"].public.context.extensions == (state,)


def test_new_extensions_count_for_proposals_beside_them() -> None:
    world = World()
    for name in "ab":
        client = world.client(name)
        capabilities = client.capabilities.replace(extensions=(*client.capabilities.extensions, 0xF0F0))
        world.clients[name] = type(client)(client.suite, client.credential, client.signature_key, capabilities)
    world.found("a")
    world.add("a", "b")
    required = GroupContextExtensions((pack_extension(RequiredCapabilities((0xF0F0,), (), ())),))
    bundle = world.key_package("c")

    make(world, "a", required)
    make(world, "a", Add(bundle.key_package))
    with pytest.raises(RuleError) as caught:
        make(world, "a", Add(bundle.key_package), required)
    assert caught.value.rule is rules.LEAF_SUPPORTS_REQUIRED_CAPABILITIES


# Section 12.4: Commits


def test_pending_proposals_come_before_application_data() -> None:
    world = World.of("a", "b", "c")
    proposal = world.adopt("a", propose(world.states["a"], world.environment, Remove(world.leaf("c"))))
    world.deliver(proposal, to=("b", "c"))

    for name in "abc":
        with pytest.raises(UsageError, match=r"12\.4"):
            protect(world.states[name], world.environment, b"too early")
    world.commit("b")
    world.adopt("a", protect(world.states["a"], world.environment, b"now"))
    left = world.adopt("b", leave(world.states["b"], world.environment))
    world.process("a", left)
    references = [item.reference for item in world.states["a"].proposals if item.reference is not None]
    dropped = drop_proposals(world.states["a"], references).state
    protect(dropped, world.environment, b"a proposal that nobody will commit keeps nobody from speaking")


def test_a_commit_has_a_path_unless_it_may_do_without() -> None:
    world = World.of("a", "b", "c")
    world.set(psks={b"psk": Secret(b"a shared secret")})
    add = Add(world.key_package("d").key_package)
    psk = PreSharedKey(PreSharedKeyID(ExternalPSK(b"psk"), bytes(32)))
    reinit = ReInit(b"next", MLS10, 1, ())
    may_do_without: list[tuple[AnyProposal, ...]] = [(add,), (psk,), (reinit,), (add, psk)]
    may_not: list[tuple[AnyProposal, ...]] = [
        (),
        (Remove(world.leaf("b")),),
        (GroupContextExtensions(()),),
        (add, Remove(world.leaf("b"))),
    ]

    for proposals in (*may_do_without, *may_not):
        assert commit_of(make(world, "a", *proposals).message).path is not None
    for proposals in may_do_without:
        assert commit_of(make(world, "a", *proposals, options=WITHOUT_PATH).message).path is None
    for proposals in may_not:
        assert commit_of(make(world, "a", *proposals, options=WITHOUT_PATH).message).path is not None


def test_psks_are_in_the_same_order_for_all() -> None:
    world = World.of("a", "b")
    names = [b"one", b"two", b"three"]
    world.set(psks={name: Secret(b"the secret of " + name) for name in names})
    psks = [PreSharedKeyID(ExternalPSK(name), world.environment.random(32)) for name in names]
    # One travels by reference, and so comes after those by value, whatever the order of their making.
    proposed = world.adopt("b", propose(world.states["b"], world.environment, PreSharedKey(psks[0])))
    world.process("a", proposed)
    bundle = world.key_package("c")

    output = make(world, "a", PreSharedKey(psks[2]), Add(bundle.key_package), PreSharedKey(psks[1]))

    listed = commit_of(output.message).proposals
    by_value = [item.psk for item in listed if isinstance(item, PreSharedKey)]
    assert by_value == [psks[2], psks[1]]
    assert len(listed) == 4
    assert secrets_for(bundle, output.pending.welcome).psks == (psks[2], psks[1], psks[0])


def test_a_welcome_covers_all_new_members() -> None:
    world = World.of("a", "b")
    bundles = [world.key_package(name) for name in "cdefg"]

    welcome = make(world, "a", *(Add(bundle.key_package) for bundle in bundles)).pending.welcome

    assert welcome is not None
    assert isinstance(welcome.message, Welcome)
    assert [entry.new_member for entry in welcome.message.secrets] == [bundle.reference for bundle in bundles]
    joined = [join(world.environment, welcome, [bundle]).state for bundle in bundles]
    assert len({state.epoch_authenticator for state in joined}) == 1
    assert make(world, "a").pending.welcome is None


def test_a_closed_group_sends_nothing() -> None:
    world = World.of("a", "b")
    world.commit("a", ReInit(b"the next group", MLS10, 1, ()))

    for state in world.states.values():
        assert state.status is Status.REINITIALIZED
        with pytest.raises(UsageError, match="closed by a ReInit"):
            protect(state, world.environment, b"word")
        with pytest.raises(UsageError, match="closed by a ReInit"):
            propose(state, world.environment, GroupContextExtensions(()))
        with pytest.raises(UsageError, match="closed by a ReInit"):
            propose_update(state, world.environment, leaf_changes=LeafChanges())
        with pytest.raises(UsageError, match="closed by a ReInit"):
            leave(state, world.environment)
        with pytest.raises(UsageError, match="closed by a ReInit"):
            commit(state, world.environment, now=world.now)
        with pytest.raises(UsageError, match="closed by a ReInit"):
            group_info(state)


def test_an_external_join_takes_the_external_init_secret() -> None:
    world = World.of("a", "b")
    old = {name: bytes(state.epoch_secrets.init_secret.value) for name, state in world.states.items()}

    made = join_externally(world.client("c"), world.environment, group_info(world.states["a"]))
    message = made.output.message.message
    assert isinstance(message, PublicMessage)
    assert message.content.sender == NewMemberCommit()
    commit_body = message.content.content
    assert isinstance(commit_body, Commit)
    assert commit_body.path is not None
    assert commit_body.path.leaf_node.signature_key == world.client("c").signature_key.public_key

    received = world.deliver(made.output.message)
    world.adopt("c", made)
    world.check_agreement()  # all three came to the same epoch, and the joiner does not know the old init secret
    assert all(isinstance(item, Committed) for item in received.values())
    assert set(old.values()).isdisjoint(bytes(secret.value) for secret in world.states["c"].secrets())


# Sections 14 and 15: one Commit after the other


def test_making_a_commit_leaves_the_epoch_as_it_is() -> None:
    world = World.of("a", "b")
    before = world.states["a"]
    frozen = fingerprint(before)

    made = commit(before, world.environment, now=world.now, proposals=[Remove(world.leaf("b"))])

    assert fingerprint(before) == frozen
    after = made.state
    assert after.public is before.public
    assert after.epoch_secrets is before.epoch_secrets
    assert after.private_tree is before.private_tree
    assert (after.epoch, after.status) == (before.epoch, before.status)
    # The other member's Commit wins: ours is forgotten.
    world.adopt("a", made)
    world.commit("b")
    assert world.states["a"].pending == ()
    assert isinstance(world.process("b", say(world, "a", b"word")), ApplicationMessage)


def test_a_welcome_comes_with_the_accepted_commit() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    output = world.adopt(
        "a", commit(world.states["a"], world.environment, now=world.now, proposals=[Add(bundle.key_package)])
    )

    accepted = world.process("a", output.message)

    assert isinstance(accepted, Committed)
    assert accepted.is_own
    assert accepted.welcome is output.pending.welcome
    other = world.process("b", output.message)
    assert isinstance(other, Committed)
    assert other.welcome is None


def test_what_is_sent_after_a_commit_is_of_its_epoch() -> None:
    world = World.of("a", "b", "c")
    for _ in range(2):
        world.commit("a")
        for name in "abc":
            message = say(world, name, b"word").message
            assert isinstance(message, PrivateMessage)
            assert message.epoch == world.states["a"].epoch
