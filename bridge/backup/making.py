"""Making a backup: from a database that nobody else uses to a file that comes into being whole.

The service has to be stopped meanwhile. SQLite would let another program read beside it, but whoever reads keeps the
write-ahead log, and with it keys that were deleted; and what waits in a step at work is in no file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from bridge import __version__
from bridge.backup.entries import (
    STRUCTS,
    AnyEntry,
    Entry,
    Frame,
    SavedConfig,
    SavedContents,
    SavedIdentity,
    SavedMember,
    SavedMessage,
    SavedRoom,
    SavedSequencer,
    SavedTrust,
)
from bridge.backup.files import partial_file, refuse_existing
from bridge.backup.sealed_file import COST, SealedWriter
from bridge.member.memory import Memory
from bridge.member.storing import IDENTITY, MEMBER, Names, owner_of
from bridge.order.sequencer import KEYS
from bridge.protocol.identity import Identity
from bridge.service.status import SIDES, sides_of

if TYPE_CHECKING:
    from bridge.relay import Side
    from bridge.store.member import MemberStore, MemberTransaction

__all__ = ["Summary", "back_up", "refuse_written"]

_FRAME: Final = 256 << 10
"""Bytes after which a frame is written."""

_PAGE: Final = 200
"""Messages that are read at once."""

_ADVICE: Final = "Choose another name, or move that file away"

_KINDS: Final = {kind_of: kind for kind, kind_of in STRUCTS.items()}


@dataclass(slots=True)
class Summary:
    """How much is in a backup."""

    identities: int = 0
    sequencers: int = 0
    rooms: int = 0
    groups: int = 0
    trust: int = 0
    messages: int = 0

    def count(self, entry: AnyEntry) -> None:
        """Count an entry."""
        match entry:
            case SavedIdentity():
                self.identities += 1
            case SavedSequencer():
                self.sequencers += 1
            case SavedRoom():
                self.rooms += 1
            case SavedMember(group_id=group_id):
                self.groups += bool(group_id)
            case SavedTrust():
                self.trust += 1
            case SavedMessage():
                self.messages += 1
            case _:
                pass


def refuse_written(path: Path) -> None:
    """Raise `NotEmptyError` where the backup's name is taken: before anybody is asked for a passphrase."""
    refuse_existing(path, advice=_ADVICE)


async def back_up(
    store: MemberStore,
    path: Path,
    passphrase: str,
    *,
    config: str,
    history: bool,
    now: int,
    cost: int = COST,
    on_progress: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """Write a backup of mode 0600. Raises `BackupError`, `StoreError`; then there is no file.

    `config` is the configuration's text. `on_progress` is told after each frame what has been written.
    """
    refuse_written(path)
    summary = Summary()
    contents = SavedContents(now, f"mls-bridge {__version__}".encode(), int(history))
    with partial_file(path) as (file, finish):
        async with store.transaction() as tx:
            await _write(file, passphrase, cost, _entries(tx, contents, config, history=history), summary, on_progress)
        finish(_ADVICE)
    return summary


async def _write(
    file: BinaryIO,
    passphrase: str,
    cost: int,
    entries: AsyncIterator[AnyEntry],
    summary: Summary,
    on_progress: Callable[[Summary], None],
) -> None:
    writer = SealedWriter(file, passphrase, cost=cost)
    frame: list[Entry] = []
    size = 0
    async for entry in entries:
        body = entry.encode()
        if frame and size + len(body) > _FRAME:
            writer.write(Frame(tuple(frame)).encode(), is_last=False)
            on_progress(summary)
            frame, size = [], 0
        frame.append(Entry(_KINDS[type(entry)], body))
        size += len(body)
        summary.count(entry)
    writer.write(Frame(tuple(frame)).encode(), is_last=True)
    on_progress(summary)


async def _entries(
    tx: MemberTransaction, contents: SavedContents, config: str, *, history: bool
) -> AsyncIterator[AnyEntry]:
    yield contents
    yield SavedConfig(config.encode())
    accounts = set()
    for identity, client in await tx.records.items(IDENTITY):
        accounts.add(Identity.decode(identity).account)
        yield SavedIdentity(identity, client)
    for room, key in await tx.records.items(KEYS):
        yield SavedSequencer(room, key)
    sides: set[Side] = set()
    for name, value in await tx.records.items(SIDES):
        sides |= set((await sides_of(tx, name.decode())).values())
        yield SavedRoom(name, value)
    members = sorted((side for side in sides if side.account in accounts), key=lambda side: side.scope)
    for side in members:
        yield await _member(tx, side)
    for account in sorted(accounts):
        for decision in await tx.trust.all(account):
            yield SavedTrust(
                account.encode(), decision.account.encode(), decision.signature_key, decision.how.encode(), decision.at
            )
    if history:
        for side in members:
            async for message in _messages(tx, side):
                yield message


async def _member(tx: MemberTransaction, side: Side) -> SavedMember:
    groups = await tx.groups.list(owner_of(side.account, side.room))
    record = await tx.records.get(MEMBER, Names.of(side.scope).key)
    removed = () if record is None else Memory.decode(record).removed
    return SavedMember(side.account.encode(), side.room.encode(), groups[0] if groups else b"", removed)


async def _messages(tx: MemberTransaction, side: Side) -> AsyncIterator[SavedMessage]:
    """Yield the messages of a room, oldest first: a page at a time, since there may be years of them."""
    owner, last = owner_of(side.account, side.room), 0
    while page := await tx.history.after(owner, b"", last, _PAGE):
        for message in page:
            yield SavedMessage(side.account.encode(), side.room.encode(), message.message, message.at)
        last = page[-1].position
