"""Where a Commit leads is seen alike by who follows it, by who cannot, and by who is removed by it."""

from __future__ import annotations

import pytest

import mls
from mls import rules
from mls.wire.framing import PrivateMessage
from mls.wire.message import wrap
from mls.wire.proposals import AnyProposal, Remove
from tests.mls.spoiling import spoiling
from tests.mls.world import World, fingerprint

PEOPLE = ("alice", "bob", "carol", "dave")


def made_by_alice(world: World, *proposals: AnyProposal) -> mls.MLSMessage:
    made = mls.commit(world.states["alice"], world.environment, now=world.now, proposals=list(proposals))
    return world.adopt("alice", made).message


def test_who_follows_and_who_is_removed_see_the_same() -> None:
    world = World.of(*PEOPLE)
    message = made_by_alice(world, Remove(world.states["dave"].own_leaf))
    before = {name: fingerprint(world.states[name]) for name in PEOPLE}
    seen = {name: mls.foresee(world.states[name], world.environment, message) for name in ("bob", "carol", "dave")}
    assert {name: fingerprint(world.states[name]) for name in PEOPLE} == before
    assert [name for name, there in seen.items() if there.committed.removed_us] == ["dave"]
    for name in ("bob", "carol"):
        world.process(name, message)
        public = world.states[name].public
        for there in seen.values():
            assert there.context == public.context
            assert there.tree.to_extension() == public.tree.to_extension()
            assert there.committed.changes == seen[name].committed.changes


def test_who_cannot_follow_sees_where_the_others_go() -> None:
    world = World.of(*PEOPLE)
    with spoiling(1):
        message = made_by_alice(world)
    world.process("bob", message)
    for name in ("carol", "dave"):
        with pytest.raises(mls.RuleError) as refused:
            mls.process(world.states[name], world.environment, message, now=world.now)
        assert refused.value.rule is rules.PATH_SECRET_DECRYPTS
        there = mls.foresee(world.states[name], world.environment, message)
        assert there.context == world.states["bob"].public.context


def test_what_is_bad_for_all_is_foreseen_by_nobody() -> None:
    world = World.of(*PEOPLE)
    stale = made_by_alice(world)
    world.commit("bob")
    carol = world.states["carol"]
    with pytest.raises(mls.WrongEpochError):
        mls.foresee(carol, world.environment, stale)
    other = World.of(*PEOPLE, seed=2)
    foreign = made_by_alice(other).message
    assert isinstance(foreign, PrivateMessage)
    with pytest.raises(mls.WrongGroupError):
        mls.foresee(carol, world.environment, wrap(foreign.replace(group_id=b"another")))
    said = world.adopt("bob", mls.protect(world.states["bob"], world.environment, b"hello"))
    wish = world.adopt("bob", mls.leave(world.states["bob"], world.environment))
    with pytest.raises(mls.UsageError, match="leads to no epoch"):
        mls.foresee(carol, world.environment, wish)
    with pytest.raises(mls.UsageError, match="leads to no epoch"):
        mls.foresee(carol, world.environment, said)
    with pytest.raises(mls.UsageError, match="leads to no epoch"):
        mls.foresee(carol, world.environment, world.key_package("eve").message)
