"""Leaves, KeyPackages and Updates with any content and a true signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.group.creation import KeyPackageBundle
from mls.wire.leaf_node import UpdateSource
from mls.wire.proposals import Update

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.group.environment import Environment
    from mls.group.state import GroupState
    from mls.wire.leaf_node import LeafNode

__all__ = ["forged_key_package", "forged_update", "resigned"]


def resigned(
    suite: CipherSuite, leaf: LeafNode, key: SignaturePrivateKey, *, group_id: bytes = b"", index: int = 0
) -> LeafNode:
    """Return `leaf` with a true signature by `key`, for that place in that group."""
    content = leaf.replace(signature=b"").to_be_signed(group_id, index)
    return leaf.replace(signature=suite.sign_with_label(key, "LeafNodeTBS", content))


def forged_key_package(
    bundle: KeyPackageBundle,
    *,
    leaf: Mapping[str, object] | None = None,
    key: SignaturePrivateKey | None = None,
    **changes: object,
) -> KeyPackageBundle:
    """Return a KeyPackage with `changes` to it, and those in `leaf` to its leaf, both signed anew by `key`.

    A `signature` among the changes is left as it is. The signature key in the leaf is `key`'s unless changed too.
    """
    suite, leaf = bundle.suite, leaf or {}
    signature_key = key or bundle.signature_key
    leaf_node = bundle.key_package.leaf_node.replace(**{"signature_key": signature_key.public_key, **leaf})
    if "signature" not in leaf:
        leaf_node = resigned(suite, leaf_node, signature_key)
    changed = bundle.key_package.replace(**{"leaf_node": leaf_node, **changes})
    if "signature" not in changes:
        content = changed.replace(signature=b"").to_be_signed()
        changed = changed.replace(signature=suite.sign_with_label(signature_key, "KeyPackageTBS", content))
    return KeyPackageBundle(changed, bundle.init_key, bundle.encryption_key, signature_key)


def forged_update(
    state: GroupState, environment: Environment, *, key: SignaturePrivateKey | None = None, **changes: object
) -> Update:
    """Return an Update of this member's leaf with a fresh key and with `changes`, signed by `key`.

    A `signature` among the changes is left as it is.
    """
    leaf = state.public.tree.leaf(state.own_leaf)
    assert leaf is not None
    fresh = state.suite.generate_hpke_key(environment.random).public_key
    leaf = leaf.replace(**{"encryption_key": fresh, "leaf_node_source": UpdateSource(), **changes})
    if "signature" not in changes:
        leaf = resigned(state.suite, leaf, key or state.signature_key, group_id=state.group_id, index=state.own_leaf)
    return Update(leaf)
