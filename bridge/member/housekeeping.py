"""What time brings: keys of past epochs that are over, KeyPackages that nobody may use any more, an unanswered wish."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import mls
from bridge.member import joining
from mls.wire.leaf_node import KeyPackageSource

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step

__all__ = ["keep_house", "next_due"]

_ASK_AGAIN = 30 * 24 * 3600 * 1000
"""Milliseconds after which who was not let in asks once more: archives forget, and KeyPackages run out."""


def keep_house(step: Step) -> None:
    """Do what time has made due."""
    if step.session.group is not None and step.session.left is None:  # else there would be no way back any more
        step.take(mls.expire(step.group, now=step.seconds, limits=step.environment.limits))
    alive = tuple(bundle for bundle in step.session.bundles if _expiry(bundle) > step.seconds)
    if len(alive) < len(step.session.bundles):
        step.session = replace(step.session, bundles=alive)
    again = _asks_again(step.session)
    if again is not None and step.now >= again:
        joining.ask(step)


def next_due(session: Session) -> int | None:
    """Return when there is something to do, `None` where time ends nothing."""
    times = [_expiry(bundle) * 1000 for bundle in session.bundles]
    if (again := _asks_again(session)) is not None:
        times.append(again)
    if session.group is not None and session.left is None:
        retention = session.order.retention
        for position, past in enumerate(session.group.past):
            kept = 0 if position >= retention.epochs else retention.seconds
            times.append((past.ended_at + max(retention.grace, kept) + 1) * 1000)
    return min(times, default=None)


def _asks_again(session: Session) -> int | None:
    """Return when this member asks once more to be let in, `None` where it does not wait for that."""
    flags = session.memory.flags
    return flags.ask_again_at or (flags.asked_at + _ASK_AGAIN) if flags.asked_at else None


def _expiry(bundle: mls.KeyPackageBundle) -> int:
    """Return when a KeyPackage runs out: seconds since 1970."""
    source = bundle.key_package.leaf_node.leaf_node_source
    return source.lifetime.not_after if isinstance(source, KeyPackageSource) else 0
