"""Section 12.1: proposals, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.crypto.secret import Secret
from mls.errors import WrongEpochError
from mls.group.committing import commit
from mls.group.environment import Limits
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.messaging import external_proposal, leave, propose
from mls.group.processing import process
from mls.registry import MLS10, ResumptionPSKUsage
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import Extension, ExternalSender, ExternalSenders, RequiredCapabilities, pack_extension
from mls.wire.proposals import (
    ExternalInit,
    GroupContextExtensions,
    ReInit,
    Remove,
    SelfRemove,
    UnknownProposal,
)
from tests.mls.rules.doors import assert_goes_on, refused_by
from tests.mls.rules.forging import dishonest, forged_external_commit, forged_update, public, signed
from tests.mls.rules.forging_groups import (
    UNKNOWN_TYPE,
    proposals_are_refused,
    propose_to_all,
    resumption_psk,
    world_where,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.wire.proposals import AnyProposal

PSK = Secret(b"a key that all have")


@breaks(rules.PROPOSAL_EPOCH_IS_CURRENT)
def test_proposal_epoch_is_current() -> None:
    world = World.of("a", "b", "c")
    late = public(world.states["a"], signed(world.states["a"], Remove(2)))
    world.commit("a")
    refused_by(world, "b", rules.PROPOSAL_EPOCH_IS_CURRENT, late)


@breaks(rules.PROPOSAL_EPOCH_IS_CURRENT)
def test_proposal_epoch_is_current__in_a_private_message() -> None:
    world = World.of("a", "b", "c")
    late = propose(world.states["a"], world.environment, Remove(2)).output
    world.commit("c")
    refused_by(world, "b", rules.PROPOSAL_EPOCH_IS_CURRENT, late)


@breaks(rules.PROPOSAL_EPOCH_IS_CURRENT)
def test_proposal_epoch_is_current__not_reached_yet() -> None:
    world = World.of("a", "b", "c")
    made = world.adopt("a", commit(world.states["a"], world.environment, now=world.now))
    world.deliver(made.message, to=["a"])
    early = public(world.states["a"], signed(world.states["a"], Remove(2)))
    with pytest.raises(WrongEpochError) as caught:
        process(world.states["b"], world.environment, early, now=world.now)
    assert (caught.value.rule, caught.value.have, caught.value.got) == (rules.PROPOSAL_EPOCH_IS_CURRENT, 1, 2)
    world.deliver(made.message, to=["b", "c"])
    assert_goes_on(world, "b")


@breaks(rules.PROPOSAL_EPOCH_IS_CURRENT)
def test_proposal_epoch_is_current__for_an_external_commit() -> None:
    world = World.of("a", "b", "c")
    late = leave(world.states["c"], world.environment).output
    world.commit("a")
    info = group_info(world.states["a"])
    with refused(rules.PROPOSAL_EPOCH_IS_CURRENT):
        join_externally(world.client("outsider"), world.environment, info, self_removes=[late])


@breaks(rules.REMOVED_LEAF_IS_A_MEMBER)
def test_removed_leaf_is_a_member() -> None:
    world = World.of("a", "b", "c")
    proposals_are_refused(world, rules.REMOVED_LEAF_IS_A_MEMBER, Remove(3))


@breaks(rules.REMOVED_LEAF_IS_A_MEMBER)
def test_removed_leaf_is_a_member__by_an_external_commit() -> None:
    world = World.of("a", "b", "c")
    with dishonest(rules.REMOVED_LEAF_IS_A_MEMBER):
        forged = forged_external_commit(world.states["a"], world.client("outsider"), world.environment, Remove(3))
    refused_by(world, "b", rules.REMOVED_LEAF_IS_A_MEMBER, forged.sent_by(world.states["a"]))


@breaks(rules.PSK_USAGE_FITS)
def test_psk_usage_fits__reinit() -> None:
    world = World.of("a", "b")
    psk = resumption_psk(world, ResumptionPSKUsage.REINIT, world.states["a"])
    proposals_are_refused(world, rules.PSK_USAGE_FITS, psk)


@breaks(rules.PSK_USAGE_FITS)
def test_psk_usage_fits__branch() -> None:
    world = World.of("a", "b")
    psk = resumption_psk(world, ResumptionPSKUsage.BRANCH, world.states["a"])
    proposals_are_refused(world, rules.PSK_USAGE_FITS, psk)


@breaks(rules.PSK_USAGE_FITS)
def test_psk_usage_fits__in_an_external_commit() -> None:
    world = World.of("a", "b")
    author, shared = world.states["a"], Secret(world.states["a"].epoch_secrets.resumption_psk.value)
    world.set(resumption_keys=lambda group_id, epoch: shared if (group_id, epoch) == (author.group_id, 1) else None)
    psk = resumption_psk(world, ResumptionPSKUsage.BRANCH, author)
    info = group_info(author)
    with dishonest(rules.PSK_USAGE_FITS):
        forged = join_externally(world.client("outsider"), world.environment, info, psks=[psk.psk])
    refused_by(world, "b", rules.PSK_USAGE_FITS, forged.output.message)
    with refused(rules.PSK_USAGE_FITS):
        join_externally(world.client("outsider"), world.environment, info, psks=[psk.psk])


@breaks(rules.REINIT_VERSION_IS_NOT_LOWER)
def test_reinit_version_is_not_lower() -> None:
    world = World.of("a", "b")
    proposals_are_refused(world, rules.REINIT_VERSION_IS_NOT_LOWER, ReInit(b"next", MLS10 - 1, 1, ()))


@breaks(rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL)
def test_group_extensions_are_supported_by_all() -> None:
    world = world_where("a", "b", others=["c"])
    extensions = (Extension(UNKNOWN_TYPE, b""),)
    proposals_are_refused(world, rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL, GroupContextExtensions(extensions))


def refuse_requirement(required: RequiredCapabilities) -> None:
    """See that what "c" does not support cannot be required of all."""
    world = world_where("a", "b", others=["c"])
    proposal = GroupContextExtensions((pack_extension(required),))
    proposals_are_refused(world, rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL, proposal)
    world.commit("a", proposal, Remove(2))
    assert [extension.extension_type for extension in world.states["b"].public.context.extensions] == [3]


@breaks(rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL)
def test_group_extensions_are_supported_by_all__required_extension() -> None:
    refuse_requirement(RequiredCapabilities((UNKNOWN_TYPE,), (), ()))


@breaks(rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL)
def test_group_extensions_are_supported_by_all__required_proposal() -> None:
    refuse_requirement(RequiredCapabilities((), (UNKNOWN_TYPE,), ()))


@breaks(rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL)
def test_group_extensions_are_supported_by_all__required_credential() -> None:
    refuse_requirement(RequiredCapabilities((), (), (UNKNOWN_TYPE,)))


@breaks(rules.EXTERNAL_PROPOSAL_TYPE_IS_ALLOWED)
def test_external_proposal_type_is_allowed() -> None:
    suite = World().suite
    server = suite.generate_signature_key(lambda size: bytes(size - 1) + b"s")
    senders = ExternalSenders((ExternalSender(server.public_key, BasicCredential(b"server")),))
    world = World.of("a", "b", extensions=(pack_extension(senders),))
    forbidden: list[AnyProposal] = [
        forged_update(world.states["a"], world.environment),
        ExternalInit(bytes(32)),
        SelfRemove(),
        UnknownProposal(UNKNOWN_TYPE, b""),
    ]
    for proposal in forbidden:
        with dishonest(rules.EXTERNAL_PROPOSAL_TYPE_IS_ALLOWED):
            message = external_proposal(world.states["a"].public.context, 0, server, proposal)
        refused_by(world, "b", rules.EXTERNAL_PROPOSAL_TYPE_IS_ALLOWED, message)
        with refused(rules.EXTERNAL_PROPOSAL_TYPE_IS_ALLOWED):
            external_proposal(world.states["a"].public.context, 0, server, proposal)


@breaks(rules.PROPOSALS_ARE_WITHIN_THE_LIMIT)
def test_proposals_are_within_the_limit() -> None:
    world = World.of("a", "b", "c", "d")
    world.set(limits=Limits(max_proposals=2))
    for leaf in (1, 2):
        propose_to_all(world, "a", Remove(leaf))
    generous = replace(world.environment, limits=Limits(max_proposals=3))
    one_more = propose(world.states["a"], generous, Remove(3)).output
    with refused(rules.PROPOSALS_ARE_WITHIN_THE_LIMIT):
        propose(world.states["a"], world.environment, Remove(3))
    refused_by(world, "b", rules.PROPOSALS_ARE_WITHIN_THE_LIMIT, one_more)
