"""Who is to be removed must not outrun it by Commits of its own (PROTOCOL.md, "Notices of removal").

A removal is a Commit, and a Commit by its subject that the order names first makes it void. So who has lost that race
once says whom it is about to remove: from then on the subject's Commits do not count, for a minute or until the epoch
is over. It is no longer, for anybody with the right to remove could else hold up everybody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.member.memory import IntentKind
from bridge.member.rights import may_commit
from bridge.member.standing import GivenNotice
from bridge.protocol.code_points import CLOSE_AFTER, Mode
from bridge.protocol.identity import Identity, identity_of_credential
from bridge.protocol.verdicts import MAX_SUBJECTS, notice_envelope, notice_is_signed, open_notice
from mls.wire.proposals import Remove

if TYPE_CHECKING:
    from bridge.member.standing import Place
    from bridge.member.state import Session
    from bridge.member.step import Step
    from bridge.protocol.envelope import Envelope
    from bridge.protocol.verdicts import RemoveNotice

__all__ = ["give", "held_up_until", "take_notice"]

NEVER: Final = (1 << 64) - 1
"""Not before the epoch is over."""


def give(step: Step, author: Identity) -> None:
    """Say whom this member is about to remove, where it has just lost against a Commit of one of them."""
    wanted = [item.subject for item in step.session.memory.intents if item.kind is IntentKind.REMOVE]
    if author.encode() not in wanted:
        return
    leaves = (step.session.leaf_of(Identity.decode(subject)) for subject in wanted)
    subjects = tuple(sorted(leaf for leaf in leaves if leaf is not None))[:MAX_SUBJECTS]
    if held_up_until(step.session) > step.now:
        return  # it would not count
    group = step.group
    notice = notice_envelope(
        group.suite,
        group.signature_key,
        group_id=group.group_id,
        epoch=group.epoch,
        leaf=group.own_leaf,
        subjects=subjects,
    )
    step.post(notice, "remove notice")


def held_up_until(session: Session) -> int:
    """Return when Commits of this member's count again, by its own clock; 0 where nobody has given notice of it."""
    if session.group is None:
        return 0
    notices = [item for item in session.standing.notices if session.group.own_leaf in item.subjects]
    if notices and session.order.mode is Mode.ROOM:
        return NEVER
    return max((item.taken_at + CLOSE_AFTER for item in notices), default=0)


def take_notice(step: Step, sealed: Envelope, place: Place) -> str:
    """Take in a notice that the order names; returns why it counts for nothing, or nothing.

    Raises `ProtocolError` for one that is malformed.
    """
    notice = open_notice(sealed)
    session, group = step.session, step.group
    if notice.epoch != group.epoch or not session.is_active or session.is_waiting:
        return "it is of another epoch"
    leaf = group.public.tree.leaf(notice.leaf)
    if leaf is None or not notice_is_signed(group.suite, leaf.signature_key, sealed, notice):
        return "it is not signed by a member"
    standing = session.standing
    if standing.has_notice_of(notice.leaf, place.sealed_at):
        return "it is by one who is about to be removed"
    reason = _why_not(session, notice, identity_of_credential(leaf.credential))
    if reason:
        return reason
    first = next((item for item in standing.notices if item.leaf == notice.leaf), None)
    given = first or GivenNotice(notice.leaf, (), place.sealed_at, step.now)
    others = tuple(item for item in standing.notices if item.leaf != notice.leaf)
    step.stand(notices=(*others, given.replace(subjects=notice.subjects)))
    return ""


def _why_not(session: Session, notice: RemoveNotice, by: Identity) -> str:
    subjects = set(notice.subjects)
    if notice.leaf in subjects:
        return "it names its own author"
    named = {leaf: who for leaf, who, _ in session.members() if leaf in subjects}
    if subjects - named.keys():
        return "it names a leaf that is not there"
    for leaf, who in named.items():
        reason = may_commit(session.order, by, Remove(leaf), who)
        if reason is not None:
            return reason
    return ""
