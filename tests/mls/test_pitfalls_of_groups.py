"""What other implementations got wrong, from their changelogs and logs: proposals, Commits, groups that follow on.

`tests/mls/test_pitfalls.py` has messages and keys, `tests/mls/test_pitfalls_of_trees.py` trees and paths.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.errors import ValidationError
from mls.group.committing import commit
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.processing import process
from mls.group.received import Committed
from mls.registry import ExtensionType, ProposalType, ResumptionPSKUsage, WireFormat
from mls.wire.extensions import (
    Extension,
    RequiredCapabilities,
    pack_extension,
)
from mls.wire.framing import Member
from mls.wire.proposals import Add, GroupContextExtensions, Remove, UnknownProposal
from tests.mls.rules.doors import assert_goes_on, refused_by
from tests.mls.rules.forging import (
    ForgedCommit,
    dishonest,
    forged_commit,
    forged_key_package,
    private,
    signed,
)
from tests.mls.rules.forging_groups import (
    UNKNOWN_TYPE,
    proposals_are_refused,
    resumption_psk,
    successor,
    update_to_all,
    world_where,
)
from tests.mls.rules.support import refused
from tests.mls.world import World, fingerprint

if TYPE_CHECKING:
    from mls.wire.proposals import AnyProposal


def test_removed_members_counted_in_capability_check() -> None:
    """OpenMLS (0.8.0): who leaves with the Commit need not support what it brings, who stays must."""
    for proposal in (
        UnknownProposal(UNKNOWN_TYPE, b""),
        GroupContextExtensions((Extension(UNKNOWN_TYPE, b""),)),
        GroupContextExtensions((pack_extension(RequiredCapabilities((), (UNKNOWN_TYPE,), ())),)),
    ):
        world = world_where("a", "b", others=["c", "d"])
        author = world.states["a"]
        forged = forged_commit_of(world, proposal, Remove(2))
        with pytest.raises(ValidationError):
            process(world.states["b"], world.environment, forged.sent_by(author), now=world.now)
        received = world.commit("a", proposal, Remove(2), Remove(3))
        assert all(isinstance(item, Committed) for item in received.values())


def forged_commit_of(world: World, *proposals: AnyProposal) -> ForgedCommit:
    with dishonest():
        return forged_commit(world.states["a"], world.environment, *proposals)


def test_default_types_in_capabilities() -> None:
    """mls-rs, #319: what everybody supports must not be listed."""
    world = World.of("a", "b")
    usual = world.client("c").capabilities
    for capabilities in (
        usual.replace(extensions=(*usual.extensions, ExtensionType.REQUIRED_CAPABILITIES)),
        usual.replace(proposals=(*usual.proposals, ProposalType.ADD)),
    ):
        forged = forged_key_package(world.key_package("c"), leaf={"capabilities": capabilities})
        proposals_are_refused(world, rules.CAPABILITIES_OMIT_DEFAULTS, Add(forged.key_package))


def test_external_commit_while_own_commit_pending() -> None:
    """mls-rs, #308: the external Commit wins, and the pending one is forgotten."""
    world = World.of("a", "b")
    own = world.adopt("b", commit(world.states["b"], world.environment, now=world.now)).message
    joined = join_externally(world.client("c"), world.environment, group_info(world.states["a"]))
    world.deliver(joined.output.message)
    world.adopt("c", joined)
    assert world.states["b"].pending == ()
    for name in ("a", "b"):
        refused_by(world, name, rules.COMMIT_EPOCH_IS_CURRENT, own)


def test_branch_and_reinit_rules() -> None:
    """mls-rs, #314: the PSK of one operation does not do for the other, nor for a Commit in the group itself."""
    world = World.of("a", "b")
    for usage in (ResumptionPSKUsage.REINIT, ResumptionPSKUsage.BRANCH):
        psk = resumption_psk(world, usage, world.states["a"])
        proposals_are_refused(world, rules.PSK_USAGE_FITS, psk)
    usage, bundle = ResumptionPSKUsage.REINIT, world.key_package("b")
    psk = resumption_psk(world, usage, world.states["a"])
    welcome = successor(world, world.client("a"), Add(bundle.key_package), psk, usage=usage, group_id=b"branch")
    with refused(rules.REINIT_WAS_COMMITTED):
        join(world.environment, welcome, [bundle], previous=world.states["b"])


def test_update_from_leaf_0() -> None:
    """ts-mls, #647: an index that is falsy is an index."""
    world = World.of("a", "b", "c")
    old = world.states["b"].public.tree.leaf(0)
    proposed = update_to_all(world, "a")
    assert proposed.sender == Member(0)
    world.commit("b")
    new = world.states["c"].public.tree.leaf(0)
    assert new == proposed.proposal.leaf_node  # type: ignore[union-attr]  # an Update
    assert new != old
    assert_goes_on(world, "a")


def test_group_context_extensions_signed_against_old_context() -> None:
    """A Commit is signed in the context of the epoch that it ends, though it changes the extensions."""
    world = world_where("a", "b", others=[])
    author, extensions = world.states["a"], (Extension(UNKNOWN_TYPE, b""),)
    forged = forged_commit(author, world.environment, GroupContextExtensions(extensions)).message
    for context in (
        author.public.context.replace(extensions=extensions),
        author.public.context.replace(extensions=extensions, epoch=author.epoch + 1),
    ):
        mistaken = replace(author, public=replace(author.public, context=context))
        body, tag = forged.content.content, forged.confirmation_tag
        message = signed(
            mistaken, body, wire_format=WireFormat.PRIVATE_MESSAGE, epoch=author.epoch, confirmation_tag=tag
        )
        before = fingerprint(world.states["b"])
        with refused(rules.MESSAGE_SIGNATURE_IS_VALID):
            process(world.states["b"], world.environment, private(author, message), now=world.now)
        assert fingerprint(world.states["b"]) == before
    taken = process(world.states["b"], world.environment, private(author, forged), now=world.now)
    assert taken.state.public.context.extensions == extensions
