"""Joining by a Welcome (RFC 9420, section 12.4.3.1)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from mls import rules
from mls.errors import UsageError
from mls.group.epoch import find_psks, first_state, start_epoch_from_joiner
from mls.group.group_info import ratchet_tree_of, verify_group_info
from mls.group.leaf_validation import check_extension_list, own_support
from mls.group.processing import decode_message
from mls.group.proposal_list import check_external_senders
from mls.group.received import Joined
from mls.group.state import GroupState, Transition
from mls.group.successors import check_special_psks, check_successor
from mls.group.tree_validation import load_tree
from mls.schedule.key_schedule import member_secret, welcome_keys
from mls.schedule.psk import psk_secret
from mls.tree import math
from mls.tree.private_tree import PrivateTree
from mls.tree.treekem import derive_path
from mls.wire.message import MLSMessage
from mls.wire.welcome import GroupInfo, GroupSecrets, Welcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.group.creation import KeyPackageBundle
    from mls.group.environment import Environment
    from mls.tree.math import LeafIndex, NodeIndex
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.leaf_node import Capabilities
    from mls.wire.tree import RatchetTreeExtension

__all__ = ["check_group_info_extensions", "find_bundle", "join"]


def join(
    environment: Environment,
    welcome: bytes | MLSMessage,
    key_packages: Iterable[KeyPackageBundle],
    *,
    tree: RatchetTreeExtension | None = None,
    groups: Collection[bytes] = (),
    previous: GroupState | None = None,
) -> Transition[Joined]:
    """Join the group that a Welcome is from.

    `key_packages` are those that this client has out; the Welcome answers one of them. `tree` is needed where the
    Welcome does not carry the tree, `previous` where the group follows on another one (ReInit, branch).
    `groups` are the ids of the groups that this client is in. The private keys of a KeyPackage that is not a last
    resort are spent with this: delete it when the state is stored. Raises `RuleError`, or `DecodeError`.
    """
    message = welcome if isinstance(welcome, MLSMessage) else decode_message(welcome, environment)
    if not isinstance(message.message, Welcome):
        msg = f"a {type(message.message).__name__} is not a Welcome"
        raise UsageError(msg)
    body = message.message
    bundle, position = find_bundle(body, key_packages)
    suite = bundle.suite
    secrets = _open_group_secrets(body, bundle, position)
    check_special_psks(secrets.psks)
    psks = psk_secret(suite, find_psks(secrets.psks, previous, environment))
    sealing = welcome_keys(suite, member_secret(suite, secrets.joiner_secret, psks))
    plaintext = suite.aead.open(sealing.key, sealing.nonce, body.encrypted_group_info, b"")
    if plaintext is None:
        rules.GROUP_INFO_DECRYPTS.fail()
    info = GroupInfo.decode(plaintext, max_size=environment.limits.max_message)
    context = info.group_context
    rules.GROUP_INFO_SUITE_MATCHES.require(context.cipher_suite == suite.number)
    rules.GROUP_ID_IS_NEW.require(context.group_id not in groups)
    check_group_info_extensions(info, bundle.key_package.leaf_node.capabilities, suite, environment)
    ratchet_tree = load_tree(suite, ratchet_tree_of(info, tree), context, environment)
    verify_group_info(suite, info, ratchet_tree)
    own_leaf = _own_leaf(ratchet_tree, bundle)
    private_tree = _private_tree(ratchet_tree, own_leaf, math.LeafIndex(info.signer), bundle, secrets)
    keys = start_epoch_from_joiner(context, ratchet_tree, secrets.joiner_secret, psks)
    rules.CONFIRMATION_TAG_IS_VALID.require(hmac.compare_digest(keys.public.confirmation_tag, info.confirmation_tag))
    check_successor(secrets.psks, keys.public, previous, environment)
    state = first_state(keys, private_tree, bundle.signature_key)
    spent = () if bundle.key_package.is_last_resort else (bundle.init_key.secret, bundle.encryption_key.secret)
    return Transition(state, Joined(context.epoch, math.LeafIndex(info.signer)), spent)


def find_bundle(welcome: Welcome, key_packages: Iterable[KeyPackageBundle]) -> tuple[KeyPackageBundle, int]:
    """Return the KeyPackage that a Welcome answers, and the position of its entry. Raises `RuleError`."""
    entries = {entry.new_member: position for position, entry in enumerate(welcome.secrets)}
    bundle = next((bundle for bundle in key_packages if bundle.reference in entries), None)
    if bundle is None:
        rules.WELCOME_IS_FOR_US.fail()
    rules.WELCOME_SUITE_MATCHES.require(welcome.cipher_suite == bundle.key_package.cipher_suite)
    return bundle, entries[bundle.reference]


def check_group_info_extensions(
    info: GroupInfo, capabilities: Capabilities, suite: CipherSuite, environment: Environment
) -> None:
    """Check what a joiner must of the group's extensions (sections 5.3.1 and 13.4).

    It supports each of them; unknown ones outside the GroupContext are ignored.
    """
    check_extension_list(info.extensions)
    check_extension_list(info.group_context.extensions)
    types = [extension.extension_type for extension in info.group_context.extensions]
    rules.JOINER_SUPPORTS_GROUP_EXTENSIONS.require(own_support(capabilities, types))
    check_external_senders(info.group_context.extensions, suite, environment)


def _open_group_secrets(welcome: Welcome, bundle: KeyPackageBundle, position: int) -> GroupSecrets:
    sealed = welcome.secrets[position].encrypted_group_secrets
    plaintext = bundle.suite.decrypt_with_label(
        bundle.init_key, "Welcome", welcome.encrypted_group_info, sealed.kem_output, sealed.ciphertext
    )
    if plaintext is None:
        rules.GROUP_SECRETS_DECRYPT.fail()
    return GroupSecrets.decode(plaintext)


def _own_leaf(tree: RatchetTree, bundle: KeyPackageBundle) -> LeafIndex:
    """Return where the KeyPackage's leaf stands in the tree."""
    leaf_node = bundle.key_package.leaf_node
    index = tree.signature_keys.get(leaf_node.signature_key)
    if index is None or tree.leaf(index) != leaf_node:
        rules.OWN_LEAF_IS_IN_THE_TREE.fail()
    return index


def _private_tree(
    tree: RatchetTree, own_leaf: LeafIndex, signer: LeafIndex, bundle: KeyPackageBundle, secrets: GroupSecrets
) -> PrivateTree:
    """Return the private keys of a new member: its leaf's, and those that the Welcome's path secret gives."""
    # A copy: this group will wipe its leaf's key one day, while a last resort's serves other groups too.
    keys: dict[NodeIndex, HPKEPrivateKey] = {math.leaf_node_index(own_leaf): bundle.encryption_key.copy()}
    if secrets.path_secret is not None:
        ancestor = math.common_ancestor(own_leaf, signer)
        path = math.direct_path(own_leaf, tree.leaf_count)
        rules.WELCOME_PATH_SECRET_MATCHES.require(ancestor in path and tree.node(ancestor) is not None)
        nodes = [index for index in path[path.index(ancestor) :] if tree.node(index) is not None]
        _, derived, _ = derive_path(tree.suite, secrets.path_secret.path_secret, len(nodes))
        for index, key in zip(nodes, derived, strict=True):
            node = tree.node(index)
            rules.WELCOME_PATH_SECRET_MATCHES.require(node is not None and node.encryption_key == key.public_key)
            keys[index] = key
    return PrivateTree(own_leaf, keys)
