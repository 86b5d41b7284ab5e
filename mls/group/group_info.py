"""GroupInfo: an epoch's public state, signed (RFC 9420, section 12.4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls import rules
from mls.group.leaf_validation import check_extension_list
from mls.registry import ExtensionType
from mls.schedule.key_schedule import external_key_pair
from mls.wire.extensions import Extension, ExternalPub, pack_extension
from mls.wire.message import MLSMessage, wrap
from mls.wire.tree import RatchetTreeExtension
from mls.wire.welcome import GroupInfo

if TYPE_CHECKING:
    from mls.crypto.secret import Secret
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.group.state import GroupState, PublicState
    from mls.tree.math import LeafIndex
    from mls.tree.ratchet_tree import RatchetTree

__all__ = ["group_info", "ratchet_tree_of", "sign_group_info", "verify_group_info"]


def group_info(
    state: GroupState, *, with_tree: bool = True, external_join: bool = True, extensions: tuple[Extension, ...] = ()
) -> MLSMessage:
    """Return the current epoch's GroupInfo. With `external_join`, it lets its reader join by an external Commit."""
    state.require_active()
    secret = state.epoch_secrets.external_secret if external_join else None
    return wrap(
        sign_group_info(
            state.public, state.own_leaf, state.signature_key, with_tree=with_tree, external=secret, more=extensions
        )
    )


def sign_group_info(
    public: PublicState,
    signer: LeafIndex,
    key: SignaturePrivateKey,
    *,
    with_tree: bool,
    external: Secret | None,
    more: tuple[Extension, ...],
) -> GroupInfo:
    """Return a signed GroupInfo; with the tree inside, and with the external key of `external`, if asked."""
    suite = public.suite
    extensions = list(more)
    if with_tree:
        extensions.append(Extension(ExtensionType.RATCHET_TREE, public.tree.to_extension().encode()))
    if external is not None:
        extensions.append(pack_extension(ExternalPub(external_key_pair(suite, external).public_key)))
    check_extension_list(tuple(extensions))
    unsigned = GroupInfo(public.context, tuple(extensions), public.confirmation_tag, signer, b"")
    return unsigned.replace(signature=suite.sign_with_label(key, "GroupInfoTBS", unsigned.to_be_signed()))


def ratchet_tree_of(info: GroupInfo, given: RatchetTreeExtension | None) -> RatchetTreeExtension:
    """Return the tree that a GroupInfo carries, or the one that came beside it. Raises `MissingError`."""
    for extension in info.extensions:
        if extension.extension_type == ExtensionType.RATCHET_TREE:
            return RatchetTreeExtension.decode(extension.extension_data)
    if given is None:
        rules.TREE_IS_AVAILABLE.fail()
    return given


def verify_group_info(suite: CipherSuite, info: GroupInfo, tree: RatchetTree) -> None:
    """Check a GroupInfo's signature by the leaf that it names. Raises `RuleError`."""
    signer = tree.leaf(info.signer)
    if signer is None:
        rules.GROUP_INFO_SIGNER_IS_A_MEMBER.fail(f"leaf {info.signer}")
    valid = suite.verify_with_label(signer.signature_key, "GroupInfoTBS", info.to_be_signed(), info.signature)
    rules.GROUP_INFO_SIGNATURE_IS_VALID.require(valid)
