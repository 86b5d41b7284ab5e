"""Groups that follow on others: reinitialization and branching (RFC 9420, sections 11.2, 11.3 and 12.4.3.1).

Both make a new group whose first Commit adds everyone at once and injects the old group's resumption PSK. Who
joins checks that the new group is what the old one had agreed on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.errors import UsageError
from mls.group.committing import CommitOptions, CommitOutput, commit_linked
from mls.group.creation import Client, create_group
from mls.group.state import GroupState, PublicState, Status, Transition
from mls.registry import MLS10, ResumptionPSKUsage
from mls.wire.proposals import Add, PreSharedKey
from mls.wire.psk import PreSharedKeyID, ResumptionPSK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.group.environment import Environment
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.extensions import Extension
    from mls.wire.key_package import KeyPackage
    from mls.wire.leaf_node import LeafNode, Lifetime

__all__ = ["branch", "check_special_psks", "check_successor", "reinitialize"]


def reinitialize(
    old: GroupState,
    client: Client,
    environment: Environment,
    key_packages: Sequence[KeyPackage],
    *,
    lifetime: Lifetime,
    now: int,
    options: CommitOptions = CommitOptions(),  # noqa: B008 - immutable
) -> Transition[CommitOutput]:
    """Make the group that takes the place of one that a ReInit has closed, with a KeyPackage for each other member.

    Any member may do this. The result has its first Commit pending, as `branch`'s has.
    """
    if old.status is not Status.REINITIALIZED or old.reinit is None:
        msg = "the group was not closed by a ReInit: commit one first"
        raise UsageError(msg)
    reinit = old.reinit
    if reinit.version != MLS10:
        msg = f"the new group has protocol version {reinit.version}, and this engine speaks {MLS10} (mls10) alone"
        raise UsageError(msg)
    if client.suite.number != reinit.cipher_suite:
        msg = f"the new group has cipher suite {reinit.cipher_suite}, not {client.suite.number}"
        raise UsageError(msg)
    created = create_group(
        client, environment, group_id=reinit.group_id, lifetime=lifetime, extensions=reinit.extensions
    )
    members = [*_leaves(created.state.public.tree), *(item.leaf_node for item in key_packages)]
    rules.REINIT_KEEPS_MEMBERS.require(_is_subset(_leaves(old.public.tree), members, environment))
    return _link(old, created.state, environment, key_packages, ResumptionPSKUsage.REINIT, now, options)


def branch(
    old: GroupState,
    client: Client,
    environment: Environment,
    key_packages: Sequence[KeyPackage],
    *,
    group_id: bytes,
    lifetime: Lifetime,
    now: int,
    extensions: tuple[Extension, ...] | None = None,
    options: CommitOptions = CommitOptions(),  # noqa: B008 - immutable
) -> Transition[CommitOutput]:
    """Make a group of some of the members of `old`, with a KeyPackage for each of them but this one.

    `extensions` are those of its GroupContext; the old group's, if none are named. The result has its first Commit
    pending: it takes effect when `process` is given the output's message, which nobody else needs; then the Welcome
    goes out.
    """
    old.require_active()
    if client.suite is not old.suite:
        msg = f"a branch keeps its group's cipher suite, {old.suite.number}"
        raise UsageError(msg)
    if extensions is None:
        extensions = old.public.context.extensions
    created = create_group(client, environment, group_id=group_id, lifetime=lifetime, extensions=extensions)
    members = [*_leaves(created.state.public.tree), *(item.leaf_node for item in key_packages)]
    rules.BRANCH_MEMBERS_ARE_A_SUBSET.require(_is_subset(members, _leaves(old.public.tree), environment))
    return _link(old, created.state, environment, key_packages, ResumptionPSKUsage.BRANCH, now, options)


def _link(
    old: GroupState,
    new: GroupState,
    environment: Environment,
    key_packages: Sequence[KeyPackage],
    usage: ResumptionPSKUsage,
    now: int,
    options: CommitOptions,
) -> Transition[CommitOutput]:
    """Commit the members and the PSK that links the two groups."""
    nonce = environment.random(new.suite.Nh)
    psk = PreSharedKey(PreSharedKeyID(ResumptionPSK(usage, old.group_id, old.epoch), nonce))
    adds = [Add(key_package) for key_package in key_packages]
    # The one PSK of this Commit is the one that its environment knows.
    with_old = replace(environment, resumption_keys=lambda *_: old.epoch_secrets.resumption_psk)
    return commit_linked(new, with_old, now=now, proposals=[*adds, psk], options=options, usage=usage)


def check_special_psks(psks: Sequence[PreSharedKeyID]) -> None:
    """Check that at most one of a Welcome's PSKs links the group to another one (section 12.4.3.1)."""
    special = [psk for psk in psks if _usage(psk) is not None]
    rules.SPECIAL_PSK_STANDS_ALONE.require(len(special) <= 1)


def _usage(psk: PreSharedKeyID) -> ResumptionPSKUsage | None:
    match psk.psk:
        case ResumptionPSK(usage=ResumptionPSKUsage.REINIT | ResumptionPSKUsage.BRANCH as usage):
            return usage
        case _:
            return None


def check_successor(
    psks: Sequence[PreSharedKeyID], new: PublicState, old: GroupState | None, environment: Environment
) -> None:
    """Check a group that a Welcome links to another one, against that one (section 12.4.3.1).

    Where the caller names an old group that was closed, only the group that takes its place will do.
    """
    if old is not None and old.status is Status.REINITIALIZED:
        rules.WELCOME_CONTINUES_THE_OLD_GROUP.require(any(_usage(psk) is not None for psk in psks))
    for psk in psks:
        usage = _usage(psk)
        if usage is None:
            continue
        rules.JOINED_EPOCH_IS_1.require(new.context.epoch == 1, f"epoch {new.context.epoch}")
        link = psk.psk
        if old is None or not isinstance(link, ResumptionPSK) or link.psk_group_id != old.group_id:
            rules.OLD_GROUP_IS_AVAILABLE.fail()
        if usage is ResumptionPSKUsage.REINIT:
            _check_reinit(new, old, link, environment)
        else:
            same = new.context.version == old.public.context.version and new.suite is old.suite
            rules.BRANCH_PARAMETERS_MATCH.require(same)
            rules.BRANCH_MEMBERS_ARE_A_SUBSET.require(
                _is_subset(_leaves(new.tree), _leaves(old.public.tree), environment)
            )


def _check_reinit(new: PublicState, old: GroupState, link: ResumptionPSK, environment: Environment) -> None:
    reinit = old.reinit
    if reinit is None or link.psk_epoch != old.epoch:
        rules.REINIT_WAS_COMMITTED.fail()
    context = new.context
    rules.REINIT_PARAMETERS_MATCH.require(
        (context.group_id, context.version, context.cipher_suite, context.extensions)
        == (reinit.group_id, reinit.version, reinit.cipher_suite, reinit.extensions)
    )
    rules.REINIT_KEEPS_MEMBERS.require(_is_subset(_leaves(old.public.tree), _leaves(new.tree), environment))


def _leaves(tree: RatchetTree) -> list[LeafNode]:
    return [leaf for _, leaf in tree.members()]


def _is_subset(part: Sequence[LeafNode], whole: Sequence[LeafNode], environment: Environment) -> bool:
    """Return whether each of `part` is one of `whole`: by its credential, or by the service's name of it."""
    service = environment.authentication
    names = {service.client_id(leaf) for leaf in whole} - {None}
    credentials = {leaf.credential for leaf in whole}
    return all(leaf.credential in credentials or service.client_id(leaf) in names for leaf in part)
