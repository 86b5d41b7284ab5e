"""What the application's authentication service is asked, and what its answers do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.group.authentication import AuthenticationService, UnsafeTrustEveryone
from mls.group.committing import CommitOptions, commit
from mls.group.creation import create_group
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose_update
from mls.group.successors import branch, reinitialize
from mls.registry import MLS10
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import ExternalSender, ExternalSenders, pack_extension
from mls.wire.proposals import Add, GroupContextExtensions, ReInit, Remove
from tests.mls.journey import come_from_outside, live, talk
from tests.mls.rules.support import refused
from tests.mls.world import LIFETIME, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.wire.credentials import AnyCredential
    from mls.wire.leaf_node import LeafNode


@dataclass
class Registrar:
    """Knows people by name, the devices that they have, and who may change to what."""

    strangers: set[bytes] = field(default_factory=set)
    may_change: bool = True
    name: Callable[[LeafNode], bytes | None] = lambda _: None
    asked: list[tuple[AnyCredential, bytes]] = field(default_factory=list)
    changed: list[tuple[AnyCredential, AnyCredential]] = field(default_factory=list)

    def accepts(self, credential: AnyCredential, signature_key: bytes) -> bool:
        self.asked.append((credential, signature_key))
        assert isinstance(credential, BasicCredential)
        return credential.identity not in self.strangers

    def accepts_successor(self, old: AnyCredential, new: AnyCredential) -> bool:
        self.changed.append((old, new))
        return self.may_change

    def client_id(self, leaf: LeafNode) -> bytes | None:
        return self.name(leaf)


def person(leaf: LeafNode) -> bytes | None:
    """Return the name before the slash: all devices of one person are one client."""
    assert isinstance(leaf.credential, BasicCredential)
    name, slash, _ = leaf.credential.identity.partition(b"/")
    return name if slash else None


def world_of(registrar: Registrar, *names: str) -> World:
    world = World()
    world.set(authentication=registrar)
    world.found(names[0])
    if names[1:]:
        world.add(names[0], *names[1:])
    return world


def test_trusting_everyone_is_a_service() -> None:
    service: AuthenticationService = UnsafeTrustEveryone()
    world = World.of("alice")
    leaf = world.states["alice"].public.tree.leaf(0)
    assert leaf is not None
    assert service.accepts(leaf.credential, leaf.signature_key)
    assert service.accepts_successor(leaf.credential, BasicCredential(b"anybody"))
    assert service.client_id(leaf) is None


def test_every_credential_is_shown_with_its_key() -> None:
    registrar = Registrar()
    world = World()
    world.set(authentication=registrar)
    live(world)
    known = {
        (client.credential, client.signature_key.public_key) for name, client in world.clients.items() if name != "late"
    }
    assert known <= set(registrar.asked)
    assert registrar.changed == [], "nobody changed its name"


def test_strangers_are_not_let_in() -> None:
    registrar = Registrar()
    world = world_of(registrar, "alice", "bob")
    registrar.strangers = {b"mallory"}
    mallory, environment = world.client("mallory"), world.environment
    trusting = replace(environment, authentication=UnsafeTrustEveryone())
    alice = world.states["alice"]
    with refused(rules.CREDENTIAL_IS_VALID):
        create_group(mallory, environment, group_id=b"own", lifetime=LIFETIME)
    with refused(rules.CREDENTIAL_IS_VALID):
        world.key_package("mallory")
    info = group_info(alice)
    with refused(rules.CREDENTIAL_IS_VALID):
        join_externally(mallory, environment, info)
    made = join_externally(mallory, trusting, info)
    with refused(rules.CREDENTIAL_IS_VALID):
        world.process("alice", made.output.message)
    sender = ExternalSender(mallory.signature_key.public_key, mallory.credential)
    extensions = (pack_extension(ExternalSenders((sender,))),)
    with refused(rules.CREDENTIAL_IS_VALID):
        commit(alice, environment, now=world.now, proposals=[GroupContextExtensions(extensions)])


def test_a_group_with_strangers_in_it_is_not_joined() -> None:
    registrar = Registrar()
    world = world_of(registrar, "alice", "mallory")
    bundle = world.key_package("bob")
    made = commit(world.states["alice"], world.environment, now=world.now, proposals=[Add(bundle.key_package)])
    welcome = made.output.pending.welcome
    assert welcome is not None
    info = group_info(world.states["alice"])
    registrar.strangers = {b"mallory"}
    with refused(rules.CREDENTIAL_IS_VALID):
        join(world.environment, welcome, [bundle])
    with refused(rules.CREDENTIAL_IS_VALID):
        join_externally(world.client("bob"), world.environment, info)


def test_who_became_a_stranger_can_still_be_removed() -> None:
    registrar = Registrar()
    world = world_of(registrar, "alice", "bob", "mallory")
    registrar.strangers = {b"mallory"}
    with refused(rules.CREDENTIAL_IS_VALID):
        commit(world.states["mallory"], world.environment, now=world.now)
    world.commit("alice", Remove(world.leaf("mallory")))
    del world.states["mallory"]
    talk(world)


# Changing one's credential


def test_a_successor_is_asked_about_with_its_predecessor() -> None:
    registrar = Registrar()
    world = world_of(registrar, "alice", "bob", "carol")
    old, new, newest = (BasicCredential(name) for name in (b"bob", b"robert", b"bobby"))
    world.commit("bob", options=CommitOptions(leaf_changes=LeafChanges(credential=new)))
    assert registrar.changed == [(old, new)] * 3, "asked by all three, once each"
    made = propose_update(world.states["bob"], world.environment, leaf_changes=LeafChanges(credential=newest))
    world.deliver(world.adopt("bob", made))
    world.commit("alice")
    assert set(registrar.changed[3:]) == {(new, newest)}
    talk(world)


def test_no_successor_without_consent() -> None:
    registrar = Registrar()
    world = world_of(registrar, "alice", "bob", "carol")
    changes = LeafChanges(credential=BasicCredential(b"carol's twin"))
    by_commit = commit(
        world.states["bob"], world.environment, now=world.now, options=CommitOptions(leaf_changes=changes)
    )
    update = propose_update(world.states["bob"], world.environment, leaf_changes=changes)
    registrar.may_change = False
    with refused(rules.CREDENTIAL_IS_A_VALID_SUCCESSOR):
        commit(world.states["bob"], world.environment, now=world.now, options=CommitOptions(leaf_changes=changes))
    with refused(rules.CREDENTIAL_IS_A_VALID_SUCCESSOR):
        world.process("alice", by_commit.output.message)
    world.deliver(world.adopt("bob", update))
    reference = world.states["alice"].proposals[0].reference
    assert reference is not None
    with refused(rules.CREDENTIAL_IS_A_VALID_SUCCESSOR):
        commit(world.states["alice"], world.environment, now=world.now, references=[reference])
    world.commit("alice")  # without the Update, that is
    assert world.states["carol"].public.tree.leaf(1) is not None
    talk(world)


def test_an_old_leaf_is_replaced_by_its_owner_alone() -> None:
    registrar = Registrar()
    world = world_of(registrar, "alice", "bob", "carol")
    bob = world.states["bob"].own_leaf
    registrar.may_change = False
    info = group_info(world.states["alice"])
    with refused(rules.RESYNC_REPLACES_OWN_LEAF):
        join_externally(world.client("mallory"), world.environment, info, replaces=bob)
    come_from_outside(world, "bob", "alice", replaces=bob)
    talk(world)


# Who is the same client


@pytest.mark.parametrize("name", [person, lambda _: None], ids=["by name", "by key"])
def test_a_client_that_is_in_the_group_is_not_added(name: Callable[[LeafNode], bytes | None]) -> None:
    registrar = Registrar(name=name)
    world = world_of(registrar, "alice/phone", "bob/phone")
    by_name = name is person
    again = Add(world.key_package("bob/phone").key_package)
    other = Add(world.key_package("bob/laptop").key_package)
    state = world.states["alice/phone"]
    with refused(rules.ADDED_CLIENT_IS_NOT_A_MEMBER):
        commit(state, world.environment, now=world.now, proposals=[again])
    if by_name:
        with refused(rules.ADDED_CLIENT_IS_NOT_A_MEMBER):
            commit(state, world.environment, now=world.now, proposals=[other])
    commit(state, world.environment, now=world.now, proposals=[other, Remove(1)])
    world.set(authentication=Registrar())
    made = commit(state, world.environment, now=world.now, proposals=[other])
    world.set(authentication=registrar)
    if by_name:
        with refused(rules.ADDED_CLIENT_IS_NOT_A_MEMBER):
            world.process("bob/phone", made.output.message)
    else:
        world.process("bob/phone", made.output.message)


def test_a_client_is_added_once_in_a_commit() -> None:
    registrar = Registrar(name=person)
    world = world_of(registrar, "alice/phone")
    state = world.states["alice/phone"]
    for first, second, are_one in (
        ("bob/phone", "bob/phone", True),
        ("bob/phone", "bob/laptop", True),
        ("bob/phone", "carol/phone", False),
        ("bob", "bob", True),
        ("bob", "bob/phone", False),
        ("bob", "carol", False),
    ):
        proposals = [Add(world.key_package(name).key_package) for name in (first, second)]
        if are_one:
            with refused(rules.ADDS_ARE_DISTINCT_CLIENTS):
                commit(state, world.environment, now=world.now, proposals=proposals)
        else:
            commit(state, world.environment, now=world.now, proposals=proposals)


def test_a_member_may_come_into_a_successor_with_another_device() -> None:
    registrar = Registrar(name=person)
    world = world_of(registrar, "alice/phone", "bob/phone")
    bundle = world.key_package("bob/laptop")
    state, client = world.states["alice/phone"], world.client("alice/phone")
    made = branch(
        state, client, world.environment, [bundle.key_package], group_id=b"two", lifetime=LIFETIME, now=world.now
    )
    welcome = made.output.pending.welcome
    assert welcome is not None
    join(world.environment, welcome, [bundle], previous=world.states["bob/phone"])
    with refused(rules.BRANCH_MEMBERS_ARE_A_SUBSET):
        stranger = world.key_package("carol/phone").key_package
        branch(state, client, world.environment, [stranger], group_id=b"two", lifetime=LIFETIME, now=world.now)
    world.commit("alice/phone", ReInit(b"next", MLS10, 1, ()))
    state = world.states["alice/phone"]
    made = reinitialize(state, client, world.environment, [bundle.key_package], lifetime=LIFETIME, now=world.now)
    welcome = made.output.pending.welcome
    assert welcome is not None
    join(world.environment, welcome, [bundle], previous=world.states["bob/phone"])
    with refused(rules.REINIT_KEEPS_MEMBERS):
        reinitialize(state, client, world.environment, [], lifetime=LIFETIME, now=world.now)
