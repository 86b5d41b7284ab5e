"""SelfRemove (draft-ietf-mls-extensions): a member's own removal, which others commit."""

from __future__ import annotations

from mls import rules
from mls.group.messaging import propose
from mls.registry import WireFormat
from mls.wire.proposals import Remove, SelfRemove
from tests.mls.rules.doors import refused_by
from tests.mls.rules.forging import dishonest, forged_external_commit, private, signed
from tests.mls.rules.forging_groups import proposals_are_refused, propose_to_all
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World


@breaks(rules.SELF_REMOVE_IS_BY_REFERENCE)
def test_self_remove_is_by_reference() -> None:
    world = World.of("a", "b", "c")
    rule = rules.SELF_REMOVE_IS_BY_REFERENCE
    proposals_are_refused(world, rule, SelfRemove(), also=[rules.NO_REMOVE_OF_COMMITTER])


@breaks(rules.SELF_REMOVE_IS_BY_REFERENCE)
def test_self_remove_is_by_reference__in_an_external_commit() -> None:
    world = World.of("a", "b", "c")
    state = world.states["a"]
    forged = forged_external_commit(state, world.client("outsider"), world.environment, SelfRemove())
    refused_by(world, "b", rules.SELF_REMOVE_IS_BY_REFERENCE, forged.sent_by(state))


@breaks(rules.SELF_REMOVE_IS_PUBLIC)
def test_self_remove_is_public() -> None:
    world = World.of("a", "b", "c")
    state = world.states["c"]
    hidden = private(state, signed(state, SelfRemove(), wire_format=WireFormat.PRIVATE_MESSAGE))
    refused_by(world, "b", rules.SELF_REMOVE_IS_PUBLIC, hidden)
    with refused(rules.SELF_REMOVE_IS_PUBLIC):
        propose(world.states["c"], world.environment, SelfRemove(), wire_format=WireFormat.PRIVATE_MESSAGE)


@breaks(rules.SELF_REMOVE_BEATS_REMOVE)
def test_self_remove_beats_remove() -> None:
    world = World.of("a", "b", "c")
    leaving = propose_to_all(world, "c", SelfRemove(), wire_format=WireFormat.PUBLIC_MESSAGE)
    rule = rules.SELF_REMOVE_BEATS_REMOVE
    proposals_are_refused(world, rule, leaving, Remove(2), also=[rules.ONE_CHANGE_PER_LEAF])


@breaks(rules.SELF_REMOVE_BEATS_REMOVE)
def test_self_remove_beats_remove__in_an_external_commit() -> None:
    world = World.of("a", "b", "c")
    leaving = propose_to_all(world, "c", SelfRemove(), wire_format=WireFormat.PUBLIC_MESSAGE)
    state = world.states["a"]
    with dishonest(rules.SELF_REMOVE_BEATS_REMOVE, rules.ONE_CHANGE_PER_LEAF):
        forged = forged_external_commit(state, world.client("outsider"), world.environment, leaving, Remove(2))
    refused_by(world, "b", rules.SELF_REMOVE_BEATS_REMOVE, forged.sent_by(state))
