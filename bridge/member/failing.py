"""What the room's server refuses for good: said, and not waited for any longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.content import MessageId
from bridge.conversation import Alarm, DeliveryChanged, DeliveryState
from bridge.protocol.envelope import identity_of

if TYPE_CHECKING:
    from bridge.member.step import Step

__all__ = ["take_failure"]

_PAUSE = 60_000
"""Milliseconds until a change to the group is tried anew."""


def take_failure(step: Step, envelope: bytes, reason: str) -> None:
    """Take note that an envelope of one's own will never be in the room."""
    identity = identity_of(envelope)
    memory = step.session.memory
    lost = next((item for item in memory.awaited if item.identity == identity), None)
    if lost is not None:
        step.remember(awaited=tuple(item for item in memory.awaited if item is not lost))
        step.tell(DeliveryChanged(MessageId(lost.message_id), DeliveryState.FAILED, reason))
    elif memory.in_flight is not None and memory.in_flight.identity == identity:
        later = tuple(intent.replace(due=max(intent.due, step.now + _PAUSE)) for intent in memory.intents)
        step.remember(in_flight=None, intents=later)
        step.release(identity)
        what = f"A change to the group could not be posted: {reason}."
        step.tell(Alarm(what, "It is tried again in a minute; `mls-bridge check` tells what this account may do."))
