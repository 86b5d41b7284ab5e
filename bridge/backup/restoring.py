"""Putting a backup back: into a database that is made for it beside, and takes its name once all of it is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, assert_never

import cbor2

from bridge.backup.entries import (
    STRUCTS,
    AnyEntry,
    Frame,
    Kind,
    SavedConfig,
    SavedContents,
    SavedIdentity,
    SavedMember,
    SavedMessage,
    SavedRoom,
    SavedSequencer,
    SavedTrust,
)
from bridge.backup.errors import BackupError, DamagedBackupError
from bridge.backup.files import publish, refuse_existing
from bridge.backup.making import Summary
from bridge.backup.sealed_file import SealedReader
from bridge.conversation import MessageArrived, Verification
from bridge.member import restored
from bridge.member.happenings import decode_happening
from bridge.member.memory import empty_memory
from bridge.member.storing import IDENTITY, MEMBER, Names, load_client, owner_of
from bridge.order.sequencer import KEYS, RESTORED
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import Identity
from bridge.relay import Side
from bridge.service.status import SIDES
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from mls.crypto.random import system_random
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from mls.errors import MlsError
from transports.room import Account, RoomAddress

if TYPE_CHECKING:
    from bridge.store.member import MemberTransaction

__all__ = ["Restored", "read_config", "refuse_database", "restore"]

_ADVICE: Final = "A backup is restored where there is nothing yet: move the database away, with the files beside it"

_UNDERSTOOD: Final = "it holds what no version of this program writes"

_BESIDE: Final = ("-wal", "-shm", "-journal")


@dataclass(slots=True)
class Restored:
    """What was put back."""

    made_at: int = 0
    """When the backup was made: milliseconds since 1970."""
    summary: Summary = field(default_factory=Summary)
    members: list[tuple[Side, bytes]] = field(default_factory=list)
    """Each member, with the id of the group that it was in."""
    sequencers: list[str] = field(default_factory=list)
    """The rooms whose sequencer's key was put back."""


def refuse_database(path: Path) -> None:
    """Raise `NotEmptyError` where there is a database, or what one has left."""
    for suffix in ("", *_BESIDE):
        refuse_existing(path.with_name(path.name + suffix), advice=_ADVICE)


def read_config(path: Path, passphrase: str) -> str:
    """Return the configuration of a backup. Raises `BackupError`."""
    with _opened(path) as file:
        for entry in _entries(SealedReader(file, passphrase, where=str(path)), str(path)):
            if isinstance(entry, SavedConfig):
                with _understanding(str(path)):
                    return entry.text.decode()
    raise DamagedBackupError("there is no configuration in it", where=str(path))


async def restore(
    path: Path,
    passphrase: str,
    database: Path,
    key: bytes,
    *,
    now: int,
    on_progress: Callable[[Summary], None] = lambda _: None,
) -> Restored:
    """Make the database of a backup. Raises `BackupError`, `StoreError`; then there is none."""
    refuse_database(database)
    done = Restored()
    partial = database.with_name(f".{database.name}.restoring")
    with _opened(path) as file:
        reader = SealedReader(file, passphrase, where=str(path))
        _clear(partial)
        try:
            store = await MemberStore.open(partial, StoreKey(key), now=now)
            try:
                for frame in reader.frames():
                    async with store.transaction() as tx:
                        for entry in _of_frame(frame, str(path)):
                            await _put(tx, entry, done, str(path))
                    on_progress(done.summary)
            finally:
                await store.close()
            if not done.made_at:
                raise DamagedBackupError("it does not say what it is", where=str(path))
            publish(partial, database, advice=_ADVICE)
        finally:
            _clear(partial)
    return done


async def _put(tx: MemberTransaction, entry: AnyEntry, done: Restored, where: str) -> None:
    if isinstance(entry, SavedContents) == bool(done.made_at):
        raise DamagedBackupError(_UNDERSTOOD, where=where)
    done.summary.count(entry)
    with _understanding(where):
        match entry:
            case SavedContents(made_at=made_at):
                done.made_at = _time(made_at)
            case SavedConfig():
                pass  # `read_config` is for it: there is one by now, which names this database
            case SavedIdentity() | SavedMember() | SavedTrust() | SavedMessage():
                await _put_of_member(tx, entry, done)
            case SavedSequencer():
                await _put_sequencer(tx, entry, done)
            case SavedRoom(name=name, sides=value):
                sides = {str(key): [str(account), str(room)] for key, (account, room) in json.loads(value).items()}
                name.decode()
                await tx.records.put(SIDES, name, json.dumps(sides).encode())
            case _:
                assert_never(entry)


async def _put_of_member(
    tx: MemberTransaction, entry: SavedIdentity | SavedMember | SavedTrust | SavedMessage, done: Restored
) -> None:
    match entry:
        case SavedIdentity(identity=identity, client=client):
            await tx.records.put(IDENTITY, identity, client)
            await load_client(tx, Identity.decode(identity), system_random)
        case SavedMember():
            await _put_member(tx, entry, done)
        case SavedTrust():
            how = Verification(entry.how.decode())
            await tx.trust.append(entry.owner.decode(), entry.account.decode(), entry.key, how.value, _time(entry.at))
        case SavedMessage():
            if not isinstance(decode_happening(entry.message), MessageArrived):
                raise TypeError("another happening than a message")
            owner = owner_of(Account(entry.account.decode()), RoomAddress(entry.room.decode()))
            await tx.history.add(owner, b"", entry.message, _time(entry.at))
        case _:
            assert_never(entry)


async def _put_sequencer(tx: MemberTransaction, entry: SavedSequencer, done: Restored) -> None:
    SignaturePrivateKey(Ed25519(), entry.key)
    await tx.records.put(KEYS, entry.room, entry.key)
    await tx.records.put(RESTORED, entry.room, done.made_at.to_bytes(8, "big"))
    done.sequencers.append(entry.room.decode())


def _time(at: int) -> int:
    if at >= 1 << 62:
        raise ValueError("not a time")
    return at


async def _put_member(tx: MemberTransaction, entry: SavedMember, done: Restored) -> None:
    side = Side(Account(entry.account.decode()), RoomAddress(entry.room.decode()))
    names = Names.of(side.scope)
    done.members.append((side, entry.group_id))
    await tx.records.put(MEMBER, names.key, empty_memory().replace(removed=entry.removed).encode())
    if entry.group_id:
        await restored.remember(tx, names, entry.group_id)


def _entries(reader: SealedReader, where: str) -> Iterator[AnyEntry]:
    for frame in reader.frames():
        yield from _of_frame(frame, where)


def _of_frame(frame: bytes, where: str) -> list[AnyEntry]:
    with _understanding(where):
        return [STRUCTS[Kind(entry.kind)].decode(entry.body) for entry in Frame.decode(frame).entries]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a backup. Raises `BackupError`."""
    try:
        if not path.is_file():  # opening a pipe would wait for somebody to write to it
            raise BackupError("there is no such file", where=str(path), advice="Name the file that `backup` wrote")
        file = path.open("rb")
    except OSError as error:
        raise BackupError(f"it cannot be read ({error.strerror})", where=str(path)) from error
    with file:
        yield file


@contextmanager
def _understanding(where: str) -> Iterator[None]:
    """Take what cannot be understood for damage: the passphrase's owner, or a program of theirs, has written it."""
    try:
        yield
    except (MlsError, ProtocolError, ValueError, TypeError, AttributeError, cbor2.CBORError) as error:
        raise DamagedBackupError(_UNDERSTOOD, where=where) from error


def _clear(partial: Path) -> None:
    """Delete what a restoring that failed has left."""
    for suffix in ("", *_BESIDE, ".lock"):
        with suppress(FileNotFoundError):
            partial.with_name(partial.name + suffix).unlink()
