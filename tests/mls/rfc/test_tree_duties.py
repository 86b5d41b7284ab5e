"""What RFC 9420 asks of those who make leaves and trees, seen from what comes out. The rest is in test_duties.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mls.crypto.suite import CIPHER_SUITES
from mls.group.committing import CommitOptions, commit
from mls.group.creation import create_key_package, default_capabilities
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.received import ApplicationMessage
from mls.registry import (
    DEFAULT_EXTENSION_TYPES,
    DEFAULT_PROPOSAL_TYPES,
    GREASE,
    CredentialType,
    ExtensionType,
    ProposalType,
    WireFormat,
)
from mls.tree.math import LeafIndex, NodeIndex
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.commit import Commit
from mls.wire.extensions import Extension
from mls.wire.framing import PublicMessage
from mls.wire.proposals import Add, Remove
from mls.wire.tree import ParentNode, RatchetTreeExtension
from mls.wire.welcome import GroupInfo
from tests.mls.rfc.support import say
from tests.mls.world import LIFETIME, World

GREASED = 0x1A1A
UNKNOWN = 0xF0F0
AS_PUBLIC = CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE)


def test_unmerged_leaves_are_kept_sorted() -> None:
    world = World.of("a", "b", "c", "d")
    world.commit("a")
    edit = world.states["a"].public.tree.edit()
    # Leaf 3 is unmerged at the root, and leaf 2 comes after it.
    edit.vacate_leaf(LeafIndex(2))
    root = edit._nodes[3]
    assert isinstance(root, ParentNode)
    edit.set_parent(NodeIndex(3), root.replace(unmerged_leaves=(3,)))

    assert edit.add_leaf(world.key_package("e").key_package.leaf_node) == 2
    node = edit.freeze().parent_node(NodeIndex(3))
    assert node is not None
    assert node.unmerged_leaves == (2, 3)


def test_capabilities_list_all_that_is_supported_and_no_defaults() -> None:
    world = World()
    capabilities = default_capabilities(CIPHER_SUITES, extensions=[UNKNOWN], proposals=[UNKNOWN + 1])

    assert capabilities.versions == (1,)
    assert capabilities.cipher_suites == tuple(CIPHER_SUITES)
    assert UNKNOWN in capabilities.extensions
    assert {ProposalType.SELF_REMOVE, UNKNOWN + 1} <= set(capabilities.proposals)
    assert set(capabilities.credentials) == set(CredentialType)
    assert DEFAULT_EXTENSION_TYPES.isdisjoint(capabilities.extensions)
    assert DEFAULT_PROPOSAL_TYPES.isdisjoint(capabilities.proposals)
    assert world.client("a").capabilities == default_capabilities([1])


def test_what_is_unknown_is_ignored() -> None:
    world = World.of("a", "b")
    client = world.client("c")
    known = client.capabilities
    capabilities = known.replace(
        versions=(*known.versions, UNKNOWN),
        cipher_suites=(*known.cipher_suites, GREASED, UNKNOWN),
        extensions=(*known.extensions, GREASED, UNKNOWN),
        proposals=(*known.proposals, GREASED, UNKNOWN),
        credentials=(*known.credentials, GREASED, UNKNOWN),
    )
    extensions = (Extension(GREASED, b"anything"), Extension(UNKNOWN, b""))
    client = replace(client, capabilities=capabilities, extensions=extensions)
    bundle = create_key_package(client, world.environment, lifetime=LIFETIME, extensions=extensions)
    options = CommitOptions(group_info_extensions=extensions)

    world.commit("a", Add(bundle.key_package), joiners=[("c", bundle)], options=options)

    leaf = world.states["b"].public.tree.leaf(world.leaf("c"))
    assert leaf is not None
    assert leaf.capabilities == capabilities
    assert leaf.extensions == extensions
    world.commit("c")
    assert isinstance(world.process("b", say(world, "c", b"I am like any other")), ApplicationMessage)


def test_grease_is_in_capabilities_alone() -> None:
    world = World()
    world.clients["a"] = replace(world.client("a"), capabilities=default_capabilities([1], world.environment.random))
    state = world.found("a")
    leaf = state.public.tree.leaf(0)
    assert leaf is not None

    lists = leaf.capabilities
    for values_with_grease in (lists.cipher_suites, lists.extensions, lists.proposals, lists.credentials):
        assert len(GREASE.intersection(values_with_grease)) == 1
    assert GREASE.isdisjoint(lists.versions)
    assert GREASE.isdisjoint(
        extension.extension_type for extension in (*leaf.extensions, *state.public.context.extensions)
    )


def test_each_change_of_a_leaf_changes_its_signature() -> None:
    world = World.of("a", "b")
    seen = set()
    for changes in (LeafChanges(), LeafChanges(), LeafChanges(extensions=(Extension(1, b"a name"),))):
        leaf = world.states["b"].public.tree.leaf(world.leaf("a"))
        assert leaf is not None
        seen.add(leaf.signature)
        world.commit("a", options=CommitOptions(leaf_changes=changes))
    leaf = world.states["b"].public.tree.leaf(world.leaf("a"))
    assert leaf is not None
    seen.add(leaf.signature)

    assert len(seen) == 4


def test_no_path_secret_is_encrypted_to_new_members() -> None:
    world = World.of("a", "b", "c", "d")
    for name in world.states:
        world.commit(name)
    bundles = [(name, world.key_package(name)) for name in ("e", "f")]
    state = world.states["a"]
    made = commit(
        state, world.environment, now=world.now, options=AS_PUBLIC, proposals=[Add(b.key_package) for _, b in bundles]
    )
    public = made.output.message.message
    assert isinstance(public, PublicMessage)
    assert isinstance(public.content.content, Commit)
    path = public.content.content.path
    assert path is not None
    tree = made.output.pending.next_epoch.public.tree
    new = {LeafIndex(4), LeafIndex(5)}
    assert {index for index, _ in tree.members()} - {index for index, _ in state.public.tree.members()} == new

    recipients = [len(tree.resolution(child)) for _, child in tree.filtered_direct_path(state.own_leaf)]
    counts = [len(node.encrypted_path_secret) for node in path.nodes]
    assert recipients == [1, 1, 2]
    assert counts == [1, 1, 0]
    # The new members get theirs with the Welcome, and all come to the same epoch.
    output = world.adopt("a", made)
    world.deliver(output.message)
    assert output.pending.welcome is not None
    for name, bundle in bundles:
        world.adopt(name, join(world.environment, output.pending.welcome, [bundle]))
    world.check_agreement()


def test_tree_hashes_have_nothing_for_blank_nodes() -> None:
    world = World.of("a", "b", "c")
    world.commit("a", Remove(world.leaf("b")))
    tree, digest = world.states["a"].public.tree, world.suite.hash
    assert [tree.node(NodeIndex(index)) is None for index in range(7)] == [False, True, True, False, False, True, True]
    present = {index: tree.node(NodeIndex(index)) for index in (0, 3, 4)}

    def leaf(number: int) -> bytes:
        node = present.get(2 * number)
        optional = b"\x00" if node is None else b"\x01" + node.encode()
        return digest(b"\x01" + number.to_bytes(4, "big") + optional)

    def parent(index: int, left: bytes, right: bytes) -> bytes:
        node = present.get(index)
        optional = b"\x00" if node is None else b"\x01" + node.encode()
        return digest(b"\x02" + optional + b"\x20" + left + b"\x20" + right)

    expected = parent(3, parent(1, leaf(0), leaf(1)), parent(5, leaf(2), leaf(3)))
    assert tree.tree_hash() == expected


@pytest.mark.parametrize("members", range(1, 10))
def test_blank_nodes_at_the_end_are_left_out_and_put_back(members: int) -> None:
    world = World.of(*"abcdefghi"[:members])
    world.commit("a")
    tree = world.states["a"].public.tree
    info = group_info(world.states["a"]).message
    assert isinstance(info, GroupInfo)
    [found] = [item.extension_data for item in info.extensions if item.extension_type == ExtensionType.RATCHET_TREE]

    sent = RatchetTreeExtension.decode(found)

    assert sent.nodes[-1] is not None
    assert len(sent.nodes) == 2 * members - 1
    whole = RatchetTree.from_extension(world.suite, sent, max_members=16)
    assert whole == tree
    assert whole.leaf_count == 1 << (members - 1).bit_length()
