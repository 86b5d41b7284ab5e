"""Who may commit what: rules on Commits that depend on the group's own state, and so are the same for everyone.

Each network vouches for its own: a leaf of network N comes and goes by a Commit from N, or from somebody with the
`VOUCH` right, who compared numbers. That is what keeps a relay from letting anybody in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.protocol.code_points import ORDER_EXTENSION, Right
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import Identity, identity_of_credential
from bridge.protocol.order import Order, find_order
from mls.wire.framing import Member, NewMemberCommit
from mls.wire.proposals import Add, ExternalInit, GroupContextExtensions, Remove, SelfRemove

if TYPE_CHECKING:
    from mls.group.environment import ProposalList, Proposed
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.extensions import Extension
    from mls.wire.leaf_node import LeafNode

__all__ = ["may_commit", "why_not"]


def why_not(commit: ProposalList) -> str | None:
    """Return why the room protocol does not allow a Commit, `None` where it does. For `mls.Environment`."""
    try:
        return _why_not(commit)
    except ProtocolError as error:
        return error.what


def may_commit(order: Order, committer: Identity, proposed: Add | Remove, subject: Identity) -> str | None:
    """Return why somebody may not add or remove a subject."""
    rights = order.rights_of(committer.account)
    if Right.VOUCH in rights:
        return None
    needed = Right.ADD if isinstance(proposed, Add) else Right.REMOVE
    if needed not in rights:
        return f"{committer.account} has not the right to {'add' if needed is Right.ADD else 'remove'}"
    if committer.network != subject.network:
        return f"{committer.account} cannot vouch for {subject.account}, who is on another network"
    return None


def _why_not(commit: ProposalList) -> str | None:
    order = find_order(commit.context.extensions)
    if isinstance(commit.committer, NewMemberCommit):
        return _why_not_return(commit)
    if not isinstance(commit.committer, Member):
        return "Commits and proposals come from members, or from who comes back"
    committer = _identity(commit.tree, commit.committer.leaf_index)
    for item in commit.proposals:
        reason = _why_not_proposal(commit, order, committer, item)
        if reason is not None:
            return reason
    if commit.path_leaf is not None and identity_of_credential(commit.path_leaf.credential) != committer:
        return "a member cannot become somebody else"
    return None


def _why_not_return(commit: ProposalList) -> str | None:
    """An external Commit does one thing: it replaces its author's own leaf (PROTOCOL.md, "Coming back")."""
    removed = [item.proposal.removed for item in commit.proposals if isinstance(item.proposal, Remove)]
    kinds = {type(item.proposal) for item in commit.proposals}
    by_value = all(item.reference is None for item in commit.proposals)
    if len(removed) != 1 or kinds != {Remove, ExternalInit} or len(commit.proposals) != len(kinds) or not by_value:
        return "an external Commit does nothing but replace a leaf"
    old, new = commit.tree.leaf(removed[0]), commit.path_leaf
    if old is None or new is None:
        return "an external Commit replaces a leaf that is there"
    if new.signature_key != old.signature_key or new.credential != old.credential:
        return "an external Commit replaces nobody's leaf but its author's"
    return None


def _why_not_proposal(commit: ProposalList, order: Order, committer: Identity, item: Proposed) -> str | None:
    match item.proposal:
        case SelfRemove():
            return None
        case _ if item.reference is not None:
            return "only a wish to leave is committed by reference"
        case Add(key_package=key_package) as add:
            return may_commit(order, committer, add, identity_of_credential(key_package.leaf_node.credential))
        case Remove(removed=removed) as remove:
            return may_commit(order, committer, remove, _identity(commit.tree, removed))
        case GroupContextExtensions(extensions=extensions):
            return _why_not_settings(commit, order, committer, extensions)
        case other:
            return f"a {type(other).__name__} has no place in this protocol"


def _why_not_settings(
    commit: ProposalList, order: Order, committer: Identity, extensions: tuple[Extension, ...]
) -> str | None:
    if Right.SETTINGS not in order.rights_of(committer.account):
        return f"{committer.account} has not the right to change the group's settings"
    after = find_order(extensions)
    if after.room != order.room:
        return "a group keeps its canonical room for life"
    kept = [item for item in commit.context.extensions if item.extension_type != ORDER_EXTENSION]
    if kept != [item for item in extensions if item.extension_type != ORDER_EXTENSION]:
        return "of the group's extensions only its order can change"
    return None


def _identity(tree: RatchetTree, index: int) -> Identity:
    leaf: LeafNode | None = tree.leaf(index)
    if leaf is None:
        raise ProtocolError("a leaf that is not there")
    return identity_of_credential(leaf.credential)
