"""TreeKEM: update paths, made and applied (RFC 9420, sections 7.4, 7.5, 7.6 and 7.9).

Each step of the chain feeds two derivations, so that no secret is used for two things::

    path_secret[0] --"path"--> path_secret[1] --"path"--> ... --"path"--> commit_secret
          |                          |
        "node"                     "node"
          |                          |
    node_secret[0]             node_secret[1]        DeriveKeyPair gives each node's key pair
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from mls import rules
from mls.crypto.batch import seal_batch
from mls.tree import math
from mls.tree.parent_hash import parent_hash
from mls.wire.commit import HPKECiphertext, UpdatePath, UpdatePathNode
from mls.wire.leaf_node import CommitSource, LeafNode
from mls.wire.tree import ParentNode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.random import Random
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.tree.math import LeafIndex, NodeIndex
    from mls.tree.private_tree import PrivateTree
    from mls.tree.ratchet_tree import RatchetTree, TreeEdit

__all__ = ["FreshPath", "MergedPath", "decrypt_path", "derive_path", "encrypt_path", "merge_path", "new_path"]

LABEL = "UpdatePathNode"


@dataclass(frozen=True, slots=True)
class FreshPath:
    """A path that this member made: the tree with it applied, and the secrets that go with it."""

    tree: RatchetTree
    leaf_node: LeafNode
    path: list[tuple[NodeIndex, NodeIndex]]
    """The filtered direct path: each node with its copath child."""
    path_secrets: list[bytes] = field(repr=False)
    """One for each node of `path`."""
    commit_secret: bytes = field(repr=False)
    private_keys: dict[NodeIndex, HPKEPrivateKey]
    """Those of the leaf and of each node of `path`."""

    def path_secret_at(self, index: NodeIndex) -> bytes:
        """Return the path secret of a node of the path."""
        return self.path_secrets[[node for node, _ in self.path].index(index)]


@dataclass(frozen=True, slots=True)
class MergedPath:
    """Somebody else's path: the tree with it applied, and who can decrypt which of its secrets."""

    tree: RatchetTree
    path: list[tuple[NodeIndex, NodeIndex]]
    """The filtered direct path: each node with its copath child."""
    recipients: list[list[NodeIndex]]
    """For each node of `path`, the nodes that its secret is encrypted to, in the order of the ciphertexts."""


def derive_path(suite: CipherSuite, path_secret: bytes, count: int) -> tuple[list[bytes], list[HPKEPrivateKey], bytes]:
    """Return `count` path secrets from the first on, their nodes' key pairs, and the secret that follows them."""
    secrets: list[bytes] = []
    keys: list[HPKEPrivateKey] = []
    labels = ("node", suite.Nh), ("path", suite.Nh)
    for _ in range(count):
        secrets.append(path_secret)
        node_secret, path_secret = suite.expand_with_labels(path_secret, labels)
        keys.append(suite.derive_key_pair(node_secret))
    return secrets, keys, path_secret


def new_path(
    tree: RatchetTree,
    leaf_index: LeafIndex,
    leaf_node: LeafNode,
    *,
    group_id: bytes,
    signature_key: SignaturePrivateKey,
    random: Random,
) -> FreshPath:
    """Draw a fresh path for a leaf and apply it to `tree` (proposals applied).

    `leaf_node` gives the new leaf's content; its encryption key, source and signature are set here.
    """
    suite = tree.suite
    path = tree.filtered_direct_path(leaf_index)
    leaf_key = suite.generate_hpke_key(random)
    path_secrets, node_keys, commit_secret = derive_path(suite, random(suite.Nh), len(path))
    public_keys = [key.public_key for key in node_keys]
    edit, leaf_parent_hash = _set_parents(tree, leaf_index, path, public_keys)
    unsigned = leaf_node.replace(
        encryption_key=leaf_key.public_key, leaf_node_source=CommitSource(leaf_parent_hash), signature=b""
    )
    content = unsigned.to_be_signed(group_id, leaf_index)
    leaf_node = unsigned.replace(signature=suite.sign_with_label(signature_key, "LeafNodeTBS", content))
    edit.set_leaf(leaf_index, leaf_node)
    private_keys = {node: key for (node, _), key in zip(path, node_keys, strict=True)}
    private_keys[math.leaf_node_index(leaf_index)] = leaf_key
    return FreshPath(edit.freeze(), leaf_node, path, path_secrets, commit_secret, private_keys)


def encrypt_path(fresh: FreshPath, group_context: bytes, excluded: Collection[int], random: Random) -> UpdatePath:
    """Encrypt each path secret to the copath's resolution, without the leaves in `excluded`, just added."""
    tree = fresh.tree
    recipients = [tree.encryption_keys_below(copath_child, excluded) for _, copath_child in fresh.path]
    messages = [(key, secret) for keys, secret in zip(recipients, fresh.path_secrets, strict=True) for key in keys]
    sealed = iter(seal_batch(tree.suite.encryptor_with_label(LABEL, group_context, random), messages))
    nodes = [
        UpdatePathNode(
            fresh.private_keys[node].public_key, tuple(HPKECiphertext(*pair) for pair in islice(sealed, len(keys)))
        )
        for (node, _), keys in zip(fresh.path, recipients, strict=True)
    ]
    return UpdatePath(fresh.leaf_node, tuple(nodes))


def merge_path(tree: RatchetTree, sender: LeafIndex, path: UpdatePath, excluded: Collection[int]) -> MergedPath:
    """Apply an update path's public part to `tree` (proposals applied). Raises `ValidationError`.

    `excluded` are the leaves that the same Commit adds: the path's secrets are not encrypted to them.

    The tree keeps the parent hash that the leaf states only where it is the right one (section 7.9.2).
    """
    expected = tree.filtered_direct_path(sender)
    rules.PATH_LENGTH_MATCHES.require(
        len(path.nodes) == len(expected), f"{len(path.nodes)} nodes instead of {len(expected)}"
    )
    recipients = [tree.resolution(copath_child, excluded) for _, copath_child in expected]
    for there, node in zip(recipients, path.nodes, strict=True):
        if len(node.encrypted_path_secret) != len(there):
            rules.PATH_CIPHERTEXTS_MATCH_RESOLUTION.fail(
                f"{len(node.encrypted_path_secret)} ciphertexts for {len(there)} nodes"
            )
    edit, leaf_parent_hash = _set_parents(tree, sender, expected, [node.encryption_key for node in path.nodes])
    source = path.leaf_node.leaf_node_source
    stated = source.parent_hash if isinstance(source, CommitSource) else None
    rules.LEAF_PARENT_HASH_MATCHES.require(stated == leaf_parent_hash)
    edit.set_leaf(sender, path.leaf_node)
    return MergedPath(edit.freeze(), expected, recipients)


def _set_parents(
    tree: RatchetTree, leaf: LeafIndex, path: list[tuple[NodeIndex, NodeIndex]], public_keys: list[bytes]
) -> tuple[TreeEdit, bytes]:
    """Blank the leaf's direct path and set its filtered one; return the tree and the leaf's parent hash.

    Parent hashes are computed from the root down, each over the one above it. The hashes of the copath's
    subtrees, which the path does not touch, are those of `tree`: computed before it is copied, to be shared.
    """
    for _, copath_child in path:
        tree.tree_hash(copath_child)
    edit = tree.edit()
    edit.blank_path(leaf, {node for node, _ in path})
    above = b""  # the root's parent hash is the empty string
    for (node, copath_child), public_key in zip(reversed(path), reversed(public_keys), strict=True):
        parent = ParentNode(public_key, above, ())
        edit.set_parent(node, parent)
        above = parent_hash(tree, parent, copath_child)
    return edit, above


def decrypt_path(
    merged: MergedPath, private: PrivateTree, path: UpdatePath, group_context: bytes
) -> tuple[Mapping[NodeIndex, HPKEPrivateKey], bytes]:
    """Decrypt the path secret meant for this member; return its new private keys and the commit secret.

    Raises `AuthenticationError` where the ciphertext does not open, `ValidationError` where the keys do not fit.
    """
    suite = merged.tree.suite
    position = next(i for i, (_, child) in enumerate(merged.path) if math.is_ancestor(child, private.leaf_index))
    recipients = merged.recipients[position]
    ours = private.nodes & set(recipients)
    if not ours:
        rules.PATH_SECRET_DECRYPTS.fail()
    which = min(map(recipients.index, ours))
    sealed = path.nodes[position].encrypted_path_secret[which]
    key = private.key(recipients[which])
    secret = suite.decrypt_with_label(key, LABEL, group_context, sealed.kem_output, sealed.ciphertext)
    if secret is None:
        rules.PATH_SECRET_DECRYPTS.fail()
    rules.PATH_SECRET_HAS_THE_RIGHT_SIZE.require(len(secret) == suite.Nh, f"{len(secret)} bytes")
    nodes = merged.path[position:]
    _, keys, commit_secret = derive_path(suite, secret, len(nodes))
    for key, node in zip(keys, path.nodes[position:], strict=True):
        rules.PATH_KEYS_MATCH_SECRETS.require(key.public_key == node.encryption_key)
    return {index: key for (index, _), key in zip(nodes, keys, strict=True)}, commit_secret
