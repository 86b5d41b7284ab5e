"""Messages that are kept after they were read, for who asked for it (`MemberSettings.history`).

They are encrypted like all else, and belong to a member's room, whichever group it has had. The time of each is when it
was kept here: what servers say of time orders nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.content import Kind, harmless
from bridge.conversation import MessageArrived, Said, Say, Verification
from bridge.member import people
from bridge.member.happenings import decode_happening, encode_happening

if TYPE_CHECKING:
    from bridge.store.member import MemberTransaction
    from transports.room import Account

__all__ = ["LATEST", "Kept", "forget", "keep", "own_message", "recall"]

LATEST: Final = (1 << 63) - 1
"""A position behind all messages."""

_ANY_GROUP: Final = b""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message, and its place among those that were kept."""

    position: int
    message: MessageArrived


async def keep(tx: MemberTransaction, owner: str, message: MessageArrived, *, now: int) -> None:
    """Keep a message."""
    await tx.history.add(owner, _ANY_GROUP, encode_happening(message), now)


async def recall(tx: MemberTransaction, owner: str, limit: int, *, before: int = LATEST) -> list[Kept]:
    """Return the last messages before a position, oldest first."""
    stored = await tx.history.list(owner, _ANY_GROUP, limit, before=before)
    decoded = [(item.position, decode_happening(item.message)) for item in stored]
    return [Kept(position, message) for position, message in decoded if isinstance(message, MessageArrived)]


async def forget(tx: MemberTransaction, owner: str, *, now: int) -> None:
    """Delete all messages that were kept."""
    await tx.history.purge(owner, now + 1)


def own_message(account: Account, request: Say, said: Said, *, now: int) -> MessageArrived:
    """Return what a person said, as it is kept and shown."""
    return MessageArrived(
        id=said.id,
        sender_account=account,
        sender_name=people.name_of(account),
        at_ms=now,
        text=harmless(request.text),
        markdown=request.markdown,
        kind=Kind.MESSAGE,
        reply_to=request.reply_to,
        replaces=None,
        is_own=True,
        verified=Verification.COMPARED,
        late=False,
    )
