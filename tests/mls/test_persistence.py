"""States in parts: what is written, what is secret, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mls.errors import InternalError, UsageError
from mls.group.committing import CommitOptions, commit
from mls.group.creation import create_group
from mls.group.epoch import expire
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import leave, propose_update, protect
from mls.group.processing import process
from mls.group.received import Committed
from mls.group.state import Status
from mls.persistence import (
    Changes,
    Part,
    PartKey,
    PartKind,
    changes,
)
from mls.registry import WireFormat
from mls.wire.proposals import Add, Remove
from tests.mls.journey import WatchedWorld, live, post, say, talk
from tests.mls.stored import MemoryStore, reload
from tests.mls.world import LIFETIME, World, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mls.group.state import GroupState, Transition

SECRET_KINDS = {
    PartKind.EPOCH_SECRETS,
    PartKind.SENDER_DATA_SECRET,
    PartKind.SECRET_NODE,
    PartKind.HANDSHAKE_RATCHET,
    PartKind.APPLICATION_RATCHET,
    PartKind.PRIVATE_KEY,
    PartKind.SIGNATURE_KEY,
    PartKind.RESUMPTION_PSK,
    PartKind.OWN_UPDATE,
    PartKind.PENDING_COMMIT,
}


def parts_of(state: GroupState) -> dict[PartKey, bytes]:
    """Return a state as it is stored all at once."""
    store = MemoryStore()
    store.save(None, state)
    return store.parts


class Stores:
    """A store for each member, which sees each step."""

    def __init__(self, *, with_restarts: bool) -> None:
        self.with_restarts = with_restarts
        self.stores: dict[str, MemoryStore] = {}
        self.kinds: set[PartKind] = set()

    def watch(self, name: str, before: GroupState | None, transition: Transition[object]) -> GroupState:
        state = transition.state
        if before is None:
            self.stores[name] = MemoryStore()
        store = self.stores[name]
        self.kinds |= {part.key.kind for part in store.save(before, state).put}
        assert store.parts == parts_of(state), f"{name}: what changed is not what is different"
        loaded = store.load()
        assert fingerprint(loaded) == fingerprint(state)
        assert parts_of(loaded) == store.parts
        return loaded if self.with_restarts else state


# After every kind of step


@pytest.mark.parametrize("suite", [1, 2, 4, 0x004E])
def test_what_comes_back_after_a_restart_goes_on(suite: int) -> None:
    stores = Stores(with_restarts=True)
    live(WatchedWorld(suite, watch=stores.watch))
    assert stores.kinds == set(PartKind)


def test_what_changed_is_what_is_different() -> None:
    """And no secret that fell away is in a store any more."""
    stores = Stores(with_restarts=False)

    def watch(name: str, before: GroupState | None, transition: Transition[object]) -> GroupState:
        state = stores.watch(name, before, transition)
        everything = b"\xff\0".join(stores.stores[name].parts.values())
        if before is not None:  # who joins copies a key of its KeyPackage
            assert not any(secret.value in everything for secret in transition.spent if not secret.is_wiped)
        return state

    live(WatchedWorld(watch=watch))
    assert stores.kinds == set(PartKind)


def kept_and_new(state: GroupState) -> Iterator[bytes]:
    """Yield each secret of a state, by its value."""
    yield from (bytes(secret.value) for secret in state.secrets() if not secret.is_wiped)
    for key in (
        state.signature_key,
        *(update.signature_key for update in state.own_updates),
        *(pending.next_epoch.signature_key for pending in state.pending),
    ):
        yield bytes(key.secret.value)


def test_secrets_are_in_secret_parts_alone() -> None:
    def watch(name: str, before: GroupState | None, transition: Transition[object]) -> GroupState:  # noqa: ARG001
        state = transition.state
        parts = [Part(key, data) for key, data in parts_of(state).items()]
        public = b"\xff\0".join(part.data for part in parts if not part.is_secret)
        secret = b"\xff\0".join(part.data for part in parts if part.is_secret)
        for value in kept_and_new(state):
            assert value in secret
            assert value not in public
        assert {part.key.kind for part in parts if part.is_secret} <= SECRET_KINDS
        assert SECRET_KINDS.isdisjoint(part.key.kind for part in parts if not part.is_secret)
        return state

    live(WatchedWorld(watch=watch))
    assert {kind for kind in PartKind if Part(PartKey(kind), b"").is_secret} == SECRET_KINDS


def test_parts_do_not_show_what_they_hold() -> None:
    assert repr(Part(PartKey(PartKind.SECRET_NODE, 7, 3), b"secret")) == "Part(SECRET_NODE, 7, 3: 6 bytes)"


# How much is written


def large_world(members: int) -> World:
    """Return a world of alice, bob, and others who never say anything."""
    world = World.of("alice")
    bundles = [world.key_package(f"member {number}") for number in range(members - 2)]
    bob = world.key_package("bob")
    adds = [Add(bundle.key_package) for bundle in (bob, *bundles)]
    world.commit("alice", *adds, joiners=[("bob", bob)])
    return world


def size(change: Changes) -> tuple[int, int]:
    return len(change.put) + len(change.delete), sum(len(part.data) for part in change.put)


def written(world: World, count: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return what each message from alice makes her and bob write: parts, and bytes."""
    result = []
    for _ in range(count):
        alice, bob = world.states["alice"], world.states["bob"]
        sent = protect(alice, world.environment, b"hello")
        received = process(bob, world.environment, sent.output, now=world.now)
        result.append((size(changes(alice, sent.state)), size(changes(bob, received.state))))
        world.adopt("alice", sent)
        world.adopt("bob", received)
    return result


def test_a_message_costs_the_same_in_every_group() -> None:
    small, large = written(large_world(2), 4), written(large_world(200), 4)
    assert small[1:] == large[1:]
    assert len(set(small[1:])) == 1
    parts, size_in_bytes = small[1][0]
    assert parts == 2, "the header and one ratchet"
    assert size_in_bytes < 100


def test_the_first_message_of_a_sender_costs_its_way_through_the_tree() -> None:
    (small, _), (large, _) = written(large_world(2), 2), written(large_world(200), 2)
    for (small_parts, small_bytes), (large_parts, large_bytes) in zip(small, large, strict=True):
        assert (small_parts, large_parts) == (1 + 2 + 1 + 1, 1 + 2 + 1 + 8), "header, ratchets, the root, siblings"
        assert large_bytes - small_bytes == 7 * 32


def test_what_is_one_state_needs_no_writing() -> None:
    world = World.of("alice", "bob")
    state = world.states["alice"]
    same = changes(state, expire(state, now=world.now, limits=world.environment.limits).state)
    assert same == Changes(state.revision, state.revision, (), ())


# Revisions


def test_of_two_steps_from_one_state_one_is_stored() -> None:
    world = World.of("alice", "bob")
    state, store = world.states["alice"], MemoryStore()
    store.save(None, state)
    first, second = (protect(state, world.environment, data).state for data in (b"one", b"two"))
    assert changes(state, first).revision_before == changes(state, second).revision_before == state.revision
    assert changes(state, first).revision_after == state.revision + 1 == first.revision
    store.save(state, first)
    with pytest.raises(AssertionError, match="somebody else"):
        store.save(state, second)
    assert fingerprint(store.load()) == fingerprint(first)


def test_states_go_forward_alone() -> None:
    world = World.of("alice", "bob")
    state = world.states["alice"]
    after, other = (protect(state, world.environment, data).state for data in (b"one", b"two"))
    for before, earlier in ((after, state), (after, other), (protect(after, world.environment, b"").state, after)):
        with pytest.raises(UsageError, match="does not come after"):
            changes(before, earlier)


def test_steps_can_be_stored_together() -> None:
    world = World.of("alice", "bob")
    state, store = world.states["alice"], MemoryStore()
    store.save(None, state)
    for _ in range(3):
        say(world, "alice")
    world.commit("bob")
    say(world, "alice")
    store.save(state, world.states["alice"])
    assert store.parts == parts_of(world.states["alice"])


# What survives a restart


def test_pending_commits() -> None:
    world = World.of("alice", "bob", "carol")
    bundle = world.key_package("dave")
    key = world.suite.generate_signature_key(world.environment.random)
    options = CommitOptions(
        leaf_changes=LeafChanges(signature_key=key), wire_format=WireFormat.PUBLIC_MESSAGE, authenticated_data=b"why"
    )
    alternatives = ([Remove(2)], [Add(bundle.key_package)])
    outputs = []
    for proposals in alternatives:
        state = world.states["alice"]
        made = commit(state, world.environment, now=world.now, proposals=proposals, options=options)
        outputs.append(world.adopt("alice", made))
    expected = [output.pending.next_epoch.committed for output in outputs]
    world.states["alice"] = reload(world.states["alice"])
    assert [item.next_epoch.committed for item in world.states["alice"].pending] == expected
    received = world.deliver(outputs[1].message)["alice"]
    assert received == expected[1]
    assert isinstance(received, Committed)
    assert received.welcome == outputs[1].pending.welcome
    assert received.welcome is not None
    world.adopt("dave", join(world.environment, received.welcome, [bundle]))
    talk(world)


def test_own_updates() -> None:
    world = World.of("alice", "bob", "carol")
    key = world.suite.generate_signature_key(world.environment.random)
    made = propose_update(world.states["bob"], world.environment, leaf_changes=LeafChanges(signature_key=key))
    world.deliver(world.adopt("bob", made))
    world.states = {name: reload(state) for name, state in world.states.items()}
    world.commit("alice")
    assert world.states["bob"].signature_key.public_key == key.public_key
    talk(world)


def test_waiting_proposals() -> None:
    world = World.of("alice", "bob", "carol")
    reference = post(world, "alice", Remove(2))
    world.deliver(world.adopt("bob", leave(world.states["bob"], world.environment)))
    world.states = {name: reload(state) for name, state in world.states.items()}
    assert len(world.states["alice"].proposals) == 2
    received = world.commit("alice")["alice"]
    assert isinstance(received, Committed)
    assert received.proposals[0].reference == reference
    assert [world.states[name].status for name in ("bob", "carol")] == [Status.REMOVED] * 2


def test_a_pending_epoch_is_stored_as_it_begins() -> None:
    world = World.of("alice", "bob")
    output = world.adopt("alice", commit(world.states["alice"], world.environment, now=world.now))
    following = output.pending.next_epoch
    used, _, _ = following.messages.next_key(world.states["alice"].own_leaf, 1)  # type: ignore[arg-type]
    object.__setattr__(following, "messages", used)
    with pytest.raises(InternalError):
        changes(None, world.states["alice"])


def test_a_new_group_can_be_stored() -> None:
    world = World()
    state = create_group(world.client("alice"), world.environment, group_id=b"new", lifetime=LIFETIME).state
    assert fingerprint(reload(state)) == fingerprint(state)
