"""What counts as half-done is read from a dead process's database as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.store import OutboxEntry, StoreKey
from bridge.store.member import MemberStore
from tests.whole.killing.evidence import gather
from tests.whole.scene import KEY
from transports.room import Account, RoomAddress

pytestmark = pytest.mark.asyncio

ALICE, ROOM = Account("matrix:u/alice:one"), RoomAddress("matrix:roomid/tea:one")
ENTRY = OutboxEntry(ALICE, ROOM, b"an envelope", "1", None, None, "application", 1)


async def test_a_row_that_the_room_has_not_shown_is_found(tmp_path: Path) -> None:
    database, scratch = tmp_path / "mls-bridge.db", tmp_path / "scratch"
    async with await MemberStore.open(database, StoreKey(KEY), now=1) as store:
        assert not (await gather(database, KEY, scratch)).is_half_done
        async with store.transaction() as tx:
            await tx.outbox.add(ENTRY)
        found = await gather(database, KEY, scratch)
        assert (str(found), found.is_half_done) == ("unsettled 1", True)
        async with store.transaction() as tx:
            await tx.outbox.mark_reflected(ALICE, ["1"], 3)
        assert not (await gather(database, KEY, scratch)).is_half_done
    assert not scratch.exists()


async def test_a_process_that_died_before_it_had_tables_left_nothing(tmp_path: Path) -> None:
    database = tmp_path / "mls-bridge.db"
    database.touch()
    assert not (await gather(database, KEY, tmp_path / "scratch")).is_half_done
