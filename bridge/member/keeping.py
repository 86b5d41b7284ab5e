"""What a member keeps of the order for those who miss it: seals, and the bytes of what they name, for 30 days.

It lies in the store's log, under the member's name; what travels inside a seal is kept with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from bridge.protocol.asking import Answer, EnvelopesWanted, HeadWanted, LogWanted
from bridge.protocol.bodies import LogPosition
from bridge.protocol.code_points import HASH_SIZE, MAX_ENVELOPE, EnvelopeKind
from bridge.protocol.envelope import envelope
from bridge.protocol.seal import Seal
from bridge.store.errors import SealConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.member.missing import Asked
    from bridge.member.step import Step
    from bridge.store.member import MemberTransaction

__all__ = ["keep", "prune", "supply"]

log = structlog.get_logger("member.keep")

_KEEP: Final = 30 * 24 * 3_600_000
_MAX_ALL: Final = 256 << 20
"""Bytes of envelopes, at the most: anybody can post junk, and it gets its place in the order."""
_PRUNE_EVERY: Final = 256
"""Seals."""
_MAX_ANSWER: Final = 256 << 10
"""Bytes of an answer, about: who misses more asks again."""
_MAX_SEALS: Final = 64
_MAX_KEPT: Final = MAX_ENVELOPE - 1024
"""Bytes of an envelope that still goes into an answer."""


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
        if content.seq % _PRUNE_EVERY == 0:
            await prune(tx, scope, now=step.now)
    for identity, data in step.kept.items():
        if len(data) <= _MAX_KEPT:
            await tx.log.put_envelope(scope, identity, data, step.now)


async def prune(tx: MemberTransaction, scope: str, *, now: int) -> None:
    """Drop what is kept for nobody any more."""
    await tx.log.prune(scope, now - _KEEP, _MAX_ALL)


async def supply(tx: MemberTransaction, scope: str, step: Step) -> None:
    """Post the answers that a step has found due, as far as this member has what they are about."""
    known = step.session.memory.log
    head = LogPosition(0, 0, bytes(HASH_SIZE)) if known is None else known.position
    for asked in step.supplied:
        found, is_all = await _found(tx, scope, step.group.group_id, asked)
        if found:
            answer = Answer(asked.nonce, head, tuple(found), int(is_all))
            step.post(envelope(EnvelopeKind.ANSWER, step.group.group_id, answer), "answer")


async def _found(tx: MemberTransaction, scope: str, group_id: bytes, asked: Asked) -> tuple[list[bytes], bool]:
    """Return envelopes for an answer, and whether they are all that was asked for."""
    match asked.wanted:
        case LogWanted(after=after):
            return await _log_after(tx, scope, group_id, after)
        case EnvelopesWanted(identities=identities):
            found = await _kept(tx, scope, identities, _MAX_ANSWER)
            return found, len(found) == len(set(identities))
        case HeadWanted():
            newest = await tx.log.head(scope, group_id)
            return ([] if newest is None else [_enveloped(group_id, newest.seal)]), True
        case _:
            return [], False


async def _log_after(
    tx: MemberTransaction, scope: str, group_id: bytes, after: LogPosition
) -> tuple[list[bytes], bool]:
    """Return the seals behind a place, each followed by what it names; nothing where they do not follow on it."""
    found: list[bytes] = []
    size, before = 0, after
    seals = await tx.log.seals_after(scope, group_id, after.term, after.seq, _MAX_SEALS)
    for stored in seals:
        content = Seal.decode(stored.seal).content
        if content.previous != before.seal_hash or size >= _MAX_ANSWER:
            return found, False
        found.append(_enveloped(group_id, stored.seal))
        named = [entry.identity for entry in content.entries if not entry.inlined]
        kept = await _kept(tx, scope, named, _MAX_ANSWER - size)
        found += kept
        size += len(stored.seal) + sum(map(len, kept))
        before = content.position
    return found, len(seals) < _MAX_SEALS


async def _kept(tx: MemberTransaction, scope: str, identities: Iterable[bytes], room: int) -> list[bytes]:
    """Return what is kept of these envelopes: one, and as many more as there is room for."""
    found: list[bytes] = []
    for identity in dict.fromkeys(identities):
        data = await tx.log.get_envelope(scope, identity)
        if data is not None and (not found or sum(map(len, found)) + len(data) <= room):
            found.append(data)
    return found


def _enveloped(group_id: bytes, seal: bytes) -> bytes:
    return envelope(EnvelopeKind.SEAL, group_id, seal).encode()
