"""Cipher suites that are not standardised: nobody gets into one unasked, and whoever asks can move a group there.

That everything works in such a group, too, is what the tests of all cipher suites show (`tests.mls.variants`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES
from mls.errors import DecodeError, UsageError
from mls.group.creation import Client
from mls.group.joining import join
from mls.group.messaging import external_proposal, new_member_proposal
from mls.group.received import Committed
from mls.group.state import Status
from mls.group.successors import reinitialize
from mls.persistence import changes, decode_key_package_bundle, encode_key_package_bundle, load
from mls.registry import GREASE, MLS10
from mls.wire.proposals import Add, ReInit, Remove
from tests.mls.journey import come_from_outside, talk
from tests.mls.stored import reload
from tests.mls.world import GROUP_ID, LIFETIME, NOW, World

if TYPE_CHECKING:
    from mls.group.state import GroupState
    from mls.persistence import PartKey

XWING = 0x004D

experimental_suites = pytest.mark.parametrize("suite", EXPERIMENTAL_CIPHER_SUITES)
refused = pytest.raises(UsageError, match=r"cipher suite 77 .* is experimental, .* say experimental=True")


def parts_of(state: GroupState) -> dict[PartKey, bytes]:
    return {part.key: part.data for part in changes(None, state).put}


# Asking


def test_a_client_has_to_ask() -> None:
    random = World().environment.random

    with refused:
        Client.basic(b"alice", random, suite=XWING)
    assert Client.basic(b"alice", random, suite=XWING, experimental=True).suite is EXPERIMENTAL_CIPHER_SUITES[XWING]
    assert Client.basic(b"alice", random, experimental=True).suite is CIPHER_SUITES[1]


def test_a_stored_state_has_to_be_asked_for() -> None:
    state = World.of("alice", suite=XWING).states["alice"]

    with refused:
        load(parts_of(state))
    assert load(parts_of(state), experimental=True).epoch_authenticator == state.epoch_authenticator
    assert load(parts_of(World.of("alice").states["alice"]), experimental=True).suite is CIPHER_SUITES[1]


def test_a_stored_key_package_has_to_be_asked_for() -> None:
    bundle = World(XWING).key_package("alice")
    data = encode_key_package_bundle(bundle)

    with refused:
        decode_key_package_bundle(data)
    assert decode_key_package_bundle(data, experimental=True).reference == bundle.reference


def test_a_proposal_from_outside_has_to_be_asked_for() -> None:
    world = World.of("alice", suite=XWING)
    bundle, context = world.key_package("bob"), world.states["alice"].public.context

    with refused:
        external_proposal(context, 0, bundle.signature_key, Remove(0))
    with refused:
        new_member_proposal(context, bundle.signature_key, bundle.key_package)
    world.deliver(new_member_proposal(context, bundle.signature_key, bundle.key_package, experimental=True))
    world.commit("alice", joiners=[("bob", bundle)])
    talk(world)


def test_asking_does_not_make_up_a_suite() -> None:
    world = World.of("alice")
    data = encode_key_package_bundle(world.key_package("bob"))
    unknown = data[:4] + (8).to_bytes(2, "big") + data[6:]

    with pytest.raises(DecodeError, match="cipher suite 8, which is not supported"):
        decode_key_package_bundle(unknown, experimental=True)


@experimental_suites
def test_capabilities_list_a_suite_only_where_it_was_asked_for(suite: int) -> None:
    random = World().environment.random
    asked = Client.basic(b"alice", random, suite=suite, experimental=True).capabilities.cipher_suites

    assert set(asked) - GREASE == {suite}
    for standard in CIPHER_SUITES:
        listed = Client.basic(b"alice", random, suite=standard).capabilities.cipher_suites
        assert not set(listed) & EXPERIMENTAL_CIPHER_SUITES.keys()


# Moving


@experimental_suites
def test_a_group_moves_by_reinit_and_goes_on(suite: int) -> None:
    world = World.of("alice", "bob", "carol")
    old_key = world.states["alice"].epoch_authenticator
    world.commit("bob", ReInit(b"the next group", MLS10, suite, ()))
    assert {state.status for state in world.states.values()} == {Status.REINITIALIZED}

    new = World(suite, seed=2)
    for name in world.states:
        new.clients[name] = Client.basic(name.encode(), new.environment.random, suite=suite, experimental=True)
    bundles = {name: new.key_package(name) for name in ("alice", "carol")}
    made = reinitialize(
        world.states["bob"],
        new.client("bob"),
        new.environment,
        [bundle.key_package for bundle in bundles.values()],
        lifetime=LIFETIME,
        now=NOW,
    )
    message = new.adopt("bob", made).message
    received = new.process("bob", message)
    assert isinstance(received, Committed)
    assert received.welcome is not None
    for name, bundle in bundles.items():
        stored = decode_key_package_bundle(encode_key_package_bundle(bundle), experimental=True)
        previous = reload(world.states[name])
        new.adopt(name, join(new.environment, received.welcome, [stored], previous=previous, groups=[GROUP_ID]))
    assert {state.suite.number for state in new.states.values()} == {suite}
    assert new.states["alice"].epoch_authenticator != old_key

    new.states = {name: reload(state) for name, state in new.states.items()}
    talk(new)
    come_from_outside(new, "dave", "carol")
    new.add("dave", "erin")
    new.commit("erin", Remove(new.leaf("carol")))
    del new.states["carol"]
    talk(new)


def test_a_member_who_does_not_ask_is_told_so_and_stays_where_it_was() -> None:
    world = World.of("alice", "bob")
    world.commit("alice", ReInit(b"the next group", MLS10, XWING, ()))
    state = world.states["bob"]
    assert state.reinit is not None

    with refused:
        Client.basic(b"bob", world.environment.random, suite=state.reinit.cipher_suite)
    with pytest.raises(UsageError, match="the new group has cipher suite 77, not 1"):
        reinitialize(state, world.client("bob"), world.environment, [], lifetime=LIFETIME, now=NOW)


# From the start


def test_a_group_that_was_asked_for_from_the_start() -> None:
    world = World(XWING)
    random = world.environment.random
    for name in ("alice", "bob"):
        world.clients[name] = Client.basic(name.encode(), random, suite=XWING, experimental=True)
    world.found("alice")
    bundle = world.key_package("bob")
    world.commit("alice", Add(bundle.key_package), joiners=[("bob", bundle)])

    assert len(bundle.key_package.init_key) == 1216
    assert world.states["bob"].public.context.cipher_suite == XWING
    talk(world)
