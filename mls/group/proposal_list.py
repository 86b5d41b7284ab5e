"""Lists of proposals: valid or not, and applied (RFC 9420, sections 12.1, 12.2 and 12.3).

The same two functions serve the author of a Commit and everyone who receives it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls import rules
from mls.group.environment import ProposalList
from mls.group.leaf_validation import (
    PendingChecks,
    check_credential,
    check_extension_list,
    check_key_package,
    check_leaf,
    check_leaf_against_members,
    check_lifetime_is_current,
)
from mls.registry import (
    DEFAULT_EXTENSION_TYPES,
    DEFAULT_PROPOSAL_TYPES,
    NO_PATH_PROPOSAL_TYPES,
    ProposalType,
    ResumptionPSKUsage,
)
from mls.tree import math
from mls.tree.census import Census, Counts, count
from mls.wire.extensions import ExternalSenders, RequiredCapabilities, find_extension
from mls.wire.framing import Member
from mls.wire.leaf_node import UpdateSource
from mls.wire.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
    SelfRemove,
    Update,
    proposal_type,
)
from mls.wire.psk import PreSharedKeyID, ResumptionPSK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.crypto.suite import CipherSuite
    from mls.group.environment import Environment, Proposed
    from mls.group.state import PublicState
    from mls.tree.math import LeafIndex
    from mls.tree.ratchet_tree import RatchetTree, TreeEdit
    from mls.wire.commit import UpdatePath
    from mls.wire.extensions import Extension
    from mls.wire.framing import AnySender
    from mls.wire.group_context import GroupContext
    from mls.wire.key_package import KeyPackage
    from mls.wire.leaf_node import LeafNode

__all__ = [
    "Applied",
    "apply_proposals",
    "check_application_rules",
    "check_external_commit_proposals",
    "check_external_senders",
    "check_proposals",
    "check_replacement",
    "path_is_required",
]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a list of proposals makes of a group, before any path."""

    tree: RatchetTree
    extensions: tuple[Extension, ...]
    added: tuple[tuple[LeafIndex, KeyPackage], ...] = ()
    updated: tuple[tuple[LeafIndex, LeafNode, LeafNode], ...] = ()
    """Index, old leaf, new leaf."""
    removed: tuple[tuple[LeafIndex, LeafNode], ...] = ()
    """By Remove and SelfRemove."""
    resynced: LeafNode | None = None
    """In an external Commit, the leaf that its Remove names."""
    psks: tuple[PreSharedKeyID, ...] = ()
    external_init: ExternalInit | None = None
    reinit: ReInit | None = None

    @property
    def added_leaves(self) -> frozenset[int]:
        """The leaves that no path secret may be encrypted to yet (section 7.5)."""
        return frozenset(index for index, _ in self.added)


def path_is_required(proposals: Sequence[Proposed]) -> bool:
    """Return whether a Commit of these proposals must have a path (section 12.4). Unknown types need one."""
    return not proposals or any(proposal_type(item.proposal) not in NO_PATH_PROPOSAL_TYPES for item in proposals)


def check_proposals(
    proposals: Sequence[Proposed],
    committer: LeafIndex,
    context: GroupContext,
    tree: RatchetTree,
    usage: ResumptionPSKUsage | None,
) -> None:
    """Check the list of a regular Commit, as far as it can be before it is applied (section 12.2).

    `usage` is set when a new group's first Commit links it to an old one, and allows PSKs of that usage.
    """
    if not proposals:
        return
    kinds = Counter(proposal_type(item.proposal) for item in proposals)
    rules.EXTERNAL_INIT_ONLY_IN_EXTERNAL_COMMIT.require(not kinds[ProposalType.EXTERNAL_INIT])
    rules.REINIT_STANDS_ALONE.require(not kinds[ProposalType.REINIT] or len(proposals) == 1)
    rules.ONE_GROUP_CONTEXT_EXTENSIONS.require(kinds[ProposalType.GROUP_CONTEXT_EXTENSIONS] <= 1)
    _check_psks(proposals, tree.suite.Nh, usage)
    _check_one_change_per_leaf(proposals, tree)
    for item in proposals:
        match item.proposal:
            case Update():
                rules.NO_UPDATE_BY_COMMITTER.require(item.sender != Member(committer))
            case Remove(removed=leaf):
                rules.NO_REMOVE_OF_COMMITTER.require(leaf != committer)
            case SelfRemove():
                rules.SELF_REMOVE_IS_BY_REFERENCE.require(item.reference is not None)
                rules.NO_REMOVE_OF_COMMITTER.require(item.sender != Member(committer))
            case ReInit(version=version, extensions=extensions):
                check_extension_list(extensions)
                rules.REINIT_VERSION_IS_NOT_LOWER.require(version >= context.version)
            case _:
                pass
    _check_types_are_supported(proposals, tree)


def check_external_commit_proposals(proposals: Sequence[Proposed], tree: RatchetTree) -> None:
    """Check the list of an external Commit, as far as it can be before it is applied (section 12.2)."""
    kinds = Counter(proposal_type(item.proposal) for item in proposals)
    rules.ONE_EXTERNAL_INIT.require(kinds[ProposalType.EXTERNAL_INIT] == 1)
    rules.ONE_REMOVE_IN_EXTERNAL_COMMIT.require(kinds[ProposalType.REMOVE] <= 1)
    for item in proposals:
        allowed = isinstance(item.proposal, ExternalInit | Remove | PreSharedKey | SelfRemove)
        rules.EXTERNAL_COMMIT_PROPOSAL_TYPES.require(allowed, f"type {proposal_type(item.proposal)}")
        if isinstance(item.proposal, SelfRemove):
            rules.SELF_REMOVE_IS_BY_REFERENCE.require(item.reference is not None)
        else:
            rules.EXTERNAL_COMMIT_HAS_NO_REFERENCES.require(item.reference is None)
    _check_psks(proposals, tree.suite.Nh, None)
    _check_one_change_per_leaf(proposals, tree)
    _check_types_are_supported(proposals, tree)


def _check_psks(proposals: Sequence[Proposed], nh: int, usage: ResumptionPSKUsage | None) -> None:
    seen: set[PreSharedKeyID] = set()
    for item in proposals:
        if not isinstance(item.proposal, PreSharedKey):
            continue
        psk_id = item.proposal.psk
        rules.PSK_NONCE_HAS_THE_RIGHT_SIZE.require(len(psk_id.psk_nonce) == nh, f"{len(psk_id.psk_nonce)} bytes")
        if isinstance(psk_id.psk, ResumptionPSK):
            rules.PSK_USAGE_FITS.require(psk_id.psk.usage in {ResumptionPSKUsage.APPLICATION, usage})
        rules.PSKS_ARE_DISTINCT.require(psk_id not in seen)
        seen.add(psk_id)


def _check_one_change_per_leaf(proposals: Sequence[Proposed], tree: RatchetTree) -> None:
    removed = [item.proposal.removed for item in proposals if isinstance(item.proposal, Remove)]
    leaving = _senders(proposals, SelfRemove)
    for leaf in removed:
        rules.REMOVED_LEAF_IS_A_MEMBER.require(tree.leaf(leaf) is not None, f"leaf {leaf}")
    rules.SELF_REMOVE_BEATS_REMOVE.require(set(leaving).isdisjoint(removed))
    leaf, times = Counter([*_senders(proposals, Update), *leaving, *removed, -1]).most_common(1)[0]
    rules.ONE_CHANGE_PER_LEAF.require(times == 1, f"leaf {leaf}")


def _senders(proposals: Sequence[Proposed], kind: type[Update | SelfRemove]) -> list[int]:
    """Return the leaves of those who sent the proposals of a kind that speaks of its sender."""
    return [
        item.sender.leaf_index
        for item in proposals
        if isinstance(item.proposal, kind) and isinstance(item.sender, Member)
    ]


def _check_types_are_supported(proposals: Sequence[Proposed], tree: RatchetTree) -> None:
    """Members who process the Commit must support its types: not those whom it adds or removes (section 12.2)."""
    special = {proposal_type(item.proposal) for item in proposals} - DEFAULT_PROPOSAL_TYPES
    if not special:
        return
    removed = set(_removed_leaves(proposals))
    counts: Counts = {}
    for index, leaf in tree.members():
        if index not in removed:
            count(counts, leaf)
    unsupported = special - Census(counts).common_proposals if counts else frozenset[int]()
    rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL.require(not unsupported, f"types {sorted(unsupported)}")


def apply_proposals(
    proposals: Sequence[Proposed],
    context: GroupContext,
    tree: RatchetTree,
    environment: Environment,
    *,
    sending_at: int | None,
) -> Applied:
    """Apply a checked list in the order of section 12.3, and check what each proposal brings.

    `sending_at` is the time for the author of the Commit, who must also check lifetimes; receivers need not.
    """
    if not proposals:
        return Applied(tree, context.extensions)
    extensions = _new_extensions(proposals, context, tree, environment)
    checks = PendingChecks(tree.suite)
    edit = tree.edit()
    removed = [(leaf, _member(tree, leaf)) for leaf in _removed_leaves(proposals)]
    for leaf, _ in removed:
        edit.remove_leaf(leaf)
    updated = _apply_updates(proposals, context, tree, edit, environment, checks)
    if removed:
        edit.truncate()
    added = _apply_adds(proposals, edit, environment, checks, sending_at)
    checks.settle()
    new_tree = edit.freeze()
    for leaf_node in (*(new for _, _, new in updated), *(key_package.leaf_node for _, key_package in added)):
        check_leaf_against_members(leaf_node, new_tree, extensions)
    _check_members_support(extensions, new_tree, changed=extensions != context.extensions)
    external_init = next((item.proposal for item in proposals if isinstance(item.proposal, ExternalInit)), None)
    by_remove = (tree.leaf(item.proposal.removed) for item in proposals if isinstance(item.proposal, Remove))
    return Applied(
        new_tree,
        extensions,
        tuple(added),
        tuple(updated),
        tuple(removed),
        None if external_init is None else next(by_remove, None),
        tuple(item.proposal.psk for item in proposals if isinstance(item.proposal, PreSharedKey)),
        external_init,
        next((item.proposal for item in proposals if isinstance(item.proposal, ReInit)), None),
    )


def _apply_updates(
    proposals: Sequence[Proposed],
    context: GroupContext,
    tree: RatchetTree,
    edit: TreeEdit,
    environment: Environment,
    checks: PendingChecks,
) -> list[tuple[LeafIndex, LeafNode, LeafNode]]:
    """Check and apply the Updates; return index, old leaf and new leaf of each.

    All old leaves go before the first new one comes: members may swap keys between them.
    """
    updated = [
        (leaf, _member(tree, leaf), item.proposal.leaf_node)
        for item in proposals
        if isinstance(item.proposal, Update) and isinstance(item.sender, Member)
        for leaf in (math.LeafIndex(item.sender.leaf_index),)
    ]
    for leaf, _, _ in updated:
        edit.vacate_leaf(leaf)
    for leaf, old, new in updated:
        rules.UPDATE_LEAF_SOURCE.require(isinstance(new.leaf_node_source, UpdateSource))
        check_replacement(new, old, environment)
        rules.UPDATE_CHANGES_ENCRYPTION_KEY.require(new.encryption_key != old.encryption_key)
        check_leaf(new, leaf, context.group_id, environment, checks)
        rules.SIGNATURE_KEY_IS_UNIQUE.require(not edit.has_signature_key(new.signature_key))
        rules.ENCRYPTION_KEY_IS_UNIQUE.require(not edit.has_encryption_key(new.encryption_key))
        edit.update_leaf(leaf, new)
    return updated


def _apply_adds(
    proposals: Sequence[Proposed],
    edit: TreeEdit,
    environment: Environment,
    checks: PendingChecks,
    sending_at: int | None,
) -> list[tuple[LeafIndex, KeyPackage]]:
    """Check and apply the Adds, in order; return where each KeyPackage's leaf stands."""
    key_packages = [item.proposal.key_package for item in proposals if isinstance(item.proposal, Add)]
    _check_added_clients(key_packages, edit, environment)
    added = []
    for key_package in key_packages:
        leaf = key_package.leaf_node
        if sending_at is not None:
            check_lifetime_is_current(leaf, sending_at)
        check_key_package(key_package, environment, checks)
        rules.ENCRYPTION_KEY_IS_UNIQUE.require(not edit.has_encryption_key(leaf.encryption_key))
        added.append((edit.add_leaf(leaf), key_package))
    return added


def check_application_rules(
    public: PublicState,
    environment: Environment,
    committer: AnySender,
    proposals: Sequence[Proposed],
    applied: Applied,
    path: UpdatePath | None,
    authenticated_data: bytes,
) -> None:
    """Ask the caller's own rules (section 12.2)."""
    leaf = None if path is None else path.leaf_node
    seen = ProposalList(
        public.context, public.tree, committer, tuple(proposals), applied.extensions, leaf, authenticated_data
    )
    reason = environment.proposal_rules(seen)
    rules.APPLICATION_RULES_HOLD.require(reason is None, reason or "")


def check_replacement(new: LeafNode, old: LeafNode, environment: Environment) -> None:
    """Check that a leaf's credential may follow the one before it (section 5.3.1)."""
    if new.credential != old.credential:
        accepted = environment.authentication.accepts_successor(old.credential, new.credential)
        rules.CREDENTIAL_IS_A_VALID_SUCCESSOR.require(accepted)


def _removed_leaves(proposals: Sequence[Proposed]) -> list[LeafIndex]:
    removed = [item.proposal.removed for item in proposals if isinstance(item.proposal, Remove)]
    return [math.LeafIndex(leaf) for leaf in _senders(proposals, SelfRemove) + removed]


def _member(tree: RatchetTree, index: LeafIndex) -> LeafNode:
    leaf = tree.leaf(index)
    if leaf is None:
        rules.REMOVED_LEAF_IS_A_MEMBER.fail(f"leaf {index}")
    return leaf


def _check_added_clients(key_packages: Sequence[KeyPackage], edit: TreeEdit, environment: Environment) -> None:
    """Check that each added client is new (section 12.2). `edit` has the removed members out of it."""
    client_id = environment.authentication.client_id
    keys: set[bytes] = set()
    names: set[bytes] = set()
    for key_package in key_packages:
        leaf = key_package.leaf_node
        name = client_id(leaf)
        rules.ADDS_ARE_DISTINCT_CLIENTS.require(leaf.signature_key not in keys and name not in names)
        rules.ADDED_CLIENT_IS_NOT_A_MEMBER.require(not edit.has_signature_key(leaf.signature_key))
        keys.add(leaf.signature_key)
        if name is not None:
            names.add(name)
    if names:
        rules.ADDED_CLIENT_IS_NOT_A_MEMBER.require(names.isdisjoint(client_id(leaf) for leaf in edit.leaves()))


def _new_extensions(
    proposals: Sequence[Proposed], context: GroupContext, tree: RatchetTree, environment: Environment
) -> tuple[Extension, ...]:
    for item in proposals:
        if isinstance(item.proposal, GroupContextExtensions):
            extensions = item.proposal.extensions
            check_extension_list(extensions)
            check_external_senders(extensions, tree.suite, environment)
            return extensions
    return context.extensions


def check_external_senders(extensions: tuple[Extension, ...], suite: CipherSuite, environment: Environment) -> None:
    """Check the credentials of an `external_senders` extension that is being set (section 5.3.1)."""
    senders = find_extension(extensions, ExternalSenders)
    for sender in senders.external_senders if senders else ():
        check_credential(sender.credential, sender.signature_key, suite, environment)


def _check_members_support(extensions: tuple[Extension, ...], tree: RatchetTree, *, changed: bool) -> None:
    """Check that all members support new extensions, and what these require (sections 12.1.7 and 13.4)."""
    if not changed:
        return
    census = tree.census
    required = find_extension(extensions, RequiredCapabilities) or RequiredCapabilities((), (), ())
    types = {extension.extension_type for extension in extensions} | set(required.extension_types)
    rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL.require(
        types - DEFAULT_EXTENSION_TYPES <= census.common_extensions
        and set(required.proposal_types) - DEFAULT_PROPOSAL_TYPES <= census.common_proposals
        and set(required.credential_types) <= census.common_credentials
    )
