"""GroupInfo, in words; with the tree inside it, its signature and tree hash are checked."""

from __future__ import annotations

from bridge.inspecting import names
from bridge.inspecting.explanation import Blob, Explanation, Field
from bridge.inspecting.extensions import explain_extension
from bridge.inspecting.look import Look
from bridge.inspecting.people import who
from bridge.inspecting.trees import MAX_MEMBERS
from mls.crypto.suite import cipher_suite
from mls.errors import MlsError, UsageError
from mls.group.group_info import ratchet_tree_of, verify_group_info
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.group_context import GroupContext
from mls.wire.welcome import GroupInfo

__all__ = ["explain_group_info"]


def explain_group_info(info: GroupInfo, look: Look) -> Explanation:
    """Explain a GroupInfo."""
    fields = (
        Field("group_context", _context(info.group_context, look)),
        Field("extensions", look.several(info.extensions, lambda item: explain_extension(item, look))),
        Field("signer_leaf", info.signer),
        Field("signature_check", _signature(info, look)),
        Field("confirmation_tag", Blob(info.confirmation_tag)),
    )
    return Explanation("group_info", "GroupInfo", "an epoch's public state", fields)


def _context(context: GroupContext, look: Look) -> Explanation:
    fields = (
        Field("protocol_version", names.version(context.version)),
        Field("cipher_suite", names.suite(context.cipher_suite)),
        Field("group_id", Blob(context.group_id)),
        Field("epoch", context.epoch),
        Field("tree_hash", Blob(context.tree_hash)),
        Field("confirmed_transcript_hash", Blob(context.confirmed_transcript_hash)),
        Field("extensions", look.several(context.extensions, lambda item: explain_extension(item, look))),
    )
    return Explanation("group_context", "GroupContext", "what all members of the epoch agree on", fields)


def _signature(info: GroupInfo, look: Look) -> str:
    try:
        suite = cipher_suite(info.group_context.cipher_suite, experimental=True)
        tree = RatchetTree.from_extension(suite, ratchet_tree_of(info, None), max_members=MAX_MEMBERS)
    except UsageError:
        return "not checked: a cipher suite that is not known"
    except MlsError:  # where there is one, it was explained above, and what is wrong with it noted
        return "not checked: there is no valid tree inside"
    if tree.tree_hash() != info.group_context.tree_hash:
        look.problem("GroupInfo", "the tree inside is another one than its tree_hash names")
    try:
        verify_group_info(suite, info, tree)
    except MlsError as error:
        look.problem("GroupInfo", error)
        return "wrong"
    leaf = tree.leaf(info.signer)
    return "valid" if leaf is None else f"valid, by {who(leaf.credential)}"
