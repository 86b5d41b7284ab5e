"""What counts as half-done is read from a dead process's database as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.store import OutboxEntry, StoreKey
from bridge.store.member import MemberStore
from tests.whole.killing.evidence import gather
from tests.whole.scene import KEY
from transports.room import Account, EnvelopeSeen, Origin, RoomAddress

pytestmark = pytest.mark.asyncio

ALICE, ROOM = Account("matrix:u/alice:one"), RoomAddress("matrix:roomid/tea:one")
ENTRY = OutboxEntry(ALICE, ROOM, b"an envelope", "1", None, None, "application", 1)


async def test_an_unsent_row_and_an_event_that_no_role_has_taken_in_are_found(tmp_path: Path) -> None:
    database, scratch = tmp_path / "mls-bridge.db", tmp_path / "scratch"
    async with await MemberStore.open(database, StoreKey(KEY), now=1) as store:
        assert not (await gather(database, KEY, scratch)).is_half_done
        async with store.transaction() as tx:
            entry = await tx.outbox.add(ENTRY)
        assert str(await gather(database, KEY, scratch)) == "unsent 1"
        async with store.transaction() as tx:
            await tx.outbox.mark_published(entry, 2)
        assert str(await gather(database, KEY, scratch)) == "unseen 1"
        async with store.transaction() as tx:
            await tx.outbox.mark_reflected(ALICE, "1", 3)
            await tx.events.append(ALICE, [EnvelopeSeen(Origin(ROOM, "1", ALICE, 1), b"an envelope", "1", None)])
            await tx.positions.put(f"member {ALICE} {ROOM}", 0)
        found = await gather(database, KEY, scratch)
        assert (found.behind, found.unsent, found.unseen) == (1, 0, 0)
        async with store.transaction() as tx:
            await tx.positions.put(f"member {ALICE} {ROOM}", await tx.events.last_position(ALICE, ROOM))
        assert not (await gather(database, KEY, scratch)).is_half_done
    assert not scratch.exists()


async def test_a_process_that_died_before_it_had_tables_left_nothing(tmp_path: Path) -> None:
    database = tmp_path / "mls-bridge.db"
    database.touch()
    assert not (await gather(database, KEY, tmp_path / "scratch")).is_half_done
