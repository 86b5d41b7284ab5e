"""Trees, GroupInfos and Welcomes for a group that is not as the joiner is told.

Whoever can write a Welcome can make up everything in it: the tree, the epoch, its secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.group.epoch import start_epoch_from_joiner
from mls.registry import ExtensionType
from mls.schedule.key_schedule import external_key_pair, member_secret, welcome_keys
from mls.schedule.psk import psk_secret
from mls.tree.math import LeafIndex, NodeIndex
from mls.wire.commit import HPKECiphertext
from mls.wire.extensions import Extension, ExternalPub, pack_extension
from mls.wire.leaf_node import LeafNode
from mls.wire.message import MLSMessage, wrap
from mls.wire.tree import ParentNode
from mls.wire.welcome import EncryptedGroupSecrets, GroupInfo, GroupSecrets, Welcome
from tests.mls.rules.forging.messages import unchanged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mls.crypto.secret import Secret
    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.creation import KeyPackageBundle
    from mls.group.environment import Environment
    from mls.group.state import GroupState
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.group_context import GroupContext
    from mls.wire.psk import PreSharedKeyID
    from mls.wire.tree import AnyNode, RatchetTreeExtension
    from tests.mls.rules.forging.messages import Alteration

__all__ = ["changed_tree", "forged_group_info", "forged_welcome", "with_leaf"]


def changed_tree(tree: RatchetTree, changes: Mapping[int, AnyNode | None]) -> RatchetTree:
    """Return the tree with other nodes at these node indices. Tree hashes follow, parent hashes do not."""
    edit = tree.edit()
    for index, node in changes.items():
        match node:
            case LeafNode():
                edit.set_leaf(LeafIndex(index // 2), node)
            case ParentNode():
                edit.set_parent(NodeIndex(index), node)
            case None:
                edit._set(NodeIndex(index), None)
    return edit.freeze()


def with_leaf(tree: RatchetTree, bundle: KeyPackageBundle) -> RatchetTree:
    """Return the tree with a KeyPackage's leaf added to it."""
    edit = tree.edit()
    edit.add_leaf(bundle.key_package.leaf_node)
    return edit.freeze()


def forged_group_info(
    state: GroupState,
    *,
    tree: RatchetTree | None = None,
    ratchet_tree: RatchetTreeExtension | None = None,
    context: Alteration[GroupContext] = unchanged,
    info: Alteration[GroupInfo] = unchanged,
    signed_info: Alteration[GroupInfo] = unchanged,
    key: SignaturePrivateKey | None = None,
) -> MLSMessage:
    """Return a GroupInfo by this member that lets its reader join, into a group with any `tree`.

    `context` alters the GroupContext, which has the tree's hash; `ratchet_tree` replaces the extension alone.
    `info` alters the GroupInfo before it is signed by `key`, `signed_info` after.
    """
    tree = tree or state.public.tree
    pair = external_key_pair(state.suite, state.epoch_secrets.external_secret)
    unsigned = GroupInfo(
        context(state.public.context.replace(tree_hash=tree.tree_hash())),
        (_tree_extension(ratchet_tree or tree.to_extension()), pack_extension(ExternalPub(pair.public_key))),
        state.public.confirmation_tag,
        state.own_leaf,
        b"",
    )
    return wrap(signed_info(_signed(state, info(unsigned), key)))


def forged_welcome(
    state: GroupState,
    bundle: KeyPackageBundle,
    environment: Environment,
    *,
    tree: RatchetTree | None = None,
    ratchet_tree: RatchetTreeExtension | None = None,
    context: Alteration[GroupContext] = unchanged,
    psks: Sequence[tuple[PreSharedKeyID, Secret]] = (),
    secrets: Alteration[GroupSecrets] = unchanged,
    info: Alteration[GroupInfo] = unchanged,
    signed_info: Alteration[GroupInfo] = unchanged,
    welcome: Alteration[Welcome] = unchanged,
    key: SignaturePrivateKey | None = None,
) -> MLSMessage:
    """Return a Welcome by this member for the client of `bundle`, into an epoch that is made up.

    It fits together but for the alterations. `tree` is the group's with the client's leaf in it, unless given;
    `context` alters the next epoch's GroupContext, which has the hash of `tree`, `ratchet_tree` replaces the
    extension alone. `info` alters the GroupInfo before it is signed by `key`, `signed_info` after; `secrets` and
    `welcome` alter those structs.
    """
    suite, random = state.suite, environment.random
    tree = tree or with_leaf(state.public.tree, bundle)
    new = context(state.public.context.replace(epoch=state.epoch + 1, tree_hash=tree.tree_hash()))
    joiner, psk = random(suite.Nh), psk_secret(suite, psks)
    keys = start_epoch_from_joiner(new, tree, joiner, psk)
    extensions = (_tree_extension(ratchet_tree or tree.to_extension()),)
    unsigned = GroupInfo(new, extensions, keys.public.confirmation_tag, state.own_leaf, b"")
    group_info = signed_info(_signed(state, info(unsigned), key))
    sealing = welcome_keys(suite, member_secret(suite, joiner, psk))
    encrypted_info = suite.aead.seal(sealing.key, sealing.nonce, group_info.encode(), b"")
    group_secrets = secrets(GroupSecrets(joiner, None, tuple(psk_id for psk_id, _ in psks)))
    sealed = suite.encrypt_with_label(
        bundle.key_package.init_key, "Welcome", encrypted_info, group_secrets.encode(), random
    )
    entry = EncryptedGroupSecrets(bundle.reference, HPKECiphertext(*sealed))
    return wrap(welcome(Welcome(suite.number, (entry,), encrypted_info)))


def _tree_extension(tree: RatchetTreeExtension) -> Extension:
    return Extension(ExtensionType.RATCHET_TREE, tree.encode())


def _signed(state: GroupState, info: GroupInfo, key: SignaturePrivateKey | None) -> GroupInfo:
    content = info.replace(signature=b"").to_be_signed()
    return info.replace(signature=state.suite.sign_with_label(key or state.signature_key, "GroupInfoTBS", content))
