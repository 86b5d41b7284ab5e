"""Answers out of what is kept of the order in the store: seals, and the envelopes that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.protocol.asking import Answer, EnvelopesWanted, HeadWanted, LogWanted
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope
from bridge.protocol.seal import Seal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.order.supplying import Asked
    from bridge.protocol.bodies import LogPosition
    from bridge.store.transaction import Transaction

__all__ = ["PRUNE_EVERY", "find_answer", "prune"]

_MAX_ANSWER: Final = 256 << 10
"""Bytes of an answer, about: who misses more asks again."""
_MAX_SEALS: Final = 64
_KEEP: Final = 30 * 24 * 3_600_000
_MAX_KEPT: Final = 256 << 20
"""Bytes of envelopes, at the most: anybody can post junk, and it gets its place in the order."""
PRUNE_EVERY: Final = 256
"""Seals after which who keeps them should `prune`."""


async def prune(tx: Transaction, scope: str, *, now: int) -> None:
    """Drop what is kept for nobody any more."""
    await tx.log.prune(scope, now - _KEEP, _MAX_KEPT)


async def find_answer(tx: Transaction, scope: str, group_id: bytes, head: LogPosition, asked: Asked) -> Envelope | None:
    """Return the answer to a request, out of what is kept in a scope; `None` where nothing of it is.

    `head` is the newest seal that the answerer has taken in.
    """
    found, is_all = await _found(tx, scope, group_id, asked)
    if not found:
        return None
    return envelope(EnvelopeKind.ANSWER, group_id, Answer(asked.nonce, head, tuple(found), int(is_all)))


async def _found(tx: Transaction, scope: str, group_id: bytes, asked: Asked) -> tuple[list[bytes], bool]:
    """Return envelopes for an answer, and whether they are all that was asked for."""
    match asked.wanted:
        case LogWanted(after=after):
            return await _log_after(tx, scope, group_id, after)
        case EnvelopesWanted(identities=identities):
            found = await _kept(tx, scope, identities, _MAX_ANSWER, at_least=1)
            return found, len(found) == len(set(identities))
        case HeadWanted():
            newest = await tx.log.head(scope, group_id)
            return ([] if newest is None else [_enveloped(group_id, newest.seal)]), True
        case _:
            return [], False


async def _log_after(tx: Transaction, scope: str, group_id: bytes, after: LogPosition) -> tuple[list[bytes], bool]:
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


async def _kept(
    tx: Transaction, scope: str, identities: Iterable[bytes], room: int, *, at_least: int = 0
) -> list[bytes]:
    """Return what is kept of these envelopes, as long as there is room for their bytes; so many `at_least`."""
    found: list[bytes] = []
    for identity in dict.fromkeys(identities):
        data = await tx.log.get_envelope(scope, identity)
        if data is not None and (len(found) < at_least or sum(map(len, found)) + len(data) <= room):
            found.append(data)
    return found


def _enveloped(group_id: bytes, seal: bytes) -> bytes:
    return envelope(EnvelopeKind.SEAL, group_id, seal).encode()
