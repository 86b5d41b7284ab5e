"""States, transitions and wire structs are values: nothing changes them, and two steps from one show."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pickle
import pkgutil
from typing import TYPE_CHECKING

import pytest

import mls
from mls.codec import Struct
from mls.errors import MlsError, UsageError
from mls.group.committing import commit
from mls.group.epoch import expire
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import (
    drop_proposals,
    export,
    leave,
    propose,
    propose_add,
    propose_update,
    protect,
)
from mls.group.processing import process
from mls.group.state import GroupState, Transition
from mls.wire.proposals import Add, Remove
from tests.mls.journey import WatchedWorld, live, post, say
from tests.mls.stored import MemoryStore
from tests.mls.world import World, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def classes() -> Iterator[type]:
    """Yield the engine's own classes."""
    for module in pkgutil.walk_packages(mls.__path__, "mls."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and value.__module__ == module.name:
                yield value


def test_dataclasses_are_frozen() -> None:
    found = [kind for kind in classes() if dataclasses.is_dataclass(kind)]
    assert {GroupState, Transition} <= set(found)
    for kind in found:
        assert kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]
        assert "__slots__" in vars(kind), kind


def test_structs_are_frozen() -> None:
    found = [kind for kind in classes() if issubclass(kind, Struct) and kind is not Struct]
    assert len(found) > 50
    world = World.of("alice")
    context = world.states["alice"].public.context
    for field in context.wire_fields:
        with pytest.raises(AttributeError):
            setattr(context, field.name, None)
        with pytest.raises(AttributeError):
            delattr(context, field.name)
    assert all(not hasattr(kind, "__dict__") or "__dict__" not in kind.__slots__ for kind in found)


def test_states_and_transitions_are_frozen() -> None:
    world = World.of("alice", "bob")
    transition = protect(world.states["alice"], world.environment, b"hello")
    for value in (transition, transition.state, transition.state.public, world.environment, world.client("alice")):
        for field in dataclasses.fields(value):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(value, field.name, None)
            with pytest.raises(dataclasses.FrozenInstanceError):
                delattr(value, field.name)


def test_states_are_shared_not_copied() -> None:
    state = World.of("alice", "bob").states["alice"]
    with pytest.raises((TypeError, UsageError)):
        pickle.dumps(state)
    with pytest.raises((TypeError, UsageError)):
        copy.deepcopy(state)  # noqa: TID251 - this is what must not work


def test_nothing_shows_a_secret() -> None:
    world = World.of("alice", "bob")
    say(world, "alice")
    bundle = world.key_package("carol")
    world.adopt("alice", commit(world.states["alice"], world.environment, now=world.now))
    state = world.states["alice"]
    shown = "".join(
        repr(value)
        for value in (
            state, state.public, state.epoch_secrets, state.messages, state.messages.root, state.private_tree,
            state.signature_key, state.pending[0], state.pending[0].next_epoch, world.client("alice"), bundle,
            protect(state, world.environment, b"hello"),
        )
    )  # fmt: skip
    keys = [state.signature_key.secret, bundle.init_key.secret, bundle.encryption_key.secret]
    for secret in [*state.secrets(), *keys]:
        assert secret.value.hex() not in shown
        assert repr(bytes(secret.value))[2:-1] not in shown


# Two steps from one state


def setting() -> tuple[World, GroupState]:
    """Return a world in which bob can do anything, and his state."""
    world = World.of("alice", "bob", "carol")
    world.commit("alice")
    post(world, "alice", Remove(2))
    return world, world.states["bob"]


STEPS: dict[str, Callable[[World, GroupState], Transition[object]]] = {
    "protect": lambda world, state: protect(state, world.environment, b"", while_proposals_wait=True),
    "propose": lambda world, state: propose(state, world.environment, Remove(0)),
    "propose_add": lambda world, state: propose_add(
        state, world.environment, world.key_package("dave").key_package, now=world.now
    ),
    "propose_update": lambda world, state: propose_update(state, world.environment, leaf_changes=LeafChanges()),
    "leave": lambda world, state: leave(state, world.environment),
    "commit": lambda world, state: commit(state, world.environment, now=world.now),
    "drop_proposals": lambda world, state: drop_proposals(state, [state.proposals[0].reference or b""]),  # noqa: ARG005
    "expire": lambda world, state: expire(state, now=10**10, limits=world.environment.limits),
    "a message": lambda world, state: process(
        state,
        world.environment,
        protect(world.states["alice"], world.environment, b"", while_proposals_wait=True).output,
        now=world.now,
    ),
    "a proposal": lambda world, state: process(
        state, world.environment, propose(world.states["alice"], world.environment, Remove(1)).output, now=world.now
    ),
    "a Commit": lambda world, state: process(
        state, world.environment, commit(world.states["alice"], world.environment, now=world.now).output.message, now=0
    ),
    "an external Commit": lambda world, state: process(
        state,
        world.environment,
        join_externally(world.client("erin"), world.environment, group_info(world.states["alice"])).output.message,
        now=world.now,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_made_twice_is_stored_once(name: str) -> None:
    world, state = setting()
    step = STEPS[name]
    store = MemoryStore()
    store.save(None, state)
    before = fingerprint(state)
    first, second = step(world, state), step(world, state)
    assert fingerprint(state) == before
    assert first.state.revision == second.state.revision == state.revision + 1
    store.save(state, first.state)
    with pytest.raises(AssertionError, match="somebody else"):
        store.save(state, second.state)


@pytest.mark.parametrize("name", [name for name in STEPS if name not in {"expire", "drop_proposals"}])
def test_a_step_that_fails_changes_nothing(name: str) -> None:
    world, state = setting()
    world.commit("alice", Remove(1), references=())
    removed = world.states["bob"]
    before = fingerprint(removed)
    with pytest.raises(MlsError):
        STEPS[name](world, removed)
    assert fingerprint(removed) == before
    assert state.revision < removed.revision


def test_what_only_reads_leaves_all_as_it_was() -> None:
    _, state = setting()
    before = fingerprint(state)
    group_info(state)
    export(state, "label", b"context", 32)
    list(state.members())
    assert state.epoch_authenticator
    assert fingerprint(state) == before


def test_revisions_count_steps() -> None:
    def watch(name: str, before: GroupState | None, transition: Transition[object]) -> GroupState:
        state = transition.state
        if before is None:
            assert state.revision == 0, name
        else:
            assert state is before or state.revision == before.revision + 1, name
        return state

    live(WatchedWorld(watch=watch))


def test_a_state_can_be_gone_on_from_in_two_ways() -> None:
    world = World.of("alice", "bob")
    state = world.states["alice"]
    add, remove = (
        commit(state, world.environment, now=world.now, proposals=proposals)
        for proposals in ([Add(world.key_package("carol").key_package)], [Remove(1)])
    )
    for made, members in ((add, 3), (remove, 1)):
        after = process(made.state, world.environment, made.output.message, now=world.now)
        assert after.state.public.tree.member_count == members
    assert state.public.tree.member_count == 2
