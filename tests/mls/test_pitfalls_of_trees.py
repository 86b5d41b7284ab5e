"""What other implementations got wrong, from their changelogs and logs: ratchet trees and update paths.

`tests/mls/test_pitfalls.py` has messages and keys, `tests/mls/test_pitfalls_of_groups.py` the rest.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.group.committing import CommitOptions, commit
from mls.group.epoch import start_epoch
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.processing import process
from mls.registry import WireFormat
from mls.tree.math import NodeIndex
from mls.tree.parent_hash import parent_hash
from mls.tree.treekem import derive_path
from mls.wire.commit import Commit, HPKECiphertext, UpdatePathNode
from mls.wire.extensions import Extension
from mls.wire.framing import PublicMessage
from mls.wire.leaf_node import CommitSource
from mls.wire.proposals import Add, GroupContextExtensions, Remove
from mls.wire.tree import ParentNode
from tests.mls.rules.doors import assert_goes_on, refused_by
from tests.mls.rules.forging import (
    Path,
    changed_tree,
    forged_commit,
    forged_group_info,
    private,
    resigned,
    unchanged,
)
from tests.mls.rules.forging_groups import UNKNOWN_TYPE, outsider_refuses, world_where
from tests.mls.rules.support import refused
from tests.mls.world import World, fingerprint

if TYPE_CHECKING:
    from mls.rules import Rule
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.group_context import GroupContext
    from tests.mls.rules.forging import Alteration, ForgedCommit

# What a joiner is given


def refuse_tree(world: World, tree: RatchetTree, rule: Rule) -> None:
    outsider_refuses(world, "outsider", rule, forged_group_info(world.states["a"], tree=tree))


def node_of(tree: RatchetTree, index: int) -> ParentNode:
    return next(node for number, node in tree.parents() if number == index)


def test_node_parity() -> None:
    """mls-rs, #362: a parent node in the place of a blank leaf, which a lenient tree hash does not see."""
    world = World.of("a", "b", "c", "d", "e")
    world.commit("a", Remove(world.leaf("b")))
    stray = ParentNode(world.suite.derive_key_pair(bytes(32)).public_key, b"", ())
    honest = world.states["a"].public.tree
    assert honest.leaf(1) is None
    tree = changed_tree(honest, {2: stray})
    refuse_tree(world, tree, rules.TREE_NODES_ALTERNATE)
    info = forged_group_info(
        world.states["a"], tree=tree, context=lambda context: context.replace(tree_hash=honest.tree_hash())
    )
    outsider_refuses(world, "outsider", rules.TREE_NODES_ALTERNATE, info)


def test_null_parent_hash() -> None:
    """mls-rs, #360: an empty parent hash is right at the root and nowhere else."""
    world = World.of("a", "b", "c", "d")
    world.commit("a")
    author = world.states["a"]
    tree, old = author.public.tree, author.public.tree.leaf(0)
    assert old is not None
    empty = node_of(tree, 1).replace(parent_hash=b"")
    covered = old.replace(leaf_node_source=CommitSource(parent_hash(tree, empty, NodeIndex(2))))
    leaf = resigned(world.suite, covered, author.signature_key, group_id=author.group_id)
    refuse_tree(world, changed_tree(tree, {0: leaf, 1: empty}), rules.TREE_IS_PARENT_HASH_VALID)
    path = Path(leaf=lambda leaf: leaf.replace(leaf_node_source=CommitSource(b"")))
    forged = forged_commit(author, world.environment, path=path)
    refused_by(world, "b", rules.LEAF_PARENT_HASH_MATCHES, forged.sent_by(author))


def test_parent_hash_validation() -> None:
    """mls-rs, #315 and #342: each node is covered, whichever it is and wherever its committer stands."""
    world = World.of(*"abcdefgh")
    for name in "ahcf":
        world.commit(name)
    tree = world.states["a"].public.tree
    join_externally(world.client("outsider"), world.environment, forged_group_info(world.states["a"]))
    key = world.suite.derive_key_pair(bytes(32)).public_key
    for index, node in tree.parents():
        for other in (node.replace(encryption_key=key), node.replace(parent_hash=bytes(32))):
            refuse_tree(world, changed_tree(tree, {index: other}), rules.TREE_IS_PARENT_HASH_VALID)


def test_parent_hash_over_a_blank_node_with_unmerged_leaves_below() -> None:
    """mls-rs, #352: what was added later is left out of the sibling's hash, though a blank node is in between."""
    names = [f"m{number}" for number in range(16)]
    world = World.of(*names)
    world.commit("m0", Remove(11))
    world.states.pop("m11")
    world.commit("m8")
    world.commit("m0", Remove(12))  # blanks node 23, above node 19
    world.states.pop("m12")
    world.add("m0", "late", options=CommitOptions(with_path=False))
    tree = world.states["m0"].public.tree
    assert world.leaf("late") == 11
    assert [node_of(tree, index).unmerged_leaves for index in (15, 19)] == [(11,), (11,)]
    assert 23 not in dict(tree.parents())
    assert_goes_on(world, "late")


def test_unmerged_leaves_sorted() -> None:
    """mls-rs, #321."""
    world = World.of("a", "b", "c", "d", "e")
    world.add("a", "f", "g", options=CommitOptions(with_path=False))
    tree = world.states["a"].public.tree
    root = node_of(tree, 7)
    assert root.unmerged_leaves == (5, 6)
    for unmerged in ((6, 5), (5, 5, 6), (5, 6, 6)):
        other = changed_tree(tree, {7: root.replace(unmerged_leaves=unmerged)})
        refuse_tree(world, other, rules.UNMERGED_LEAVES_ARE_SORTED)


@pytest.mark.parametrize("size", [3, 5, 6, 7, 9, 11])
def test_non_power_of_two_trees(size: int) -> None:
    """Every member can commit, whoever goes, and whoever comes finds the tree as it is."""
    names = [f"m{number}" for number in range(size)]
    world = World.of(*names)
    for name in names:
        world.commit(name)
    joined = join_externally(world.client("outsider"), world.environment, group_info(world.states["m0"]))
    world.deliver(joined.output.message)
    world.adopt("outsider", joined)
    for gone in (names[1], names[-1]):
        world.commit("m0", Remove(world.leaf(gone)))
        del world.states[gone]
        for name in list(world.states):
            world.commit(name)
    world.add("outsider", "last")
    world.commit("last")
    assert {state.epoch_authenticator for state in world.states.values()} == {world.states["m0"].epoch_authenticator}


# Update paths


def test_update_path_node_uniqueness() -> None:
    """ts-mls, #627: one key in two places."""
    world = World.of("a", "b", "c")
    secret = world.environment.random(world.suite.Nh)
    node_key = derive_path(world.suite, secret, 1)[1][0].public_key
    for path in (
        Path(public_keys=lambda keys: [keys[1], *keys[1:]]),
        Path(first_secret=secret, leaf=lambda leaf: leaf.replace(encryption_key=node_key)),
    ):
        author = world.states["a"]
        forged = forged_commit(author, world.environment, path=path)
        refused_by(world, "b", rules.PATH_KEYS_ARE_NEW, forged.sent_by(author))


def test_new_leaves_in_the_copath() -> None:
    """ts-mls, #481: who is added by a Commit gets the path secret in the Welcome, and not in the path too."""
    world = World.of("a", "b", "c")
    bundle = world.key_package("d")
    author, add = world.states["a"], Add(bundle.key_package)

    def with_one_more(nodes: tuple[UpdatePathNode, ...]) -> tuple[UpdatePathNode, ...]:
        more = HPKECiphertext(
            *world.suite.encrypt_with_label(
                bundle.encryption_key.public_key, "UpdatePathNode", b"", bytes(32), world.environment.random
            )
        )
        top = nodes[-1]
        return (*nodes[:-1], top.replace(encrypted_path_secret=(*top.encrypted_path_secret, more)))

    forged = forged_commit(author, world.environment, add, path=Path(nodes=with_one_more))
    refused_by(world, "b", rules.PATH_CIPHERTEXTS_MATCH_RESOLUTION, forged.sent_by(author))
    options = CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE)
    made = commit(world.states["a"], world.environment, now=world.now, proposals=[add], options=options)
    assert isinstance(made.output.message.message, PublicMessage)
    sent = made.output.message.message.content.content
    assert isinstance(sent, Commit)
    assert sent.path is not None
    assert [len(node.encrypted_path_secret) for node in sent.path.nodes] == [1, 1]  # for "b", and for "c" alone
    world.commit("a", add, joiners=[("d", bundle)])
    assert_goes_on(world, "d")


def commit_under(world: World, context: Alteration[GroupContext]) -> ForgedCommit:
    """Return a Commit by "a" of new extensions, its path encrypted under what `context` makes of the right one.

    It is made twice, from the same randomness: what the path is encrypted under is known only then.
    """
    author, suite, secret = world.states["a"], world.suite, bytes(31) + b"1"
    proposal = GroupContextExtensions((Extension(UNKNOWN_TYPE, b""),))
    before = author.public.context

    def made(nodes: Alteration[tuple[UpdatePathNode, ...]]) -> ForgedCommit:
        environment = replace(world.environment, random=random.Random(5).randbytes)
        return forged_commit(author, environment, proposal, path=Path(first_secret=secret, nodes=nodes))

    honest = made(unchanged)
    tree, new = honest.keys.public.tree, honest.keys.public.context
    info = context(new.replace(confirmed_transcript_hash=before.confirmed_transcript_hash)).encode()

    def reencrypted(nodes: tuple[UpdatePathNode, ...]) -> tuple[UpdatePathNode, ...]:
        filtered = tree.filtered_direct_path(author.own_leaf)
        changed = []
        for node, (_, child), path_secret in zip(nodes, filtered, honest.path_secrets, strict=True):
            recipients = [tree.node(index) for index in tree.resolution(child)]
            sealed = [
                suite.encrypt_with_label(
                    recipient.encryption_key, "UpdatePathNode", info, path_secret, world.environment.random
                )
                for recipient in recipients
                if recipient is not None
            ]
            changed.append(node.replace(encrypted_path_secret=tuple(HPKECiphertext(*pair) for pair in sealed)))
        return tuple(changed)

    return made(reencrypted)


def test_provisional_group_context_for_path_encryption() -> None:
    """ts-mls, #505 and #468: the context of path secrets has the new tree, extensions and epoch, the old transcript."""
    world = world_where("a", "b", "c", others=[])
    author = world.states["a"]
    old = author.public.context
    wrong: list[Alteration[GroupContext]] = [
        lambda _: old,
        lambda right: right.replace(tree_hash=old.tree_hash),
        lambda right: right.replace(extensions=old.extensions),
        lambda right: right.replace(epoch=old.epoch),
        lambda right: right.replace(confirmed_transcript_hash=world.suite.hash(b"the new one")),
    ]
    for context in wrong:
        message = commit_under(world, context).sent_by(author)
        before = fingerprint(world.states["b"])
        with refused(rules.PATH_SECRET_DECRYPTS):
            process(world.states["b"], world.environment, message, now=world.now)
        assert fingerprint(world.states["b"]) == before
    right = commit_under(world, unchanged)
    followed = process(world.states["b"], world.environment, right.sent_by(author), now=world.now)
    assert followed.state.public == right.keys.public


def test_commit_secret_one_kdf_step_late() -> None:
    """The secret that follows on the last node's is the commit secret: neither that one, nor the one after next."""
    world = World.of("a", "b", "c", "d")
    author, suite = world.states["a"], world.suite
    forged = forged_commit(author, world.environment)
    last = forged.path_secrets[-1]
    right = suite.derive_secret(last, "path")
    for commit_secret in (last, suite.derive_secret(right, "path"), bytes(suite.Nh)):
        message = private(author, forged.message.replace(confirmation_tag=tag_after(world, forged, commit_secret)))
        before = fingerprint(world.states["b"])
        with refused(rules.CONFIRMATION_TAG_IS_VALID):
            process(world.states["b"], world.environment, message, now=world.now)
        assert fingerprint(world.states["b"]) == before
    assert tag_after(world, forged, right) == forged.message.confirmation_tag
    refused_nowhere = process(world.states["b"], world.environment, forged.sent_by(author), now=world.now)
    assert refused_nowhere.state.public == forged.keys.public


def tag_after(world: World, forged: ForgedCommit, commit_secret: bytes) -> bytes:
    """Return the confirmation tag that this commit secret would lead to."""
    public, init_secret = forged.keys.public, world.states["a"].epoch_secrets.init_secret.value
    keys = start_epoch(public.context, public.tree, init_secret, commit_secret, bytes(world.suite.Nh))
    return keys.public.confirmation_tag
