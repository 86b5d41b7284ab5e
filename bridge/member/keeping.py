"""What a member keeps of the order for those who miss it: seals, and the bytes of what they name, for 30 days.

It lies in the store's log, under the member's name; what travels inside a seal is kept with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bridge.order.answers import PRUNE_EVERY, find_answer, prune
from bridge.store.errors import SealConflictError

if TYPE_CHECKING:
    from bridge.member.step import Step
    from bridge.store.member import MemberTransaction

__all__ = ["keep", "supply"]

log = structlog.get_logger("member.keep")


async def keep(tx: MemberTransaction, scope: str, step: Step) -> None:
    """Write what a step took in of the order."""
    for seal in step.kept_seals:
        content = seal.content
        place = content.group_id, content.term, content.seq
        try:
            await tx.log.put_seal(scope, *place, content.hash, seal.encode(), step.now)
        except SealConflictError:
            # Long past, or of an order that this member has left: what it holds true now, its log has checked.
            log.warning("another seal is kept with this number", term=content.term, seq=content.seq)
        if content.seq % PRUNE_EVERY == 0:
            await prune(tx, scope, now=step.now)
    for identity, data in step.kept.items():
        await tx.log.put_envelope(scope, identity, data, step.now)


async def supply(tx: MemberTransaction, scope: str, step: Step) -> None:
    """Post the answers that a step has found due, as far as this member has what they are about."""
    known = step.session.memory.log
    for asked in step.supplied:
        if known is None:
            return
        answer = await find_answer(tx, scope, step.group.group_id, known.position, asked)
        if answer is not None:
            step.post(answer, "answer")
