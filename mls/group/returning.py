"""Going back from an epoch to the one before it.

RFC 9420 knows no way back, and the Delivery Service decides which Commit counts (RFC 9750, section 5.2). Where it may
decide that one counted for nothing after all - it worked for some members only (RFC 9420, section 16.12) - a member
keeps the state that it left until that is settled:

>>> from mls import Environment, UnsafeTrustEveryone, Client, commit, create, lifetime_of_days, process, wipe
>>> env = Environment(UnsafeTrustEveryone())
>>> alice = Client.basic(b"alice", env.random)
>>> group = create(alice, env, group_id=b"tea", lifetime=lifetime_of_days(90, now=0)).state
>>> made = commit(group, env, now=0)
>>> applied = process(made.state, env, made.output.message, now=0)
>>> kept = leave_behind(made.state, applied.state)
>>> wipe(spent_unless_kept(applied.spent, kept))
>>> applied.state.epoch, come_back(applied.state, kept).state.epoch
(1, 0)

What is kept holds no message keys: those of the epoch that was left are in the newer state, for late messages, and
what was opened with them meanwhile stays opened. So no key is used twice, whichever way it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.crypto.secret import Secret
from mls.errors import UsageError
from mls.group.state import Status, Transition, spent_between
from mls.schedule.secret_tree import SecretTree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mls.group.state import GroupState

__all__ = ["come_back", "forget", "leave_behind", "spent_unless_kept"]


def leave_behind(before: GroupState, after: GroupState) -> GroupState:
    """Return what is needed to come back to a state's epoch, once a Commit has led out of it, to `after`.

    Nothing can be sent or read in it. Do not wipe what it holds as long as it is kept: `spent_unless_kept`. A Commit of
    one's own that led out is not in it any more: the keys of its epoch are used. Raises `UsageError` unless the state
    is an active member's.
    """
    before.require_active()
    waiting = tuple(made for made in before.pending if made.next_epoch.public is not after.public)
    nothing = SecretTree(before.suite, 1, Secret.gone())
    return before.with_changes({"status": Status.LEFT, "messages": nothing, "past": (), "pending": waiting})


def spent_unless_kept(spent: Iterable[Secret], kept: GroupState) -> tuple[Secret, ...]:
    """Return which of a transition's spent secrets to wipe now: those that what is kept does not hold."""
    held = {id(secret) for secret in kept.secrets()}
    return tuple(secret for secret in spent if id(secret) not in held)


def come_back(after: GroupState, kept: GroupState) -> Transition[None]:
    """Return to the epoch that was left, as if the Commit that led out of it had never been.

    `after` is the state now: one epoch on, or removed by the Commit. Proposals of the epoch count again, and so do
    other Commits of one's own that waited: their messages may yet be given a place.
    Raises `UsageError` where `after` does not hold the epoch that was left any more, or is not the one that came next.
    """
    past = after.past[0] if after.past else None
    if kept.status is not Status.LEFT or kept.group_id != after.group_id:
        msg = "this is not what was kept of an epoch of this group"
        raise UsageError(msg)
    if past is None or past.context != kept.public.context:
        msg = f"epoch {kept.epoch} is not the last one before epoch {after.epoch}: there is no way back to it"
        raise UsageError(msg)
    changed = {
        "revision": after.revision + 1,
        "status": Status.ACTIVE,
        "messages": past.messages,
        "past": after.past[1:],
    }
    state = kept.with_changes(changed)
    return Transition(state, None, spent_between(after, state))


def forget(after: GroupState, kept: GroupState) -> tuple[Secret, ...]:
    """Return what is spent once there is no way back any more: what is kept holds it, and `after` does not."""
    return spent_between(kept, after)
