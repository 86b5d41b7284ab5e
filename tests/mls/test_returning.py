"""Going back to the epoch before: nobody has used a key twice, and nothing of the other epoch is left."""

from __future__ import annotations

import doctest
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.crypto.secret import wipe
from mls.errors import ExhaustedError, RuleError, UsageError
from mls.group import returning
from mls.group.committing import commit
from mls.group.messaging import leave, protect
from mls.group.processing import process
from mls.group.received import ApplicationMessage, Committed
from mls.group.returning import come_back, forget, leave_behind, spent_unless_kept
from mls.group.state import Status
from mls.wire.proposals import Remove, SelfRemove
from tests.mls.stored import MemoryStore, reload
from tests.mls.world import World, fingerprint

if TYPE_CHECKING:
    from mls.group.received import Received
    from mls.group.state import GroupState
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

PEOPLE = ("alice", "bob", "carol")


@dataclass
class Crossroads:
    """Three members who applied a Commit of bob's, and what each keeps of the epoch before."""

    world: World
    kept: dict[str, GroupState]
    before: dict[str, tuple[object, ...]]

    @classmethod
    def reached(cls, *proposals: AnyProposal, early: int = 0) -> Crossroads:
        """`early` messages of alice's were sent and read before."""
        world = World.of(*PEOPLE)
        for number in range(early):
            message = say(world, "alice", b"early %d" % number)
            for name in ("bob", "carol"):
                hear(world, name, message)
        made = commit(world.states["bob"], world.environment, now=world.now, proposals=list(proposals))
        world.adopt("bob", made)
        kept, before = {}, {}
        for name in PEOPLE:
            state = world.states[name]
            applied = process(state, world.environment, made.output.message, now=world.now)
            kept[name], before[name] = leave_behind(state, applied.state), authenticator(state)
            assert isinstance(applied.output, Committed)
            wipe(spent_unless_kept(applied.spent, kept[name]))
            world.states[name] = applied.state
        return cls(world, kept, before)

    def go_back(self, *names: str) -> None:
        for name in names or PEOPLE:
            self.world.adopt(name, come_back(self.world.states[name], self.kept[name]))


def authenticator(state: GroupState) -> tuple[object, ...]:
    return state.epoch, state.public.context.encode(), state.epoch_authenticator


def say(world: World, name: str, data: bytes) -> MLSMessage:
    return world.adopt(name, protect(world.states[name], world.environment, data))


def hear(world: World, name: str, message: MLSMessage) -> Received:
    return world.adopt(name, process(world.states[name], world.environment, message, now=world.now))


def test_everybody_is_where_they_were_and_talks() -> None:
    roads = Crossroads.reached(early=2)
    world = roads.world
    assert {world.states[name].epoch for name in PEOPLE} == {roads.kept["alice"].epoch + 1}
    roads.go_back()
    assert {name: authenticator(world.states[name]) for name in PEOPLE} == roads.before
    for name in PEOPLE:
        message = say(world, name, name.encode())
        for other in PEOPLE:
            if other != name:
                heard = hear(world, other, message)
                assert isinstance(heard, ApplicationMessage)
                assert (heard.data, heard.generation) == (name.encode(), 2 if name == "alice" else 0)
    world.commit("bob")
    assert len({authenticator(world.states[name]) for name in PEOPLE}) == 1


@pytest.mark.parametrize("restart", [False, True], ids=["at once", "after a restart"])
def test_what_was_read_late_stays_read(*, restart: bool) -> None:
    world = World.of(*PEOPLE)
    sent = [say(world, "alice", b"%d" % number) for number in range(3)]
    made = commit(world.states["bob"], world.environment, now=world.now)
    applied = process(world.states["carol"], world.environment, made.output.message, now=world.now)
    kept = leave_behind(world.states["carol"], applied.state)
    wipe(spent_unless_kept(applied.spent, kept))
    world.states["carol"] = applied.state
    assert isinstance(hear(world, "carol", sent[1]), ApplicationMessage)
    if restart:
        world.states["carol"], kept = reload(world.states["carol"]), reload(kept)
    world.adopt("carol", come_back(world.states["carol"], kept))
    with pytest.raises(ExhaustedError):
        process(world.states["carol"], world.environment, sent[1], now=world.now)
    for late in (sent[0], sent[2]):
        assert isinstance(hear(world, "carol", late), ApplicationMessage)


def test_who_was_removed_is_in_again() -> None:
    leaf = World.of(*PEOPLE).states["carol"].own_leaf
    roads = Crossroads.reached(Remove(leaf))
    statuses = [roads.world.states["carol"].status]
    roads.go_back()
    statuses.append(roads.world.states["carol"].status)
    assert statuses == [Status.REMOVED, Status.ACTIVE]
    assert authenticator(roads.world.states["carol"]) == roads.before["carol"]
    message = say(roads.world, "carol", b"still here")
    assert isinstance(hear(roads.world, "alice", message), ApplicationMessage)


def test_a_wish_to_leave_counts_again() -> None:
    world = World.of(*PEOPLE)
    wish = world.adopt("carol", leave(world.states["carol"], world.environment))
    for name in ("alice", "bob"):
        hear(world, name, wish)
    made = commit(world.states["bob"], world.environment, now=world.now)
    world.adopt("bob", made)
    applied = process(world.states["bob"], world.environment, made.output.message, now=world.now)
    kept = leave_behind(world.states["bob"], applied.state)
    wipe(spent_unless_kept(applied.spent, kept))
    assert not applied.state.proposals
    back = come_back(applied.state, kept).state
    assert [type(item.proposal) for item in back.proposals] == [SelfRemove]


def test_of_ones_own_commits_those_that_wait_count_again_and_the_one_that_led_out_does_not() -> None:
    """In its epoch something was said: entered again, it would use those keys again."""
    world = World.of(*PEOPLE)
    waits, leads_out = (
        world.adopt("bob", commit(world.states["bob"], world.environment, now=world.now)).message for _ in range(2)
    )
    applied = process(world.states["bob"], world.environment, leads_out, now=world.now)
    kept = leave_behind(world.states["bob"], applied.state)
    wipe(spent_unless_kept(applied.spent, kept))
    said = protect(applied.state, world.environment, b"in the epoch that is void")
    wipe(said.spent)
    returned = come_back(said.state, kept)
    wipe(returned.spent)
    back = reload(returned.state)
    with pytest.raises(RuleError) as refused:
        process(back, world.environment, leads_out, now=world.now)
    assert refused.value.rule is rules.OWN_COMMIT_IS_PENDING
    assert isinstance(process(back, world.environment, waits, now=world.now).output, Committed)


def test_nothing_of_the_other_epoch_is_left() -> None:
    roads = Crossroads.reached(early=1)
    for name in PEOPLE:
        after, kept = roads.world.states[name], roads.kept[name]
        back = come_back(after, kept)
        left = {id(secret) for secret in back.state.secrets()}
        assert {id(secret) for secret in back.spent} == {id(secret) for secret in after.secrets()} - left
        wipe(back.spent)
        assert not any(secret.is_wiped for secret in back.state.secrets())


def test_nothing_of_what_was_kept_is_left() -> None:
    roads = Crossroads.reached(early=1)
    for name in PEOPLE:
        after, kept = roads.world.states[name], roads.kept[name]
        told = fingerprint(after)
        spent = forget(after, kept)
        assert spent
        wipe(spent)
        assert fingerprint(after) == told
        shared = {id(secret) for secret in after.secrets()}
        assert all(secret.is_wiped or id(secret) in shared for secret in kept.secrets())


def test_what_is_kept_holds_no_message_keys() -> None:
    roads = Crossroads.reached(early=1)
    kept = roads.kept["carol"]
    assert kept.past == ()
    assert all(secret.is_wiped for secret in kept.messages.secrets())
    for attempt in (
        lambda: protect(kept, roads.world.environment, b"once more"),
        lambda: commit(kept, roads.world.environment, now=roads.world.now),
        lambda: leave_behind(kept, roads.world.states["carol"]),
    ):
        with pytest.raises(UsageError, match="the epoch was left"):
            attempt()
    with pytest.raises(UsageError, match="wiped"):
        process(kept, roads.world.environment, say(World.of(*PEOPLE), "alice", b"early"), now=roads.world.now)


def test_a_store_follows() -> None:
    roads = Crossroads.reached(early=1)
    store, beside = MemoryStore(), MemoryStore()
    after, kept = roads.world.states["carol"], roads.kept["carol"]
    store.save(None, after)
    beside.save(None, kept)
    back = come_back(after, kept).state
    store.save(after, back)
    assert fingerprint(store.load()) == fingerprint(back)
    assert fingerprint(beside.load()) == fingerprint(kept)
    assert beside.load().status is Status.LEFT


def test_there_is_no_other_way_back() -> None:
    roads = Crossroads.reached()
    world, kept = roads.world, roads.kept["alice"]
    with pytest.raises(UsageError, match="not what was kept"):
        come_back(world.states["alice"], world.states["bob"])
    with pytest.raises(UsageError, match="no way back"):
        come_back(World.of(*PEOPLE).states["alice"].with_changes({"past": ()}), kept)
    world.commit("bob")
    with pytest.raises(UsageError, match="no way back"):
        come_back(world.states["alice"], kept)
    other = World.of("alice", seed=2).states["alice"]
    with pytest.raises(UsageError, match="no way back"):
        come_back(world.states["alice"], leave_behind(other, other))


def test_the_example_in_the_documentation() -> None:
    result = doctest.testmod(returning)
    assert (result.attempted >= 4, result.failed) == (True, 0)
