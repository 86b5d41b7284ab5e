"""What the demonstration proves, and how: the same search through everything, for what was said and for the keys."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.demo.canaries import Finding, search_files, search_memory
from bridge.demo.people import DemoError, Person
from bridge.demo.stage import Stage
from bridge.member.storing import owner_of
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from transports.room import Account, RoomAddress

__all__ = ["Proof", "keys_of", "prove"]

_SMALLEST_KEY = 16
"""Bytes: what is shorter could be there by chance."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Where the search went, and what it found."""

    secrets: int
    words: int
    places: dict[str, list[Finding]]
    """Findings by place: none, everywhere but in a member."""
    member: list[Finding]

    @property
    def holds(self) -> bool:
        """Whether nothing was found where nothing may be, and something where it must be."""
        kinds = {name.split()[0] for name, _ in self.member}
        return not any(self.places.values()) and kinds >= {"words", "key"}


async def keys_of(person: Person, owner: str, folder: Path) -> dict[str, bytes]:
    """Return a member's secrets of its group as they are now, read from a copy of its database."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Path(place, "copy.db")
        _copy_database(folder / person.name / "mls-bridge.db", copy)
        key = _key(folder / person.name / "key")
        async with await MemberStore.open(copy, key, now=0) as store, store.transaction() as tx:
            groups = [await tx.groups.load(owner, group_id) for group_id in await tx.groups.list(owner)]
    values = [bytes(secret.value) for group in groups if group is not None for secret in group.secrets()]
    found = {f"key {at}": value for at, value in enumerate(values) if len(value) >= _SMALLEST_KEY}
    if not found:
        raise DemoError(f"{person.name} holds no keys that could be searched for")
    return found


def _key(path: Path) -> StoreKey:
    return StoreKey(bytes.fromhex(path.read_text(encoding="ascii")))


def _copy_database(path: Path, copy: Path) -> None:
    """Copy a database that its owner goes on writing to."""
    source, target = sqlite3.connect(f"file:{path}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()


async def prove(stage: Stage, words: list[str], member: Person, say: Callable[[str], None]) -> Proof:
    """Search servers, bridge and a member on XMPP for what was said and for the member's keys."""
    wanted = {f"words {at}": text.encode() for at, text in enumerate(words)}
    owner = owner_of(Account(f"xmpp:{member.name}@localhost"), RoomAddress(f"xmpp:{stage.xmpp_room}"))
    keys = await keys_of(member, owner, stage.folder)
    everything = {**wanted, **keys}
    say(f"Searching for {len(wanted)} sentences and {len(keys)} keys, in 11 ways of writing them, everywhere")
    folder = stage.folder
    places = {
        "Synapse's files": lambda: search_files([folder / "synapse"], everything),
        "Prosody's files": lambda: search_files([folder / "prosody"], everything),
        "the bridge's files": lambda: search_files([folder / "bridge"], everything),
        "the bridge's memory": lambda: search_memory(stage.bridge.pid, everything),
    }
    found = {name: await asyncio.to_thread(search) for name, search in places.items()}
    return Proof(len(keys), len(wanted), found, await asyncio.to_thread(search_memory, member.pid, everything))
