"""Section 7 (ratchet tree), what a leaf says of itself: each rule broken on purpose.

A leaf can come in a KeyPackage, in an Update, in a Commit's path, and in the tree of a group to be joined. Unless a
rule speaks of one of them alone, its test goes through all four doors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.group.committing import CommitOptions, commit
from mls.group.creation import create_group, create_key_package
from mls.group.environment import Limits
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose_update
from mls.registry import CredentialType, ExtensionType, ProposalType
from mls.wire.credentials import UnknownCredential
from mls.wire.extensions import Extension, RequiredCapabilities, pack_extension
from mls.wire.leaf_node import KeyPackageSource, LeafNode, Lifetime
from mls.wire.proposals import Add, Update
from tests.mls.rules.doors import (
    refused_by,
    refused_in_add,
    refused_in_path,
    refused_in_tree,
    refused_in_update,
    refused_join,
)
from tests.mls.rules.forging import (
    Path,
    changed_tree,
    dishonest,
    forged_commit,
    forged_key_package,
    forged_update,
    resigned,
    with_leaf,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import GROUP_ID, LIFETIME, NOW, World

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.group.state import GroupState
    from mls.rules import Rule
    from tests.mls.rules.forging import Alteration

DAY = 24 * 3600
UNKNOWN_TYPE = 0xF00D


def _world() -> World:
    return World.of("alice", "bob", "carol")


def _bundle(world: World, alter: Alteration[LeafNode], name: str = "mallory") -> KeyPackageBundle:
    """Return a KeyPackage with an altered leaf, rightly signed."""
    bundle = world.key_package(name)
    leaf = alter(bundle.key_package.leaf_node)
    return forged_key_package(bundle, leaf={field: getattr(leaf, field) for field in _SIGNED})


_SIGNED = tuple(field.name for field in LeafNode.wire_fields if field.name != "signature")


def _update(world: World, alter: Alteration[LeafNode]) -> Update:
    """Return an Update of bob's with an altered leaf, rightly signed."""
    bob = world.states["bob"]
    leaf = alter(forged_update(bob, world.environment).leaf_node)
    return Update(resigned(bob.suite, leaf, bob.signature_key, group_id=GROUP_ID, index=bob.own_leaf))


def _refused_leaf(world: World, rule: Rule, alter: Alteration[LeafNode]) -> None:
    """See a leaf refused at all four doors."""
    refused_in_add(world, rule, _bundle(world, alter))
    refused_in_tree(world, rule, _bundle(world, alter))
    refused_in_path(world, rule, Path(leaf=alter))
    refused_in_update(world, rule, _update(world, alter))


def _with_extensions(*types: int) -> Alteration[LeafNode]:
    return lambda leaf: leaf.replace(
        capabilities=leaf.capabilities.replace(extensions=(*leaf.capabilities.extensions, *types))
    )


# 7.2: capabilities


@breaks(rules.CAPABILITIES_OMIT_DEFAULTS)
def test_capabilities_omit_defaults() -> None:
    for kind in ExtensionType:
        if kind != ExtensionType.LAST_RESORT:
            _refused_leaf(_world(), rules.CAPABILITIES_OMIT_DEFAULTS, _with_extensions(UNKNOWN_TYPE, kind))


@breaks(rules.CAPABILITIES_OMIT_DEFAULTS)
def test_capabilities_omit_defaults__proposals() -> None:
    for kind in ProposalType:
        if kind == ProposalType.SELF_REMOVE:
            continue

        def with_default(leaf: LeafNode, kind: ProposalType = kind) -> LeafNode:
            proposals = (kind, *leaf.capabilities.proposals)
            return leaf.replace(capabilities=leaf.capabilities.replace(proposals=proposals))

        _refused_leaf(_world(), rules.CAPABILITIES_OMIT_DEFAULTS, with_default)


@breaks(rules.CAPABILITIES_OMIT_DEFAULTS)
def test_capabilities_omit_defaults__own_leaf() -> None:
    world = _world()
    state = world.states["alice"]
    capabilities = world.client("alice").capabilities.replace(extensions=(ExtensionType.EXTERNAL_SENDERS,))
    changes = LeafChanges(capabilities=capabilities)
    with refused(rules.CAPABILITIES_OMIT_DEFAULTS):
        commit(state, world.environment, now=world.now, options=CommitOptions(leaf_changes=changes))
    with refused(rules.CAPABILITIES_OMIT_DEFAULTS):
        propose_update(state, world.environment, leaf_changes=changes)
    world.clients["alice"] = replace(world.client("alice"), capabilities=capabilities)
    with refused(rules.CAPABILITIES_OMIT_DEFAULTS):
        world.key_package("alice")


def _without_own_credential(leaf: LeafNode) -> LeafNode:
    return leaf.replace(capabilities=leaf.capabilities.replace(credentials=(CredentialType.X509,)))


@breaks(rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES)
def test_credential_type_is_in_own_capabilities() -> None:
    rule = rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES
    world = _world()
    refused_in_add(world, rule, _bundle(world, _without_own_credential))
    refused_in_path(world, rule, Path(leaf=_without_own_credential))
    refused_in_update(world, rule, _update(world, _without_own_credential))


@breaks(rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES)
def test_credential_type_is_in_own_capabilities__in_a_tree() -> None:
    """Anywhere but at the first leaf of a tree, it is the leaves before it that do not fit to the others."""
    world = World()
    world.found("alice")
    alice = world.states["alice"]
    leaf = alice.public.tree.leaf(0)
    assert leaf is not None
    bad = resigned(alice.suite, _without_own_credential(leaf), alice.signature_key)
    refused_join(world, rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES, changed_tree(alice.public.tree, {0: bad}))


@breaks(rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES)
def test_credential_type_is_in_own_capabilities__own_leaf() -> None:
    world = World()
    capabilities = world.client("alice").capabilities.replace(credentials=())
    world.clients["alice"] = replace(world.client("alice"), capabilities=capabilities)
    with refused(rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES):
        world.found("alice")
    with refused(rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES):
        world.key_package("alice")


# 7.2, 7.3: lifetimes


def _living(not_before: int, not_after: int) -> Alteration[LeafNode]:
    return lambda leaf: leaf.replace(leaf_node_source=KeyPackageSource(Lifetime(not_before, not_after)))


@breaks(rules.LIFETIME_IS_BOUNDED)
def test_lifetime_is_bounded() -> None:
    world = _world()
    world.set(limits=Limits(max_lifetime=91 * DAY))
    for not_before, not_after in ((NOW, NOW + 91 * DAY + 1), (0, (1 << 64) - 1)):
        bundle = _bundle(world, _living(not_before, not_after))
        refused_in_add(world, rules.LIFETIME_IS_BOUNDED, bundle)
        refused_in_tree(world, rules.LIFETIME_IS_BOUNDED, bundle)
    for not_before, not_after in ((NOW, NOW + 91 * DAY), (NOW, NOW)):
        world.commit("alice", Add(_bundle(world, _living(not_before, not_after), name=str(not_after)).key_package))


@breaks(rules.LIFETIME_IS_BOUNDED)
def test_lifetime_is_bounded__over_before_it_begins() -> None:
    """Nobody would add such a client at any time, but one might be told of it."""
    world = _world()
    for not_before, not_after in ((NOW + 1, NOW), ((1 << 64) - 1, 0)):
        bundle = _bundle(world, _living(not_before, not_after))
        refused_in_tree(world, rules.LIFETIME_IS_BOUNDED, bundle)
        alice = world.states["alice"]
        with dishonest():
            bad = forged_commit(alice, world.environment, Add(bundle.key_package))
        refused_by(world, "bob", rules.LIFETIME_IS_BOUNDED, bad.sent_by(alice))


@breaks(rules.LIFETIME_IS_BOUNDED)
def test_lifetime_is_bounded__own_leaf() -> None:
    world = World()
    world.set(limits=Limits(max_lifetime=90 * DAY))
    alice = world.client("alice")
    for lifetime in (Lifetime(NOW, NOW + 90 * DAY + 1), Lifetime(NOW, NOW - 1)):
        with refused(rules.LIFETIME_IS_BOUNDED):
            create_group(alice, world.environment, group_id=GROUP_ID, lifetime=lifetime)
        with refused(rules.LIFETIME_IS_BOUNDED):
            create_key_package(alice, world.environment, lifetime=lifetime)


@breaks(rules.LIFETIME_IS_CURRENT)
def test_lifetime_is_current() -> None:
    """Who adds a client checks this. Receivers do not: their clocks must not decide what a Commit does."""
    world = _world()
    add = Add(world.key_package("dave").key_package)
    for now in (LIFETIME.not_before - 1, LIFETIME.not_after + 1, 0, 1 << 64):
        with refused(rules.LIFETIME_IS_CURRENT):
            commit(world.states["alice"], world.environment, now=now, proposals=[add])
    for now in (LIFETIME.not_before, LIFETIME.not_after):
        commit(world.states["alice"], world.environment, now=now, proposals=[add])


# 7.3: signatures


def _badly_signed(leaf: LeafNode) -> LeafNode:
    return leaf.replace(signature=leaf.signature[:-1] + bytes([leaf.signature[-1] ^ 1]))


@breaks(rules.LEAF_SIGNATURE_IS_VALID)
def test_leaf_signature_is_valid() -> None:
    world = _world()
    for signature in (b"", bytes(64), bytes(63), bytes(65)):
        bundle = forged_key_package(world.key_package("mallory"), leaf={"signature": signature})
        refused_in_add(world, rules.LEAF_SIGNATURE_IS_VALID, bundle)
        refused_in_tree(world, rules.LEAF_SIGNATURE_IS_VALID, bundle)
        update = forged_update(world.states["bob"], world.environment, signature=signature)
        refused_in_update(world, rules.LEAF_SIGNATURE_IS_VALID, update)
    refused_in_path(world, rules.LEAF_SIGNATURE_IS_VALID, Path(signed_leaf=_badly_signed))


@breaks(rules.LEAF_SIGNATURE_IS_VALID)
def test_leaf_signature_is_valid__other_key() -> None:
    """The key in the leaf must be the one that signed it, even if the old leaf's would do."""
    world = _world()
    bob, stolen = world.states["bob"], world.client("mallory").signature_key.public_key
    refused_in_update(world, rules.LEAF_SIGNATURE_IS_VALID, forged_update(bob, world.environment, signature_key=stolen))
    refused_in_path(world, rules.LEAF_SIGNATURE_IS_VALID, Path(leaf=lambda leaf: leaf.replace(signature_key=stolen)))


@breaks(rules.LEAF_SIGNATURE_IS_VALID)
def test_leaf_signature_is_valid__other_place() -> None:
    """A leaf is signed for its place in its group: it cannot be used in another one."""
    world = _world()
    for group_id, index in ((b"another group", 0), (GROUP_ID, 1), (b"", 0)):
        alice, bob = world.states["alice"], world.states["bob"]

        def moved(
            leaf: LeafNode, state: GroupState = alice, group_id: bytes = group_id, index: int = index
        ) -> LeafNode:
            return resigned(state.suite, leaf, state.signature_key, group_id=group_id, index=index)

        refused_in_path(world, rules.LEAF_SIGNATURE_IS_VALID, Path(signed_leaf=moved))
        update = forged_update(bob, world.environment)
        leaf = moved(update.leaf_node, bob, group_id, 0 if index else 2)
        refused_in_update(world, rules.LEAF_SIGNATURE_IS_VALID, Update(leaf))


@breaks(rules.LEAF_SIGNATURE_IS_VALID)
def test_leaf_signature_is_valid__one_of_many() -> None:
    """Signatures are verified together, on several threads: wherever the bad one is, it is found."""
    world = _world()
    good = [world.key_package(f"client {number}") for number in range(20)]
    for position in (0, 9, 10, 19):
        bundles = list(good)
        leaf = _badly_signed(bundles[position].key_package.leaf_node)
        bundles[position] = forged_key_package(bundles[position], leaf={"signature": leaf.signature})
        adds = [Add(bundle.key_package) for bundle in bundles]
        alice = world.states["alice"]
        with dishonest():
            bad = forged_commit(alice, world.environment, *adds, path=None)
        refused_by(world, "bob", rules.LEAF_SIGNATURE_IS_VALID, bad.sent_by(alice))


@breaks(rules.LEAF_SIGNATURE_IS_VALID)
def test_leaf_signature_is_valid__one_of_many_in_a_tree() -> None:
    world = World()
    world.found("alice")
    world.add("alice", "bob", options=CommitOptions(with_path=False))
    tree = world.states["alice"].public.tree
    for number in range(40):
        tree = with_leaf(tree, world.key_package(f"client {number}"))
    for position in (0, 1, 20, 41):
        leaf = tree.leaf(position)
        assert leaf is not None
        bad = changed_tree(tree, {2 * position: _badly_signed(leaf)})
        refused_join(world, rules.LEAF_SIGNATURE_IS_VALID, bad)


# 7.3: what the group requires


def _demanding_world() -> World:
    """Return a world whose group requires one type of each kind that not all support by default."""
    world = World()
    required = RequiredCapabilities(
        (ExtensionType.LAST_RESORT,), (ProposalType.SELF_REMOVE,), (CredentialType.X509, CredentialType.BASIC)
    )
    world.found("alice", extensions=(pack_extension(required),))
    world.add("alice", "bob", "carol")
    return world


@breaks(rules.LEAF_SUPPORTS_REQUIRED_CAPABILITIES)
def test_leaf_supports_required_capabilities() -> None:
    for kind in ("extensions", "proposals", "credentials"):
        world = _demanding_world()

        def without(leaf: LeafNode, kind: str = kind) -> LeafNode:
            supported = (CredentialType.BASIC,) if kind == "credentials" else ()
            return leaf.replace(capabilities=leaf.capabilities.replace(**{kind: supported}))

        _refused_leaf(world, rules.LEAF_SUPPORTS_REQUIRED_CAPABILITIES, without)


def _of_unknown_type(leaf: LeafNode) -> LeafNode:
    credentials = (*leaf.capabilities.credentials, UNKNOWN_TYPE)
    return leaf.replace(
        credential=UnknownCredential(UNKNOWN_TYPE, b"who knows"),
        capabilities=leaf.capabilities.replace(credentials=credentials),
    )


def _world_with_an_unknown_credential(owner: str) -> World:
    """Return a world in which one member has a credential of a type that all three know."""
    world = World()
    for name in ("alice", "bob", "carol"):
        client = world.client(name)
        credentials = (*client.capabilities.credentials, UNKNOWN_TYPE)
        capabilities = client.capabilities.replace(credentials=credentials)
        world.clients[name] = replace(client, capabilities=capabilities)
    credential = UnknownCredential(UNKNOWN_TYPE, b"who knows")
    world.clients[owner] = replace(world.client(owner), credential=credential)
    world.found("alice")
    world.add("alice", "bob", "carol")
    return world


@breaks(rules.CREDENTIAL_TYPE_IS_SUPPORTED_BY_ALL)
def test_credential_type_is_supported_by_all() -> None:
    rule = rules.CREDENTIAL_TYPE_IS_SUPPORTED_BY_ALL
    world = _world()
    refused_in_add(world, rule, _bundle(world, _of_unknown_type))
    refused_in_path(world, rule, Path(leaf=_of_unknown_type))
    refused_in_update(world, rule, _update(world, _of_unknown_type))
    world = _world_with_an_unknown_credential("alice")
    refused_in_tree(world, rule, world.key_package("mallory"))


def _unaware(leaf: LeafNode) -> LeafNode:
    return leaf.replace(capabilities=leaf.capabilities.replace(credentials=(CredentialType.BASIC,)))


@breaks(rules.LEAF_SUPPORTS_CREDENTIALS_IN_USE)
def test_leaf_supports_credentials_in_use() -> None:
    rule = rules.LEAF_SUPPORTS_CREDENTIALS_IN_USE
    world = _world_with_an_unknown_credential("carol")
    refused_in_add(world, rule, _bundle(world, _unaware))
    refused_in_path(world, rule, Path(leaf=_unaware))
    refused_in_update(world, rule, _update(world, _unaware))
    world = _world()
    refused_in_tree(world, rule, _bundle(world, _of_unknown_type))


@breaks(rules.LEAF_EXTENSIONS_ARE_IN_OWN_CAPABILITIES)
def test_leaf_extensions_are_in_own_capabilities() -> None:
    def extended(leaf: LeafNode) -> LeafNode:
        return leaf.replace(extensions=(Extension(UNKNOWN_TYPE, b"data"),))

    world = _world()
    _refused_leaf(world, rules.LEAF_EXTENSIONS_ARE_IN_OWN_CAPABILITIES, extended)
    world.clients["erin"] = replace(world.client("erin"), extensions=(Extension(UNKNOWN_TYPE, b"data"),))
    with refused(rules.LEAF_EXTENSIONS_ARE_IN_OWN_CAPABILITIES):
        world.key_package("erin")
