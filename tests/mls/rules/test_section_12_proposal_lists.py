"""Section 12.2: lists of proposals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.crypto.secret import Secret
from mls.group.committing import commit
from mls.group.environment import ProposalList
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose
from mls.registry import MLS10, ProposalType, WireFormat
from mls.schedule.key_schedule import EXTERNAL_INIT_LABEL, external_key_pair
from mls.wire.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    ReInit,
    Remove,
    SelfRemove,
    UnknownProposal,
)
from tests.mls.rules.doors import assert_goes_on, refused_by
from tests.mls.rules.forging import dishonest, forged_commit, forged_external_commit, forged_update
from tests.mls.rules.forging_groups import (
    UNKNOWN_TYPE,
    KnowsNames,
    external_psk,
    proposals_are_refused,
    propose_to_all,
    update_to_all,
    world_where,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.rules import Rule
    from mls.wire.proposals import AnyProposal

PSK = Secret(b"a key that all have")


# Of a Commit by a member


@breaks(rules.NO_UPDATE_BY_COMMITTER)
def test_no_update_by_committer() -> None:
    world = World.of("a", "b", "c")
    proposals_are_refused(world, rules.NO_UPDATE_BY_COMMITTER, forged_update(world.states["a"], world.environment))


@breaks(rules.NO_UPDATE_BY_COMMITTER)
def test_no_update_by_committer__by_reference() -> None:
    world = World.of("a", "b", "c")
    proposals_are_refused(world, rules.NO_UPDATE_BY_COMMITTER, update_to_all(world, "a"))


@breaks(rules.NO_REMOVE_OF_COMMITTER)
def test_no_remove_of_committer() -> None:
    world = World.of("a", "b", "c")
    proposals_are_refused(world, rules.NO_REMOVE_OF_COMMITTER, Remove(0))


@breaks(rules.NO_REMOVE_OF_COMMITTER)
def test_no_remove_of_committer__self_remove() -> None:
    world = World.of("a", "b", "c")
    proposed = propose_to_all(world, "a", SelfRemove(), wire_format=WireFormat.PUBLIC_MESSAGE)
    proposals_are_refused(world, rules.NO_REMOVE_OF_COMMITTER, proposed)


@breaks(rules.ONE_CHANGE_PER_LEAF)
def test_one_change_per_leaf__two_removes() -> None:
    world = World.of("a", "b", "c")
    proposals_are_refused(world, rules.ONE_CHANGE_PER_LEAF, Remove(2), Remove(2))


@breaks(rules.ONE_CHANGE_PER_LEAF)
def test_one_change_per_leaf__two_updates() -> None:
    world = World.of("a", "b", "c", "d")
    key = world.suite.generate_signature_key(world.environment.random)
    twice = [update_to_all(world, "d"), update_to_all(world, "d", LeafChanges(signature_key=key))]
    proposals_are_refused(world, rules.ONE_CHANGE_PER_LEAF, *twice)


@breaks(rules.ONE_CHANGE_PER_LEAF)
def test_one_change_per_leaf__update_and_remove() -> None:
    world = World.of("a", "b", "c")
    proposals_are_refused(world, rules.ONE_CHANGE_PER_LEAF, update_to_all(world, "c"), Remove(2))


@breaks(rules.ONE_CHANGE_PER_LEAF)
def test_one_change_per_leaf__two_self_removes() -> None:
    world = World.of("a", "b", "c")
    proposed = propose_to_all(world, "c", SelfRemove(), wire_format=WireFormat.PUBLIC_MESSAGE)
    proposals_are_refused(world, rules.ONE_CHANGE_PER_LEAF, proposed, proposed)


@breaks(rules.ADDS_ARE_DISTINCT_CLIENTS)
def test_adds_are_distinct_clients() -> None:
    world = World.of("a", "b")
    adds = [Add(world.key_package("c").key_package) for _ in range(2)]
    proposals_are_refused(world, rules.ADDS_ARE_DISTINCT_CLIENTS, *adds, also=[rules.SIGNATURE_KEY_IS_UNIQUE])


@breaks(rules.ADDS_ARE_DISTINCT_CLIENTS)
def test_adds_are_distinct_clients__by_name() -> None:
    world = World.of("a", "b")
    world.set(authentication=KnowsNames())
    world.clients["c again"] = replace(world.client("c again"), credential=world.client("c").credential)
    adds = [Add(world.key_package(name).key_package) for name in ("c", "c again")]
    proposals_are_refused(world, rules.ADDS_ARE_DISTINCT_CLIENTS, *adds)


@breaks(rules.ADDED_CLIENT_IS_NOT_A_MEMBER)
def test_added_client_is_not_a_member() -> None:
    world = World.of("a", "b", "c")
    bundle = world.key_package("c")
    rule = rules.ADDED_CLIENT_IS_NOT_A_MEMBER
    proposals_are_refused(world, rule, Add(bundle.key_package), also=[rules.SIGNATURE_KEY_IS_UNIQUE])
    world.commit("a", Remove(2), Add(bundle.key_package), joiners=[("c", bundle)])


@breaks(rules.ADDED_CLIENT_IS_NOT_A_MEMBER)
def test_added_client_is_not_a_member__by_name() -> None:
    world = World.of("a", "b", "c")
    world.set(authentication=KnowsNames())
    world.clients["c again"] = replace(world.client("c again"), credential=world.client("c").credential)
    bundle = world.key_package("c again")
    proposals_are_refused(world, rules.ADDED_CLIENT_IS_NOT_A_MEMBER, Add(bundle.key_package))
    world.commit("a", Remove(2), Add(bundle.key_package), joiners=[("c again", bundle)])


@breaks(rules.PSKS_ARE_DISTINCT)
def test_psks_are_distinct() -> None:
    world = World.of("a", "b")
    world.set(psks={b"psk": PSK})
    psk = external_psk(world)
    proposals_are_refused(world, rules.PSKS_ARE_DISTINCT, psk, psk)
    world.commit("a", psk, external_psk(world))  # another nonce makes it another PreSharedKeyID


@breaks(rules.ONE_GROUP_CONTEXT_EXTENSIONS)
def test_one_group_context_extensions() -> None:
    world = World.of("a", "b")
    proposal = GroupContextExtensions(())
    proposals_are_refused(world, rules.ONE_GROUP_CONTEXT_EXTENSIONS, proposal, proposal)


@breaks(rules.REINIT_STANDS_ALONE)
def test_reinit_stands_alone() -> None:
    world = World.of("a", "b")
    world.set(psks={b"psk": PSK})
    reinit = ReInit(b"next", MLS10, world.suite_number, ())
    proposals_are_refused(world, rules.REINIT_STANDS_ALONE, reinit, external_psk(world))


@breaks(rules.EXTERNAL_INIT_ONLY_IN_EXTERNAL_COMMIT)
def test_external_init_only_in_external_commit() -> None:
    world = World.of("a", "b")
    author, suite, random = world.states["a"], world.suite, world.environment.random
    external_pub = external_key_pair(suite, author.epoch_secrets.external_secret).public_key
    kem_output, init_secret = suite.hpke.export_to(external_pub, EXTERNAL_INIT_LABEL, suite.Nh, random)
    initialized = replace(author, epoch_secrets=replace(author.epoch_secrets, init_secret=Secret(init_secret)))
    forged = forged_commit(initialized, world.environment, ExternalInit(kem_output))
    refused_by(world, "b", rules.EXTERNAL_INIT_ONLY_IN_EXTERNAL_COMMIT, forged.sent_by(author))
    with refused(rules.EXTERNAL_INIT_ONLY_IN_EXTERNAL_COMMIT):
        commit(world.states["a"], world.environment, now=world.now, proposals=[ExternalInit(kem_output)])


@breaks(rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL)
def test_proposal_type_is_supported_by_all() -> None:
    world = world_where("a", "b", others=["c"])
    proposal = UnknownProposal(UNKNOWN_TYPE, b"")
    proposals_are_refused(world, rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL, proposal)
    with refused(rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL):
        propose(world.states["a"], world.environment, proposal)
    world.commit("a", proposal, Remove(2))


@breaks(rules.APPLICATION_RULES_HOLD)
def test_application_rules_hold() -> None:
    world = World.of("a", "b")
    world.set(proposal_rules=nobody_is_added)
    proposals_are_refused(world, rules.APPLICATION_RULES_HOLD, Add(world.key_package("c").key_package))


def nobody_is_added(proposals: ProposalList) -> str | None:
    adds = any(isinstance(item.proposal, Add) for item in proposals.proposals)
    return "this group takes nobody in" if adds or proposals.committer.wire_tag != 1 else None


@breaks(rules.APPLICATION_RULES_HOLD)
def test_application_rules_hold__for_an_external_commit() -> None:
    world = World.of("a", "b")
    made = join_externally(world.client("outsider"), world.environment, group_info(world.states["a"]))
    world.set(proposal_rules=nobody_is_added)
    refused_by(world, "b", rules.APPLICATION_RULES_HOLD, made.output.message)
    with refused(rules.APPLICATION_RULES_HOLD):
        join_externally(world.client("outsider"), world.environment, group_info(world.states["a"]))


# Of an external Commit


def refuse_external(world: World, rule: Rule, *proposals: AnyProposal) -> None:
    """See that "b" does not let an outsider in with these proposals besides its ExternalInit."""
    state = world.states["a"]
    forged = forged_external_commit(state, world.client("outsider"), world.environment, *proposals)
    refused_by(world, "b", rule, forged.sent_by(state))


@breaks(rules.ONE_EXTERNAL_INIT)
def test_one_external_init__two() -> None:
    world = World.of("a", "b")
    refuse_external(world, rules.ONE_EXTERNAL_INIT, ExternalInit(bytes(32)))


@breaks(rules.ONE_EXTERNAL_INIT)
def test_one_external_init__none() -> None:
    world = World.of("a", "b")
    state = world.states["a"]
    forged = forged_external_commit(state, world.client("c"), world.environment, external_init=lambda _: ())
    refused_by(world, "b", rules.ONE_EXTERNAL_INIT, forged.sent_by(state))


@breaks(rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL)
def test_proposal_type_is_supported_by_all__in_an_external_commit() -> None:
    world = World.of("a", "b")
    simple = world.client("c").capabilities.replace(proposals=())
    world.clients["c"] = replace(world.client("c"), capabilities=simple)
    world.add("a", "c", "d")
    with dishonest(rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL):
        leaving = propose_to_all(world, "d", SelfRemove(), wire_format=WireFormat.PUBLIC_MESSAGE)
    state = world.states["a"]
    forged = forged_external_commit(state, world.client("outsider"), world.environment, leaving)
    refused_by(world, "b", rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL, forged.sent_by(state))


@breaks(rules.ONE_REMOVE_IN_EXTERNAL_COMMIT)
def test_one_remove_in_external_commit() -> None:
    refuse_external(World.of("a", "b", "c", "d"), rules.ONE_REMOVE_IN_EXTERNAL_COMMIT, Remove(2), Remove(3))


@breaks(rules.EXTERNAL_COMMIT_PROPOSAL_TYPES)
def test_external_commit_proposal_types() -> None:
    world = World.of("a", "b", "c")
    forbidden: list[AnyProposal] = [
        Add(world.key_package("d").key_package),
        forged_update(world.states["c"], world.environment),
        GroupContextExtensions(()),
        ReInit(b"next", MLS10, world.suite_number, ()),
        UnknownProposal(ProposalType.SELF_REMOVE + 1, b""),
    ]
    for proposal in forbidden:
        refuse_external(world, rules.EXTERNAL_COMMIT_PROPOSAL_TYPES, proposal)


@breaks(rules.RESYNC_REPLACES_OWN_LEAF)
def test_resync_replaces_own_leaf() -> None:
    world = World.of("a", "b", "c")
    world.set(authentication=KnowsNames())
    refuse_external(world, rules.RESYNC_REPLACES_OWN_LEAF, Remove(2))
    info, replaced = group_info(world.states["a"]), world.states["c"].own_leaf
    with refused(rules.RESYNC_REPLACES_OWN_LEAF):
        join_externally(world.client("outsider"), world.environment, info, replaces=replaced)
    resynced = join_externally(world.client("c"), world.environment, info, replaces=replaced)
    world.deliver(resynced.output.message, to=["a", "b"])
    world.adopt("c", resynced)
    assert_goes_on(world, "c")
