"""What was deleted cannot be read any more: not from the database, not from its log."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import TypeVar

import pytest

import mls
from bridge.store.errors import StoreUsageError, UnavailableStoreError
from bridge.store.member import MemberStore
from mls.persistence import changes
from tests.bridge.store.opening import files, opened, peek

NOW = 1000
Output = TypeVar("Output")

ENVIRONMENT = mls.Environment(mls.UnsafeTrustEveryone())

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


class Keeper:
    """A member whose every step is stored, and who remembers each secret and each value key that is spent."""

    def __init__(self, name: str, store: MemberStore, state: mls.GroupState) -> None:
        self.name, self.store, self.state = name, store, state
        self.spent: list[bytes] = []

    async def take(self, step: mls.Transition[Output]) -> Output:
        await self.save(self.state, step.state)
        self.spent += [bytes(secret.value) for secret in step.spent if not secret.is_wiped and len(secret) >= 16]
        self.state = step.state
        return step.output

    async def save(self, before: mls.GroupState | None, after: mls.GroupState) -> None:
        async with self.store.transaction() as tx:
            await tx.groups.save(self.name, b"tea", changes(before, after))


def client(name: str) -> mls.Client:
    return mls.Client.basic(name.encode(), ENVIRONMENT.random)


def live_keys(path: Path) -> set[bytes]:
    found = peek(path, "SELECT wrapped FROM value_keys WHERE is_free = 0")
    return {key for (key,) in found if isinstance(key, bytes)}


def pieces(data: bytes, size: int = 16) -> set[bytes]:
    return {data[start : start + size] for start in range(len(data) - size + 1)}


async def talk(store: MemberStore, rounds: int) -> tuple[list[bytes], set[bytes]]:
    """Let two members talk and commit. Returns the spent secrets, and all value keys that ever were on the disk."""
    lifetime = mls.lifetime_of_days(90, now=NOW)
    alice = Keeper("alice", store, mls.create(client("alice"), ENVIRONMENT, group_id=b"tea", lifetime=lifetime).state)
    await alice.save(None, alice.state)
    bundle = mls.create_key_package(client("bob"), ENVIRONMENT, lifetime=lifetime)
    added = await alice.take(mls.add(alice.state, ENVIRONMENT, [bundle.key_package], now=NOW))
    received = await alice.take(mls.process(alice.state, ENVIRONMENT, added.message.encode(), now=NOW))
    assert isinstance(received, mls.Committed)
    assert received.welcome is not None
    joined = mls.join(ENVIRONMENT, received.welcome, [bundle])
    bob = Keeper("bob", store, joined.state)
    await bob.save(None, bob.state)
    seen: set[bytes] = set()
    for number in range(rounds):
        for sender, receiver in ((alice, bob), (bob, alice)):
            message = await sender.take(mls.protect(sender.state, ENVIRONMENT, b"message %d" % number))
            seen |= live_keys(store.path)
            await receiver.take(mls.process(receiver.state, ENVIRONMENT, message.encode(), now=NOW))
            seen |= live_keys(store.path)
        update = await bob.take(mls.commit(bob.state, ENVIRONMENT, now=NOW))
        for member in (alice, bob):
            await member.take(mls.process(member.state, ENVIRONMENT, update.message.encode(), now=NOW))
            seen |= live_keys(store.path)
    return alice.spent + bob.spent, seen


async def test_spent_secrets_and_their_keys_are_nowhere_in_the_files(store: MemberStore) -> None:
    spent, seen = await talk(store, rounds=12)
    deleted = seen - live_keys(store.path)
    assert len(spent) > 100
    assert len(deleted) > 100
    await store.truncate()
    found = files(store.path)
    assert not [secret for secret in spent if secret in found]
    on_disk = pieces(found)
    assert not [key for key in deleted if pieces(key) & on_disk]
    assert all(key in found for key in live_keys(store.path)), "the search finds what is there"


async def test_before_the_log_is_truncated_the_keys_are_in_it(store: MemberStore) -> None:
    _, seen = await talk(store, rounds=1)
    found = files(store.path)
    assert [key for key in seen - live_keys(store.path) if key in found], "else the other tests prove nothing"


async def test_the_log_is_truncated_within_a_second(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.records.put("space", b"key", b"value")
        await tx.records.delete("space", b"key")
    log = store.path.with_name("store.db-wal")
    assert log.stat().st_size > 0
    await asyncio.sleep(1)
    assert log.stat().st_size == 0


async def test_reading_truncates_nothing(store: MemberStore) -> None:
    await asyncio.sleep(0)
    async with store.transaction() as tx:
        await tx.records.get("space", b"key")
    assert store._truncation is None


async def test_any_deletions_and_replacements_leave_nothing(path: Path) -> None:
    generator = random.Random(7)
    seen: set[bytes] = set()
    async with opened(path) as store:
        for step in range(120):
            async with store.transaction() as tx:
                for _ in range(20):
                    key = b"%d" % generator.randrange(150)
                    if generator.random() < (0.7 if step % 40 < 20 else 0.3):
                        await tx.records.put("space", key, generator.randbytes(generator.choice([40, 150, 700, 5000])))
                    else:
                        await tx.records.delete("space", key)
            if step % 10 == 0:
                seen |= live_keys(path)
        deleted = seen - live_keys(path)
        assert len(deleted) > 300
        await store.truncate()
        on_disk = pieces(files(path))
        assert not [key for key in deleted if pieces(key) & on_disk]


@pytest.mark.parametrize(
    "sql", ["DELETE FROM value_keys", "UPDATE value_keys SET wrapped = x'00'"], ids=["delete", "shorten"]
)
async def test_value_keys_never_move(store: MemberStore, sql: str) -> None:
    async with store.transaction() as tx:
        await tx.records.put("space", b"key", b"value")
    with pytest.raises(StoreUsageError):
        async with store._statements() as statements:
            await statements.rows(sql)
    async with store.transaction() as tx:
        assert await tx.records.get("space", b"key") == b"value"


async def test_a_deleted_group_takes_its_keys_along(store: MemberStore) -> None:
    await talk(store, rounds=1)
    async with store.transaction() as tx:
        assert await tx.groups.list("alice") == [b"tea"]
        await tx.groups.delete("alice", b"tea")
        await tx.groups.delete("bob", b"tea")
        assert await tx.groups.list("alice") == []
        assert await tx.groups.load("alice", b"tea") is None
    assert live_keys(store.path) == set()
    assert peek(store.path, "SELECT count(*) FROM group_parts") == [(0,)]


async def test_a_reader_in_the_way_is_waited_for(store: MemberStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.store.store._RETRY_LIMIT", 0.2)
    log = store.path.with_name("store.db-wal")
    reader = sqlite3.connect(store.path, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchall()
        async with store.transaction() as tx:
            await tx.records.put("space", b"key", b"value")
        with pytest.raises(UnavailableStoreError, match="a reader keeps the log"):
            await store.truncate()
        async with store.transaction() as tx:
            assert await tx.records.get("space", b"key") == b"value", "nobody waits for the reader"
        await asyncio.sleep(0.8)
        assert log.stat().st_size > 0
    finally:
        reader.close()
    await asyncio.sleep(0.4)
    assert log.stat().st_size == 0
