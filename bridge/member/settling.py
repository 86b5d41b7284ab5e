"""Until a Commit is settled, there is a way back from it (PROTOCOL.md, "Verdicts").

A Commit can be good for some and bad for others: a path secret that one member cannot decrypt (RFC 9420, section
16.12). So each member that follows one keeps the state before it, until the order has named an `ack` of another member
who could, or the Commit of one: then it is final. Who cannot follow it says `nack`, and waits. Where nobody has said
`ack` for a minute, a `close` settles it: with a `nack` it is void, and it is as if it had never been.

What a verdict does depends on the ordered bytes alone, so that all members come to the same end
(`bridge.member.verdicts` says who says what, and when).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import structlog

import mls
from bridge.content import MessageId
from bridge.conversation import DeliveryChanged, DeliveryState, Notice
from bridge.member import committing, people
from bridge.member.epochs import tell_epoch
from bridge.member.losing import lose
from bridge.member.standing import Before, Unsettled, Voice
from bridge.protocol.bodies import WelcomeBody
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from bridge.protocol.identity import Identity, identity_of_credential
from mls.wire.framing import Member

if TYPE_CHECKING:
    from bridge.member.memory import Intent, IntentKind, Outgoing
    from bridge.member.standing import Place
    from bridge.member.state import Session
    from bridge.member.step import Step

__all__ = ["author_of", "begin", "finish", "give_up_waiting", "has_path", "leave", "take_back", "wait"]

log = structlog.get_logger("member.settle")

_REPEATS = 1_000
_VOIDED = 64
_PAUSE = 60_000
"""Milliseconds until an author tries again what was void."""


def leave(step: Step, made: mls.Transition[mls.Committed]) -> Before:
    """Go where a valid Commit leads, keep what leads back, and return what was wanted before.

    Whatever was unsettled is final now: its epoch goes on.
    """
    finish(step)
    before = _remembered(step.session, made.output)
    step.leave(made)
    step.stand(notices=(), voided=())
    return before


def begin(step: Step, there: mls.Foreseen, place: Place, before: Before) -> None:
    """Wait for a verdict on the Commit that was just followed; it is final at once where nobody could give one."""
    if step.session.left is None:
        msg = "there is no way back that would have to be kept"
        raise mls.InternalError(msg)
    unsettled = _unsettled(step, there, place, before, old=step.session.left)
    welcome = there.committed.welcome
    if welcome is not None:
        unsettled = unsettled.replace(welcome=WelcomeBody(welcome.encode(), place.position).encode())
    if there.committed.removed_us:
        unsettled = unsettled.replace(voices=_voices(there), has_spoken=1)
    step.stand(unsettled=unsettled)
    if not unsettled.witnesses or not has_path(there):
        finish(step)


def wait(step: Step, there: mls.Foreseen, place: Place, why: str) -> None:
    """Go nowhere: this member cannot follow a Commit that may be good for others. Their verdict decides."""
    before = _remembered(step.session, there.committed)
    unsettled = _unsettled(step, there, place, before, old=step.group)
    step.stand(unsettled=unsettled.replace(voices=_voices(there)))
    log.warning("a Commit cannot be followed", reason=why, epoch=step.group.epoch)
    step.tell(Notice("A change to the group cannot be followed here. What you say waits until others have judged it."))


def finish(step: Step) -> None:
    """Take the unsettled Commit for final: forget the way back, and let in whom it added."""
    unsettled, left = step.session.standing.unsettled, step.session.left
    if unsettled is None:
        return
    if left is None:
        give_up_waiting(step)
        return
    step.forget_left()
    step.stand(unsettled=None, said=(), shown=())
    if unsettled.welcome:
        step.post(envelope(EnvelopeKind.WELCOME, step.group.group_id, unsettled.welcome), "welcome")


def give_up_waiting(step: Step) -> None:
    """Take note that the others went on where this member cannot follow."""
    step.stand(unsettled=None)
    lose(step, "the others took up a change to it that cannot be followed here")


def take_back(step: Step) -> None:
    """Take the unsettled Commit for void: go back to the epoch before it, as if it had been skipped."""
    unsettled = step.session.standing.unsettled
    if unsettled is None:
        return
    voided = (unsettled.commit, *unsettled.before.voided)[:_VOIDED]
    log.warning("a Commit is void", epoch=unsettled.epoch)
    if step.session.left is None:
        step.stand(unsettled=None, voided=voided)
        step.tell(Notice("The change that could not be followed here does not count. The group is as it was."))
        return
    standing = step.session.standing
    was_removed = step.group.status is mls.Status.REMOVED
    step.come_back()
    step.stand(
        unsettled=None,
        notices=unsettled.before.notices,
        voided=voided,
        said=(),
        shown=(),
        repeats=(*standing.shown, *standing.repeats)[:_REPEATS],
    )
    _want_again(step, unsettled)
    what = "A change to the group does not count: there are members who could not follow it, and none who could."
    step.tell(Notice(f"{what} The group is as it was before{': you are in it again' if was_removed else ''}."))
    tell_epoch(step)
    _say_again(step, unsettled, standing.said)
    committing.prune(step)
    people.reconsider(step)


def has_path(there: mls.Foreseen) -> bool:
    """Return whether a Commit has a path, with secrets in it. What has none is good for all, or for nobody."""
    author = there.committed.committer
    own = author.leaf_index if isinstance(author, Member) else None
    changes = (change for change in there.committed.changes if isinstance(change, mls.MemberUpdated))
    return own is None or any(change.index == own for change in changes)


def author_of(step: Step, there: mls.Foreseen) -> tuple[int, Identity]:
    """Return leaf and identity of who made a Commit. They are in the tree that it leads to."""
    match there.committed.committer:
        case Member(leaf_index=index):
            leaf = there.tree.leaf(index)
        case _:  # who comes back: the only one whom such a Commit adds
            index = next(change.index for change in there.committed.changes if isinstance(change, mls.MemberAdded))
            leaf = there.tree.leaf(index)
    if leaf is None:
        msg = f"who committed has no leaf in epoch {step.group.epoch + 1}"
        raise mls.InternalError(msg)
    return index, identity_of_credential(leaf.credential)


def _unsettled(step: Step, there: mls.Foreseen, place: Place, before: Before, *, old: mls.GroupState) -> Unsettled:
    leaf, author = author_of(step, there)
    return Unsettled(
        commit=place.identity,
        epoch=there.committed.epoch,
        author=author.encode(),
        author_leaf=leaf,
        witnesses=_witnesses(there, place, old, leaf),
        voices=(),
        removes=int(any(isinstance(change, mls.MemberRemoved) for change in there.committed.changes)),
        position=place.position,
        sealed_at=place.sealed_at,
        since=step.now,
        nacked_at=0,
        nackers=(),
        has_spoken=int(there.committed.is_own),
        closes=0,
        welcome=b"",
        before=before,
    )


def _witnesses(there: mls.Foreseen, place: Place, old: mls.GroupState, author: int) -> tuple[int, ...]:
    """Return who was in the epoch before and is in the next one, but for the author: in the order of a hash.

    Whoever comes first speaks at once, the others only if nobody has.
    """
    came = {change.index for change in there.committed.changes if isinstance(change, mls.MemberAdded)}
    stay = {index for index, _ in old.members()} & {index for index, _ in there.tree.members()}
    epoch = there.committed.epoch.to_bytes(8, "big")

    def place_of(leaf: int) -> bytes:
        return hashlib.sha256(epoch + place.identity + leaf.to_bytes(4, "big")).digest()

    return tuple(sorted(stay - came - {author}, key=place_of))


def _voices(there: mls.Foreseen) -> tuple[Voice, ...]:
    return tuple(Voice(index, leaf.signature_key) for index, leaf in there.tree.members())


def _remembered(session: Session, committed: mls.Committed) -> Before:
    """Return what a Commit's consequences are about to change."""
    memory, standing = session.memory, session.standing
    came = {
        identity_of_credential(change.leaf.credential)
        for change in committed.changes
        if isinstance(change, mls.MemberAdded)
    }
    asking = tuple(who.encode() for who, person in session.people.items() if person.asks and who in came)
    return Before(
        memory.intents,
        memory.in_flight,
        memory.removed,
        memory.last_commit,
        memory.flags.updated_at,
        memory.flags.sent_since,
        asking,
        standing.notices,
        standing.voided,
    )


def _want_again(step: Step, unsettled: Unsettled) -> None:
    """Want what was wanted before, and what was wanted since. Who made the Commit tries again a little later."""
    before = unsettled.before
    since = {(item.kind, item.subject): item for item in step.session.memory.intents}
    intents: dict[tuple[IntentKind, bytes], Intent] = {
        (item.kind, item.subject): item for item in before.intents
    } | since
    if unsettled.author == step.session.identity.encode():
        later = step.now + _PAUSE
        intents = {name: item.replace(due=max(item.due, later)) for name, item in intents.items()}
    step.remember(
        intents=tuple(intents.values()),
        in_flight=before.in_flight,
        removed=before.removed,
        last_commit=before.last_commit,
    )
    step.flag(updated_at=before.updated_at, sent_since=before.sent_since)
    people.ask_again(step, [Identity.decode(who) for who in before.asking])


def _say_again(step: Step, unsettled: Unsettled, said: tuple[Outgoing, ...]) -> None:
    """Say in the epoch that counts what was said in the one that does not: the same content, under the same ids.

    Where the void Commit had removed somebody, they would read what was written when they were out: not without the
    author's word.
    """
    if unsettled.removes:
        reason = "the group is as it was before somebody was removed from it: say it again if they may read it"
        for item in said:
            step.tell(DeliveryChanged(MessageId(item.message_id), DeliveryState.FAILED, reason))
        return
    for item in said:
        step.tell(DeliveryChanged(MessageId(item.message_id), DeliveryState.WAITING))
    step.remember(outgoing=(*said, *step.session.memory.outgoing))
