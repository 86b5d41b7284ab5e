"""What a state keeps of what is over, for how long, and that nothing else of it can be reached."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.crypto.kem import Kem
from mls.crypto.secret import Secret, wipe
from mls.crypto.signature import SignatureScheme
from mls.crypto.suite import CipherSuite
from mls.errors import MlsError, UsageError
from mls.group.committing import commit
from mls.group.environment import Limits
from mls.group.epoch import expire
from mls.group.group_info import group_info
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import export, leave, propose, propose_update, protect
from mls.group.processing import process
from mls.group.received import ApplicationMessage
from mls.group.returning import leave_behind
from mls.group.state import Status
from mls.registry import MLS10, ResumptionPSKUsage, WireFormat
from mls.wire.proposals import PreSharedKey, ReInit, Remove
from mls.wire.psk import PreSharedKeyID, ResumptionPSK
from tests.mls.journey import WatchedWorld, live, say
from tests.mls.rules.support import refused
from tests.mls.world import GROUP_ID, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.group.environment import Environment
    from mls.group.state import GroupState, Transition


def held(state: GroupState) -> list[int]:
    """Return the past epochs that a state holds, newest first."""
    return [past.context.epoch for past in state.past]


def identities(state: GroupState) -> set[int]:
    return {id(secret) for secret in state.secrets()}


def world_with(limits: Limits, *, commits: int, seconds: int = 1) -> World:
    """Return a world of alice and bob with some Commits behind it, so many seconds apart. Epoch 1 is the first."""
    world = World.of("alice", "bob")
    world.states["alice"] = replace(world.states["alice"], past=())
    world.set(limits=limits)
    for _ in range(commits):
        world.now += seconds
        world.commit("bob")
    return world


# How long a past epoch is kept


def test_by_number() -> None:
    limits = Limits(past_grace=0, past_epochs=2)
    world = world_with(limits, commits=6)
    # The newest one ended this very second, and is within the grace period of none at all.
    assert held(world.states["alice"]) == [6, 5]
    world.set(limits=Limits(past_grace=0, past_epochs=0))
    world.now += 1
    world.commit("bob")
    assert held(world.states["alice"]) == [7]


def test_by_grace() -> None:
    limits = Limits(past_grace=10, past_epochs=1)
    world = world_with(limits, commits=5, seconds=4)
    assert held(world.states["alice"]) == [5, 4, 3], "their ages are 0, 4 and 8 seconds"
    state = world.states["alice"]
    for later, expected in ((0, [5, 4, 3]), (2, [5, 4, 3]), (3, [5, 4]), (6, [5, 4]), (7, [5]), (10_000, [5])):
        assert held(expire(state, now=world.now + later, limits=limits).state) == expected


def test_by_age() -> None:
    limits = Limits(past_grace=10, past_epochs=5, past_seconds=100)
    world = world_with(limits, commits=2, seconds=50)
    state = world.states["alice"]
    assert held(state) == [2, 1]
    for later, expected in ((50, [2, 1]), (51, [2]), (100, [2]), (101, [])):
        assert held(expire(state, now=world.now + later, limits=limits).state) == expected


def test_by_the_largest_number() -> None:
    limits = Limits(past_grace=1000, past_epochs=5, past_epochs_max=3)
    assert held(world_with(limits, commits=5).states["alice"]) == [5, 4, 3]
    assert held(world_with(Limits(past_epochs_max=0), commits=2).states["alice"]) == []


def test_a_clock_that_goes_back_keeps_epochs() -> None:
    limits = Limits(past_grace=0, past_epochs=0, past_seconds=10)
    world = world_with(limits, commits=2)
    state = world.states["alice"]
    assert held(expire(state, now=world.now - 10_000, limits=limits).state) == held(state) == [2]


def test_an_epoch_over_its_limits_is_not_read_even_before_it_is_forgotten() -> None:
    limits = Limits(past_grace=10, past_epochs=1, past_seconds=100)
    world = world_with(limits, commits=0)
    messages = []
    for _ in range(3):
        messages.append(say(world, "bob"))
        world.commit("bob")
    state = world.states["alice"]
    assert held(state) == [3, 2, 1]
    for later, readable in ((10, 3), (11, 1), (100, 1), (101, 0)):
        for number, message in enumerate(reversed(messages)):
            if number < readable:
                found = process(state, world.environment, message.encode(), now=world.now + later)
                assert isinstance(found.output, ApplicationMessage)
            else:
                with refused(rules.EPOCH_IS_HELD):
                    process(state, world.environment, message.encode(), now=world.now + later)


def test_expire_spends_what_it_forgets() -> None:
    world = world_with(Limits(), commits=3)
    say(world, "alice")
    before = world.states["alice"]
    forgotten = {id(secret) for past in before.past for secret in past.secrets()}
    assert forgotten <= identities(before)
    gone = expire(before, now=world.now + 10**9, limits=world.environment.limits)
    assert {id(secret) for secret in gone.spent} == forgotten
    assert forgotten.isdisjoint(identities(gone.state))
    assert (gone.state.past, gone.state.revision) == ((), before.revision + 1)
    same = expire(before, now=world.now, limits=world.environment.limits)
    assert (same.state, same.output, same.spent) == (before, None, ())


# Resumption PSKs


def resumption(epoch: int) -> PreSharedKey:
    usage = ResumptionPSKUsage.APPLICATION
    return PreSharedKey(PreSharedKeyID(ResumptionPSK(usage, GROUP_ID, epoch), bytes(32)))


def test_resumption_psks_are_kept_for_some_epochs() -> None:
    world = world_with(Limits(resumption_psks=3), commits=5)
    state = world.states["alice"]
    assert [key.epoch for key in state.resumption_keys] == [6, 5, 4]
    assert state.resumption_keys[0].psk is state.epoch_secrets.resumption_psk
    for epoch in (6, 5, 4):
        commit(state, world.environment, now=world.now, proposals=[resumption(epoch)])
    for epoch in (3, 7):
        with refused(rules.PSK_IS_AVAILABLE):
            commit(state, world.environment, now=world.now, proposals=[resumption(epoch)])


# What is spent


def test_each_step_spends_what_falls_away_and_nothing_else() -> None:
    kinds: set[str] = set()

    def watch(name: str, before: GroupState | None, transition: Transition[object]) -> GroupState:
        kept, spent = identities(transition.state), {id(secret) for secret in transition.spent}
        assert kept.isdisjoint(spent), name
        if before is not None:
            assert identities(before) - kept <= spent, f"{name} keeps what is over: {transition.output}"
            fallen = [secret for secret in before.secrets() if id(secret) not in kept and not secret.is_wiped]
            values = [secret.value for secret in transition.state.secrets() if not secret.is_wiped]
            assert not any(secret.value in values for secret in fallen), "it was copied"
        kinds.add(type(transition.output).__name__)
        return transition.state

    world = WatchedWorld(watch=watch)
    live(world)
    assert kinds == {
        "ApplicationMessage", "CommitOutput", "Committed", "ExternalJoin", "Joined", "MLSMessage", "NoneType",
        "OwnMessage", "ProposalReceived",
    }  # fmt: skip


def reachable(state: GroupState) -> tuple[set[int], list[bytes | bytearray]]:
    """Return the secrets that can be reached from a state, by whatever way, and all other bytes."""
    secrets: set[int] = set()
    plain: list[bytes | bytearray] = []
    seen: dict[int, object] = {}
    pending: list[object] = [state]
    while pending:
        item = pending.pop()
        if id(item) in seen or isinstance(item, type | CipherSuite | Kem | SignatureScheme):
            continue
        seen[id(item)] = item
        if isinstance(item, Secret):
            if not item.is_wiped:
                secrets.add(id(item))
        elif isinstance(item, bytes | bytearray):
            plain.append(item)
        else:
            pending += gc.get_referents(item)
    return secrets, plain


def test_nothing_but_what_a_state_knows_of_can_be_reached_from_it() -> None:
    states: list[GroupState] = []

    def check(state: GroupState) -> None:
        states.append(state)
        keys = [state.signature_key, *(update.signature_key for update in state.own_updates)]
        keys += [pending.next_epoch.signature_key for pending in state.pending]
        found, plain = reachable(state)
        assert found == {id(secret) for secret in state.secrets() if not secret.is_wiped} | {
            id(key.secret) for key in keys
        }
        everything = b"\xff\0".join(plain)
        assert not any(bytes(secret.value) in everything for secret in state.secrets() if not secret.is_wiped)

    def watch(name: str, before: GroupState | None, transition: Transition[object]) -> GroupState:  # noqa: ARG001
        state = transition.state
        check(state)
        if state.status is Status.ACTIVE:
            check(leave_behind(state, state))
        return state

    live(WatchedWorld(watch=watch))
    assert {state.status for state in states} == set(Status)
    assert any(state.pending for state in states)
    assert any(state.own_updates for state in states)


# Being removed


def test_whoever_is_removed_has_nothing_left_but_what_late_messages_need() -> None:
    world = World.of("alice", "bob")
    world.commit("alice")
    update = propose_update(world.states["bob"], world.environment, leaf_changes=LeafChanges())
    world.deliver(world.adopt("bob", update))
    before = world.states["bob"]
    pending = commit(before, world.environment, now=world.now)
    world.adopt("bob", pending)
    world.commit("alice", Remove(world.leaf("bob")), references=())
    state = world.states["bob"]
    assert (state.status, held(state)) == (Status.REMOVED, [2, 1])
    left = {id(secret) for secret in state.secrets() if not secret.is_wiped}
    assert left == {id(secret) for past in state.past for secret in past.secrets()}
    assert (state.pending, state.proposals, state.own_updates, state.resumption_keys) == ((), (), (), ())
    assert all(secret.is_wiped for secret in before.epoch_secrets.all() if id(secret) not in left)
    assert all(secret.is_wiped for secret in pending.output.pending.next_epoch.secrets())
    assert [own.encryption_key.secret.is_wiped for own in before.own_updates] == [True]


USES: dict[str, Callable[[GroupState, Environment], object]] = {
    "protect": lambda state, env: protect(state, env, b""),
    "propose": lambda state, env: propose(state, env, Remove(0)),
    "propose openly": lambda state, env: propose(state, env, Remove(0), wire_format=WireFormat.PUBLIC_MESSAGE),
    "propose_update": lambda state, env: propose_update(state, env, leaf_changes=LeafChanges()),
    "leave": leave,
    "commit": lambda state, env: commit(state, env, now=0),
    "group_info": lambda state, env: group_info(state),  # noqa: ARG005 - one of a kind
    "export": lambda state, env: export(state, "label", b"", 16),  # noqa: ARG005 - one of a kind
    "epoch_authenticator": lambda state, env: state.epoch_authenticator,  # noqa: ARG005 - one of a kind
}


@pytest.mark.parametrize("use", USES)
def test_whoever_is_removed_can_do_nothing(use: str) -> None:
    world = World.of("alice", "bob")
    world.commit("alice", Remove(1))
    with pytest.raises(UsageError, match=r"removed|wiped"):
        USES[use](world.states["bob"], world.environment)


@pytest.mark.parametrize("use", [use for use in USES if use not in {"export", "epoch_authenticator"}])
def test_in_a_closed_group_nothing_is_sent(use: str) -> None:
    world = World.of("alice", "bob")
    world.commit("alice", ReInit(b"next", MLS10, 1, ()))
    with pytest.raises(UsageError, match="closed by a ReInit"):
        USES[use](world.states["bob"], world.environment)


def test_a_closed_group_still_exports() -> None:
    world = World.of("alice", "bob")
    world.commit("alice", ReInit(b"next", MLS10, 1, ()))
    for use in ("export", "epoch_authenticator"):
        assert len({bytes(USES[use](state, world.environment)) for state in world.states.values()}) == 1  # type: ignore[call-overload]


@pytest.mark.parametrize("use", [use for use in USES if use != "propose openly"])
def test_a_state_that_was_replaced_can_do_nothing(use: str) -> None:
    world = World.of("alice", "bob")
    old = world.states["bob"]
    world.process("bob", say(world, "alice"))  # of the old state, this wipes the way to alice's ratchet
    USES[use](world.states["bob"], world.environment)
    world.commit("alice")
    wipe(expire(world.states["bob"], now=10**10, limits=world.environment.limits).spent)
    with pytest.raises(MlsError, match="wiped"):
        USES[use](old, world.environment)
