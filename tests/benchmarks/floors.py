"""The floors: for each operation, the bare cryptographic calls that no implementation of RFC 9420 can avoid.

One list to be reviewed. An item says what is computed, which section asks for it, and how often; sizes and keys
come from the very messages and trees that are measured, and verified signatures are theirs. Not counted, so that
a floor is a floor:

* parsing keys, but for a private key that was just derived (its public key has to be known);
* encoding, decoding, comparing, and drawing random bytes;
* what could be remembered from before: the hashes of subtrees that did not change, one's own KeyPackageRef;
* anything twice. The ciphertexts of a Welcome share HPKE's `info`, which holds the whole encrypted GroupInfo: its
  hash is counted once, though `cryptography`'s HPKE would make it anew for each new member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mls.tree import math
from mls.wire.leaf_node import LeafNode
from mls.wire.proposals import Add
from tests.benchmarks.opened import sign_content
from tests.benchmarks.primitives import opaque

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mls.group.state import GroupState, PublicState
    from mls.tree.math import LeafIndex, NodeIndex
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.group_context import GroupContext
    from mls.wire.key_package import KeyPackage
    from mls.wire.tree import AnyNode
    from tests.benchmarks.opened import OpenedMessage, OpenedWelcome
    from tests.benchmarks.primitives import Call, Primitives

__all__ = [
    "Floor",
    "Item",
    "floor_of_add",
    "floor_of_create",
    "floor_of_join",
    "floor_of_open",
    "floor_of_process",
    "floor_of_protect",
    "floor_of_update",
]

UPDATE_PATH_LABEL = "MLS 1.0 UpdatePathNode"
WELCOME_LABEL = "MLS 1.0 Welcome"
KEY_PACKAGE_REF_LABEL = "MLS 1.0 KeyPackage Reference"
SENDER_DATA_SIZE = 12


class Item(NamedTuple):
    """Calls that serve one purpose, and the section that asks for them."""

    what: str
    section: str
    calls: Sequence[Call]


class Floor:
    """All that an operation cannot avoid, as one sequence of calls."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = tuple(items)
        self._calls = [call for item in self.items for call in item.calls]

    def run(self) -> None:
        """Make the calls one after the other, on this thread."""
        for call in self._calls:
            call()


# The operations


def floor_of_create(on: Primitives, state: GroupState) -> Floor:
    """Create a group of one (section 11)."""
    _, leaf = next(state.members())
    return Floor(
        [
            Item("key pair of the leaf", "7.2", [on.key_pair()]),
            Item("signature of the leaf", "7.2", [_sign(on, "LeafNodeTBS", leaf.to_be_signed(b"", 0))]),
            Item("tree hash", "7.8", [_node_hash(on, leaf, is_leaf=True)]),
            *_secrets_of_the_epoch(on),
        ]
    )


def floor_of_protect(on: Primitives, sent: OpenedMessage, *, descends: int | None = None) -> Floor:
    """Encrypt an application message. `descends`: the leaves of the secret tree, if it is the sender's first."""
    return Floor([Item("signature of the message", "6.1", [on.sign(len(sent.signed))]), *_sealed(on, sent, descends)])


def floor_of_open(on: Primitives, sent: OpenedMessage, *, descends: int | None = None) -> Floor:
    """Decrypt an application message and verify its sender."""
    return Floor([*_unsealed(on, sent, descends), _verified_message(on, sent)])


def floor_of_add(
    on: Primitives, creator: GroupState, sent: OpenedMessage, opened: OpenedWelcome, after: PublicState
) -> Floor:
    """Commit Adds, with a path, to a group of one (section 12.4.1), and welcome those who are added."""
    added = [proposal.key_package for proposal in sent.commit.proposals if isinstance(proposal, Add)]
    info_size = opaque(len(WELCOME_LABEL)) + opaque(len(opened.welcome.encrypted_group_info))
    sealed = on.encrypt(opened.secrets_size, 0) * len(added)
    return Floor(
        [
            Item("signatures of the KeyPackages", "10.1", [_verify_key_package(on, item) for item in added]),
            Item("signatures of their leaves", "7.3", [_verify_leaf(on, item.leaf_node, b"", 0) for item in added]),
            *_fresh_path(on, sent, after),
            Item("tree hashes, all", "7.8", _all_tree_hashes(on, after.tree)),
            *_commit(on, sent, after.context),
            *_sealed(on, sent, creator.public.tree.leaf_count),
            Item("signature of the GroupInfo", "12.4.3", [_sign(on, "GroupInfoTBS", opened.info.to_be_signed())]),
            Item("welcome_secret, its key and nonce", "12.4.3.1", [on.hmac()] * 3),
            Item("GroupInfo sealed", "12.4.3.1", [on.seal(len(opened.info.encode()), 0)]),
            Item("hash of the info that all GroupSecrets share", "5.1.3", [on.hmac(info_size)]),
            Item("GroupSecrets sealed", "12.4.3.1", sealed),
            Item(
                "KeyPackageRefs",
                "5.2",
                [on.hash(opaque(len(KEY_PACKAGE_REF_LABEL)) + opaque(len(item.encode()))) for item in added],
            ),
        ]
    )


def floor_of_join(on: Primitives, opened: OpenedWelcome, joined: GroupState) -> Floor:
    """Join by a Welcome that carries the tree (section 12.4.3.1)."""
    tree, context, info = joined.public.tree, joined.public.context, opened.info
    info_size = opaque(len(WELCOME_LABEL)) + opaque(len(opened.welcome.encrypted_group_info))
    signer = tree.leaf(info.signer)
    assert signer is not None
    signed = sign_content("GroupInfoTBS", info.to_be_signed())
    return Floor(
        [
            Item("GroupSecrets opened", "12.4.3.1", on.decrypt(opened.secrets_size, info_size)),
            Item("joiner_secret with the PSKs", "8", [on.hmac()]),
            Item("welcome_secret, its key and nonce", "12.4.3.1", [on.hmac()] * 3),
            Item("GroupInfo opened", "12.4.3.1", [on.open(len(info.encode()), 0)]),
            Item("signature of the GroupInfo", "12.4.3.1", [on.verify(signer.signature_key, signed, info.signature)]),
            Item("tree hashes, all", "7.8", _all_tree_hashes(on, tree)),
            Item("parent hashes, all", "7.9.2", [_parent_hash(on, tree, index) for index, _ in tree.parents()]),
            Item(
                "signatures of the leaves",
                "7.3",
                [_verify_leaf(on, leaf, context.group_id, index) for index, leaf in tree.members()],
            ),
            *_told_path(on, joined, math.LeafIndex(info.signer)),
            Item("epoch_secret", "8", [on.hmac(len(context.encode()))]),
            *_secrets_of_the_epoch(on),
        ]
    )


def floor_of_update(on: Primitives, author: GroupState, sent: OpenedMessage, after: PublicState) -> Floor:
    """Commit a fresh path and nothing else (section 12.4.1)."""
    return Floor(
        [
            *_fresh_path(on, sent, after),
            Item("tree hashes of the path", "7.8", _path_tree_hashes(on, after.tree, sent.author)),
            *_commit(on, sent, after.context),
            *_sealed(on, sent, author.public.tree.leaf_count),
        ]
    )


def floor_of_process(on: Primitives, reader: GroupState, sent: OpenedMessage, after: PublicState) -> Floor:
    """Follow such a Commit (section 12.4.2)."""
    tree, context = after.tree, after.context
    filtered = tree.filtered_direct_path(sent.author)
    told = [node for node, _ in filtered if math.is_ancestor(node, reader.own_leaf)]
    return Floor(
        [
            *_unsealed(on, sent, reader.public.tree.leaf_count),
            _verified_message(on, sent),
            Item(
                "signature of the new leaf",
                "7.3",
                [_verify_leaf(on, sent.path.leaf_node, context.group_id, sent.author)],
            ),
            Item("parent hashes of the path", "7.9", [_parent_hash(on, tree, node) for node, _ in filtered]),
            Item("tree hashes of the path", "7.8", _path_tree_hashes(on, tree, sent.author)),
            Item("path secret opened", "7.6", on.decrypt(on.Nh, _path_info(context))),
            *_path_keys(on, len(told)),
            Item("commit_secret and path secrets on the way to it", "7.4", [on.hmac()] * len(told)),
            Item("confirmed transcript hash", "8.2", [_confirmed_transcript_hash(on, sent)]),
            *_key_schedule(on, context),
        ]
    )


# PrivateMessages


def _sealed(on: Primitives, sent: OpenedMessage, descends: int | None) -> list[Item]:
    content_aad, sender_data_aad = _associated_data(sent)
    return [
        *_message_keys(on, descends),
        Item("content sealed", "6.3.1", [on.seal(sent.plaintext_size, content_aad)]),
        Item("key and nonce of the sender data", "6.3.2", [on.hmac()] * 2),
        Item("sender data sealed", "6.3.2", [on.seal(SENDER_DATA_SIZE, sender_data_aad)]),
    ]


def _unsealed(on: Primitives, sent: OpenedMessage, descends: int | None) -> list[Item]:
    content_aad, sender_data_aad = _associated_data(sent)
    return [
        Item("key and nonce of the sender data", "6.3.2", [on.hmac()] * 2),
        Item("sender data opened", "6.3.2", [on.open(SENDER_DATA_SIZE, sender_data_aad)]),
        *_message_keys(on, descends),
        Item("content opened", "6.3.1", [on.open(sent.plaintext_size, content_aad)]),
    ]


def _associated_data(sent: OpenedMessage) -> tuple[int, int]:
    """Return the sizes of PrivateContentAAD and SenderDataAAD."""
    sender_data_aad = opaque(len(sent.message.group_id)) + 8 + 1
    return sender_data_aad + opaque(len(sent.message.authenticated_data)), sender_data_aad


def _message_keys(on: Primitives, descends: int | None) -> list[Item]:
    """What a message takes of the secret tree. A consumed secret is deleted, so both children come of it at once."""
    step = Item("key, nonce and next secret of the ratchet", "9.1", [on.hmac()] * 3)
    if descends is None:
        return [step]
    levels = descends.bit_length() - 1
    return [Item("secrets down to the leaf, and its two ratchets", "9", [on.hmac()] * (2 * levels + 2)), step]


def _verified_message(on: Primitives, sent: OpenedMessage) -> Item:
    return Item("signature of the message", "6.1", [on.verify(sent.signature_key, sent.signed, sent.signature)])


# Commits and the key schedule


def _commit(on: Primitives, sent: OpenedMessage, context: GroupContext) -> list[Item]:
    """What every Commit's author computes."""
    return [
        Item("signature of the Commit", "6.1", [on.sign(len(sent.signed))]),
        Item("confirmed transcript hash", "8.2", [_confirmed_transcript_hash(on, sent)]),
        *_key_schedule(on, context),
    ]


def _confirmed_transcript_hash(on: Primitives, sent: OpenedMessage) -> Call:
    return on.hash(on.Nh + 2 + len(sent.content.encode()) + opaque(len(sent.signature)))


def _key_schedule(on: Primitives, context: GroupContext) -> list[Item]:
    size = len(context.encode())
    return [
        Item("joiner_secret", "8", [on.hmac(), on.hmac(size)]),
        Item("epoch_secret with the PSKs", "8", [on.hmac(), on.hmac(size)]),
        *_secrets_of_the_epoch(on),
    ]


def _secrets_of_the_epoch(on: Primitives) -> list[Item]:
    return [
        Item("the epoch's nine secrets", "8", [on.hmac()] * 9),
        Item("confirmation tag", "6.1", [on.hmac(on.Nh)]),
        Item("interim transcript hash", "8.2", [on.hash(on.Nh + opaque(on.Nh))]),
    ]


# Paths


def _fresh_path(on: Primitives, sent: OpenedMessage, after: PublicState) -> list[Item]:
    """Draw a path, sign its leaf, and encrypt it to the copath."""
    tree, leaf, nodes = after.tree, sent.path.leaf_node, sent.path.nodes
    filtered = [node for node, _ in tree.filtered_direct_path(sent.author)]
    signed = leaf.to_be_signed(after.context.group_id, sent.author)
    recipients = sum(len(node.encrypted_path_secret) for node in nodes)
    sealed = on.encrypt(on.Nh, _path_info(after.context)) * recipients
    return [
        Item("key pair of the leaf", "7.5", [on.key_pair()]),
        *_path_keys(on, len(nodes)),
        Item("commit_secret and path secrets on the way to it", "7.4", [on.hmac()] * len(nodes)),
        Item("parent hashes of the path", "7.9", [_parent_hash(on, tree, node) for node in filtered]),
        Item("signature of the leaf", "7.2", [_sign(on, "LeafNodeTBS", signed)]),
        Item("path secrets sealed", "7.6", sealed),
    ]


def _path_keys(on: Primitives, nodes: int) -> list[Item]:
    """From path secrets to key pairs, whose public keys go into the tree or are compared with it."""
    return [
        Item("node secrets", "7.4", [on.hmac()] * nodes),
        Item("key pairs of the nodes", "7.4", on.derive_key_pair() * nodes),
    ]


def _told_path(on: Primitives, joined: GroupState, signer: LeafIndex) -> list[Item]:
    """The keys that a new member derives from the path secret in its GroupSecrets; the commit_secret is not needed."""
    tree = joined.public.tree
    ancestor = math.common_ancestor(joined.own_leaf, signer)
    path = math.direct_path(joined.own_leaf, tree.leaf_count)
    told = [node for node in path[path.index(ancestor) :] if tree.node(node) is not None]
    return [*_path_keys(on, len(told)), Item("path secrets", "7.4", [on.hmac()] * (len(told) - 1))]


def _path_info(context: GroupContext) -> int:
    return opaque(len(UPDATE_PATH_LABEL)) + opaque(len(context.encode()))


# Trees


def _all_tree_hashes(on: Primitives, tree: RatchetTree) -> list[Call]:
    """The hashes of all nodes. Blank leaves count: each one's hash has its index in it."""
    nodes = (tree.node(math.NodeIndex(index)) for index in range(math.node_count(tree.leaf_count)))
    return [_node_hash(on, node, is_leaf=index % 2 == 0) for index, node in enumerate(nodes)]


def _path_tree_hashes(on: Primitives, tree: RatchetTree, leaf: LeafIndex) -> list[Call]:
    """The hashes of a leaf and of all above it, blank ones too."""
    above = [_node_hash(on, tree.node(index), is_leaf=False) for index in math.direct_path(leaf, tree.leaf_count)]
    return [_node_hash(on, tree.leaf(leaf), is_leaf=True), *above]


def _node_hash(on: Primitives, node: AnyNode | None, *, is_leaf: bool) -> Call:
    size = 0 if node is None else len(node.encode())
    return on.hash(6 + size if is_leaf else 2 + size + 2 * opaque(on.Nh))


def _parent_hash(on: Primitives, tree: RatchetTree, index: NodeIndex) -> Call:
    node = tree.parent_node(index)
    assert node is not None
    return on.hash(opaque(len(node.encryption_key)) + opaque(len(node.parent_hash)) + opaque(on.Nh))


# Signatures


def _sign(on: Primitives, label: str, content: bytes) -> Call:
    return on.sign(len(sign_content(label, content)))


def _verify_leaf(on: Primitives, leaf: LeafNode, group_id: bytes, index: int) -> Call:
    signed = sign_content("LeafNodeTBS", leaf.to_be_signed(group_id, index))
    return on.verify(leaf.signature_key, signed, leaf.signature)


def _verify_key_package(on: Primitives, key_package: KeyPackage) -> Call:
    signed = sign_content("KeyPackageTBS", key_package.to_be_signed())
    return on.verify(key_package.leaf_node.signature_key, signed, key_package.signature)
