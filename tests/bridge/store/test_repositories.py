"""Each of the small repositories, through one transaction and into the next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.store.errors import CorruptStoreError, StoreUsageError
from bridge.store.key_packages import StoredKeyPackage
from bridge.store.member import MemberStore
from bridge.store.outbox import OutboxEntry, StoredOutboxEntry
from bridge.store.trust import TrustDecision
from tests.bridge.store.opening import files
from transports.room import Account, RelayNote, RoomAddress

ALICE = Account("xmpp:alice@example.org")
BOB = Account("matrix:u/bob:example.org")
ROOM = RoomAddress("xmpp:tea@muc.example.org")

pytestmark = pytest.mark.asyncio


async def test_cursors_and_positions(store: MemberStore) -> None:
    async with store.transaction() as tx:
        assert await tx.cursors.get(ALICE) is None
        assert await tx.positions.get("session") == 0
        await tx.cursors.put(ALICE, b"old")
        await tx.cursors.put(ALICE, b"new")
        await tx.positions.put("session", 3)
        await tx.positions.put("session", 7)
    async with store.transaction() as tx:
        assert await tx.cursors.get(ALICE) == b"new"
        assert await tx.cursors.get(BOB) is None
        assert await tx.positions.get("session") == 7


async def test_an_envelope_is_seen_once_until_it_is_pruned(store: MemberStore) -> None:
    async with store.transaction() as tx:
        assert await tx.seen.add(ROOM, [b"identity"], 10) == {b"identity"}
        assert await tx.seen.add(ROOM, [b"identity", b"more"], 30) == {b"more"}
        assert await tx.seen.add("another room", [b"identity"], 20) == {b"identity"}
        assert await tx.seen.add(ROOM, [], 30) == set()
        assert await tx.seen.contains(ROOM, b"identity")
        assert not await tx.seen.contains(ROOM, b"another")
        await tx.seen.prune(20)
        assert not await tx.seen.contains(ROOM, b"identity")
        assert await tx.seen.contains("another room", b"identity")


async def test_records_come_back_sorted(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.records.put("space", b"b", b"second")
        await tx.records.put("space", b"a", b"first, to be replaced")
        await tx.records.put("space", b"a", b"first")
        await tx.records.put("other", b"a", b"")
    async with store.transaction() as tx:
        assert await tx.records.items("space") == [(b"a", b"first"), (b"b", b"second")]
        assert await tx.records.get("other", b"a") == b""
        assert await tx.records.get("space", b"c") is None
        await tx.records.delete("space", b"a")
        await tx.records.delete("space", b"never there")
        assert await tx.records.items("space") == [(b"b", b"second")]


async def test_a_record_does_not_pass_for_another(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.records.put("space", b"a", b"yes")
        await tx.records.put("space", b"b", b"no")
    async with store._statements() as statements:
        ((value, key_id),) = await statements.rows("SELECT value, key_id FROM records WHERE key = x'61'")
        await statements.rows("DROP TRIGGER records_replaced")
        await statements.rows("UPDATE records SET value = ?, key_id = ? WHERE key = x'62'", value, key_id)
    async with store.transaction() as tx:
        assert await tx.records.get("space", b"a") == b"yes"
        with pytest.raises(CorruptStoreError, match="'records' is damaged, or belongs elsewhere"):
            await tx.records.get("space", b"b")


async def test_the_inbox_is_read_until_it_is_acknowledged(store: MemberStore) -> None:
    async with store.transaction() as tx:
        first = await tx.inbox.add(ALICE, b"tea", b"one", 10)
        second = await tx.inbox.add(ALICE, b"cake", b"two", 20)
        other = await tx.inbox.add(BOB, b"tea", b"for bob", 20)
    async with store.transaction() as tx:
        assert await tx.inbox.unread(ALICE, 10) == [(first, b"tea", b"one"), (second, b"cake", b"two")]
        assert await tx.inbox.unread(ALICE, 1) == [(first, b"tea", b"one")]
        await tx.inbox.acknowledge(ALICE, other)
        assert await tx.inbox.unread(ALICE, 10) == []
        assert await tx.inbox.unread(BOB, 10) == [(other, b"tea", b"for bob")]
        await tx.inbox.acknowledge(BOB, other)
        assert await tx.inbox.add(ALICE, b"tea", b"three", 30) == other + 1, "no position is given twice"


async def test_history_is_read_backwards_and_purged(store: MemberStore) -> None:
    async with store.transaction() as tx:
        for number in range(5):
            await tx.history.add(ALICE, b"tea", b"message %d" % number, number)
        await tx.history.add(ALICE, b"cake", b"another group", 0)
        await tx.history.add(BOB, b"tea", b"another owner", 0)
    async with store.transaction() as tx:
        last = await tx.history.list(ALICE, b"tea", 2)
        assert [(item.message, item.at) for item in last] == [(b"message 3", 3), (b"message 4", 4)]
        assert "message 3" not in repr(last[0])
        before = await tx.history.list(ALICE, b"tea", 2, before=last[0].position)
        assert [item.message for item in before] == [b"message 1", b"message 2"]
        await tx.history.purge(ALICE, 4)
        assert [item.message for item in await tx.history.list(ALICE, b"tea", 10)] == [b"message 4"]
        assert await tx.history.list(ALICE, b"cake", 10) == []
        assert [item.message for item in await tx.history.list(BOB, b"tea", 10)] == [b"another owner"]


KEY_PACKAGE = StoredKeyPackage(b"reference", b"public", b"private", is_last_resort=False, created_at=1, expires_at=9)


async def test_key_packages(store: MemberStore) -> None:
    last_resort = replace(KEY_PACKAGE, reference=b"another", is_last_resort=True, created_at=2)
    async with store.transaction() as tx:
        await tx.key_packages.put(ALICE, last_resort)
        await tx.key_packages.put(ALICE, KEY_PACKAGE)
        await tx.key_packages.put(ALICE, replace(KEY_PACKAGE, key_package=b"the same reference is the same KeyPackage"))
    async with store.transaction() as tx:
        assert await tx.key_packages.list(ALICE) == [KEY_PACKAGE, last_resort]
        assert await tx.key_packages.list(BOB) == []
        assert await tx.key_packages.get(BOB, b"reference") is None
        await tx.key_packages.mark_spent(ALICE, b"reference", 5)
        await tx.key_packages.mark_spent(ALICE, b"reference", 6)
        assert await tx.key_packages.get(ALICE, b"reference") == replace(KEY_PACKAGE, spent_at=5)
        await tx.key_packages.delete(ALICE, b"reference")
        assert await tx.key_packages.list(ALICE) == [last_resort]
    assert "private" not in repr(KEY_PACKAGE)


async def test_spent_references(store: MemberStore) -> None:
    async with store.transaction() as tx:
        assert not await tx.spent_references.contains(b"reference")
        await tx.spent_references.add(b"tea", b"reference")
        await tx.spent_references.add(b"tea", b"reference")
        await tx.spent_references.add(b"cake", b"reference")
        assert await tx.spent_references.contains(b"reference")


async def test_trust_is_added_to(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.trust.append(ALICE, BOB, b"key", "first use", 1)
        await tx.trust.append(ALICE, BOB, b"key", "compared", 2)
        await tx.trust.append(ALICE, ALICE, b"key", "own", 3)
        await tx.trust.append(BOB, ALICE, b"key", "first use", 4)
    async with store.transaction() as tx:
        decisions = [TrustDecision(BOB, b"key", "first use", 1), TrustDecision(BOB, b"key", "compared", 2)]
        assert await tx.trust.of(ALICE, BOB) == decisions
        assert await tx.trust.all(ALICE) == [*decisions, TrustDecision(ALICE, b"key", "own", 3)]


@pytest.mark.parametrize("sql", ["UPDATE trust SET how = 'compared'", "DELETE FROM trust"])
async def test_trust_is_never_changed(store: MemberStore, sql: str) -> None:
    async with store.transaction() as tx:
        await tx.trust.append(ALICE, BOB, b"key", "first use", 1)
    with pytest.raises(StoreUsageError, match="never"):
        async with store._statements() as statements:
            await statements.rows(sql)
    async with store.transaction() as tx:
        assert [decision.how for decision in await tx.trust.all(ALICE)] == ["first use"]


NOTE = RelayNote(RoomAddress("matrix:roomid/abc:example.org"), BOB, "$event", 123)
ENTRY = OutboxEntry(ALICE, ROOM, b"envelope", "transaction-1", NOTE, "no MLS here", "application", 100)


async def test_an_entry_waits_until_it_is_reflected(store: MemberStore) -> None:
    bare = replace(ENTRY, transaction="transaction-2", note=None, fallback=None)
    async with store.transaction() as tx:
        first = await tx.outbox.add(ENTRY)
        second = await tx.outbox.add(bare)
        await tx.outbox.add(replace(ENTRY, account=BOB))
    async with store.transaction() as tx:
        await tx.outbox.mark_attempt(first, 110, "no connection")
        await tx.outbox.mark_attempt(first, 120, "still none")
    stored = StoredOutboxEntry(first, ENTRY, None, 2, 120, "still none")
    untouched = StoredOutboxEntry(second, bare)
    async with store.transaction() as tx:
        assert await tx.outbox.waiting(ALICE, ROOM, 10) == [stored, untouched]
        assert await tx.outbox.waiting(ALICE, ROOM, 1) == [stored]
        assert await tx.outbox.count(ALICE) == 2
        assert await tx.outbox.mark_reflected(ALICE, ["transaction-1", "somebody else's"], 140) == {"transaction-1"}
        assert await tx.outbox.mark_reflected(ALICE, ["transaction-1"], 150) == set()
        assert await tx.outbox.mark_reflected(ALICE, [], 150) == set()
        assert await tx.outbox.waiting(ALICE, ROOM, 10) == [untouched]
        assert await tx.outbox.get(ALICE, "transaction-1") == replace(stored, reflected_at=140)
        assert await tx.outbox.get(ALICE, "never") is None


async def test_entries_are_read_room_by_room_in_pieces(store: MemberStore) -> None:
    sizes = [10, 10, 50, 10, 200, 10]
    async with store.transaction() as tx:
        ids = [
            await tx.outbox.add(replace(ENTRY, transaction=f"t{number}", envelope=bytes(size)))
            for number, size in enumerate(sizes)
        ]
        other = await tx.outbox.add(replace(ENTRY, transaction="other", room=RoomAddress("memory:other")))
        await tx.outbox.mark_reflected(ALICE, ["t1"], 140)

        async def read(after: int, limit: int = 10, max_bytes: int = 70) -> list[int]:
            found = await tx.outbox.waiting(ALICE, ROOM, limit, after=after, max_bytes=max_bytes)
            return [stored.id for stored in found]

        assert await read(0) == [ids[0], ids[2], ids[3]]
        assert await read(ids[0], limit=1) == [ids[2]]
        assert await read(ids[3]) == [ids[4]]
        assert await read(ids[4], max_bytes=0) == [ids[5]]
        assert await read(ids[5]) == []
        assert await tx.outbox.newest(ALICE, 0) == {ROOM: ids[5], RoomAddress("memory:other"): other}
        assert await tx.outbox.newest(ALICE, ids[5]) == {RoomAddress("memory:other"): other}
        assert await tx.outbox.newest(ALICE, other) == {}


async def test_entries_are_dropped_and_pruned(store: MemberStore) -> None:
    async with store.transaction() as tx:
        dropped = await tx.outbox.add(ENTRY)
        await tx.outbox.add(replace(ENTRY, transaction="reflected"))
        await tx.outbox.add(replace(ENTRY, transaction="waiting", created_at=0))
        await tx.outbox.mark_reflected(ALICE, ["reflected"], 140)
        await tx.outbox.drop(dropped)
        await tx.outbox.prune(140)
        assert await tx.outbox.get(ALICE, "reflected") is not None
        await tx.outbox.prune(141)
        assert await tx.outbox.get(ALICE, "reflected") is None
        assert [item.entry.transaction for item in await tx.outbox.waiting(ALICE, ROOM, 10)] == ["waiting"]


async def test_a_transaction_is_used_once_by_an_account(store: MemberStore) -> None:
    async with store.transaction() as tx:
        first = await tx.outbox.add(ENTRY)
    with pytest.raises(StoreUsageError, match=r"UNIQUE constraint failed: outbox\.account, outbox\.transaction"):
        async with store.transaction() as tx:
            await tx.outbox.add(replace(ENTRY, envelope=b"another"))
    async with store.transaction() as tx:
        assert [item.entry for item in await tx.outbox.waiting(ALICE, ROOM, 10)] == [ENTRY]
        assert await tx.outbox.contains(ALICE, ENTRY.transaction)
        assert not await tx.outbox.contains(BOB, ENTRY.transaction)
        assert await tx.outbox.add(replace(ENTRY, transaction="another")) > first


async def test_a_damaged_note_is_a_clear_error(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.outbox.add(ENTRY)
    async with store._statements() as statements:
        await statements.rows("UPDATE outbox SET note = x'00'")
    async with store.transaction() as tx:
        with pytest.raises(CorruptStoreError, match="a note in the outbox is damaged"):
            await tx.outbox.waiting(ALICE, ROOM, 1)


async def test_what_is_secret_is_nowhere_in_the_files(store: MemberStore) -> None:
    canary = b"a canary that nobody may read"
    async with store.transaction() as tx:
        await tx.records.put("space", b"key", canary)
        await tx.inbox.add(ALICE, b"tea", canary, 1)
        await tx.history.add(ALICE, b"tea", canary, 1)
        await tx.key_packages.put(ALICE, replace(KEY_PACKAGE, bundle=canary))
        await tx.log.put_envelope("member", b"public", b"what is public can be found", 1)
    found = files(store.path)
    assert canary not in found
    assert b"what is public can be found" in found
