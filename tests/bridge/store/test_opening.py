"""Opening: one owner, the right key, a database that is whole and ours."""

# ruff: noqa: ASYNC220, ASYNC240, PT012 - nobody waits meanwhile; a transaction is entered, and then something is raised

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.store import migrating
from bridge.store.errors import (
    CorruptStoreError,
    DiskFullError,
    NewerStoreError,
    StoreConflictError,
    StoreError,
    StoreInUseError,
    StoreUsageError,
    UnavailableStoreError,
    WrongKeyError,
)
from bridge.store.keys import StoreKey
from bridge.store.store import Store
from tests.bridge.store.opening import KEY, NOW, files, opened, peek

OTHER_KEY = StoreKey(bytes(range(32)))

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def refused(path: Path, error: type[StoreError], what: str, key: StoreKey = KEY) -> StoreError:
    """Try to open a store, and return why it cannot be; afterwards nobody holds its lock."""
    with pytest.raises(error, match=what) as caught:
        await Store.open(path, key, now=NOW)
    return caught.value


async def filled(path: Path, records: int = 1) -> None:
    async with opened(path) as store, store.transaction() as tx:
        for number in range(records):
            await tx.records.put("space", b"%d" % number, b"value")


OWNER = """
import asyncio, sys
from pathlib import Path
from tests.bridge.store.opening import opened

async def own() -> None:
    async with opened(Path(sys.argv[1])) as store:
        async with store.transaction() as tx:
            await tx.records.put("space", b"0", b"value")
        print("open", flush=True)
        await asyncio.sleep(60)

asyncio.run(own())
"""


async def test_a_second_process_is_refused_until_the_first_one_dies(path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        assert await asyncio.to_thread(owner.stdout.readline) == "open\n"
        error = await refused(path, StoreInUseError, f"in use by process {owner.pid}")
        assert isinstance(error, StoreInUseError)
        assert error.pid == owner.pid
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
    async with opened(path) as store, store.transaction() as tx:
        assert await tx.records.get("space", b"0") == b"value"


async def test_a_second_opening_in_one_process_is_refused(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    async with opened(path):
        link.symlink_to(path)
        for name in (path, link):
            await refused(name, StoreInUseError, f"in use by process {os.getpid()}")
    async with opened(link):
        pass


async def test_an_owner_that_does_not_say_who_it_is(path: Path) -> None:
    async with opened(path):
        os.truncate(f"{path}.lock", 0)
        await refused(path, StoreInUseError, "in use by another process")


async def test_a_program_that_does_not_close_its_store_ends_all_the_same(path: Path) -> None:
    program = OWNER.replace("await asyncio.sleep(60)", "kept.append(store); raise RuntimeError").replace(
        "async with opened(Path(sys.argv[1])) as store:",
        "if store := await opened(Path(sys.argv[1])).__aenter__():",
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", "kept = []\n" + program, str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "RuntimeError" in done.stderr
    async with opened(path) as store, store.transaction() as tx:
        assert await tx.records.get("space", b"0") == b"value"


async def test_only_its_owner_can_read_the_files(path: Path) -> None:
    async with opened(path) as store:
        async with store.transaction() as tx:
            await tx.cursors.put("a", b"cursor")
        for name in ("store.db", "store.db-wal", "store.db-shm", "store.db.lock"):
            assert stat.S_IMODE(path.with_name(name).stat().st_mode) == 0o600


async def test_the_wrong_key_is_refused(path: Path) -> None:
    await filled(path)
    await refused(path, WrongKeyError, "the key does not open this database", OTHER_KEY)
    async with opened(path) as store, store.transaction() as tx:
        assert await tx.records.get("space", b"0") == b"value"


async def test_the_key_can_be_changed(path: Path) -> None:
    await filled(path)
    ((before,),) = peek(path, "SELECT wrapped FROM store_key")
    ((value,),) = peek(path, "SELECT value FROM records")
    async with opened(path) as store:
        await store.rekey(OTHER_KEY)
        assert isinstance(before, bytes)
        assert before[24:] not in files(path)
    await refused(path, WrongKeyError, "the key does not open")
    async with opened(path, key=OTHER_KEY) as store, store.transaction() as tx:
        assert await tx.records.get("space", b"0") == b"value"
    assert peek(path, "SELECT value FROM records") == [(value,)], "what is stored is not encrypted anew"


async def test_a_newer_database_is_refused_and_left_alone(path: Path) -> None:
    await filled(path)
    newer = migrating.latest_version() + 1
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    before = files(path)
    error = await refused(path, NewerStoreError, f"version {newer}.*up to {newer - 1}")
    assert isinstance(error, NewerStoreError)
    assert (error.found, error.known) == (newer, newer - 1)
    assert files(path) == before


async def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = files(path)
    await refused(path, CorruptStoreError, "another program's database")
    assert files(path) == before


@pytest.mark.parametrize("content", [b"no database " * 1000, b"SQLite format 3\0" + bytes(5000), b"x"])
async def test_what_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    await refused(path, CorruptStoreError, "Move the file away")
    assert path.read_bytes() == content


async def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.touch()
    await filled(path)


async def test_a_truncated_database_is_refused(path: Path) -> None:
    await filled(path, records=200)
    os.truncate(path, path.stat().st_size // 2)
    await refused(path, CorruptStoreError, "damaged")


async def test_flipped_bytes_are_found_or_read_as_an_error(path: Path, tmp_path: Path) -> None:
    """A page in which everything is flipped: at the opening or when the value is read, never silently."""
    await filled(path, records=100)
    size, found = path.stat().st_size, 0
    for page in range(size // 4096):
        copy = tmp_path / "copy.db"
        shutil.copy(path, copy)
        with copy.open("r+b") as file:
            file.seek(page * 4096)
            data = file.read(4096)
            file.seek(page * 4096)
            file.write(bytes(byte ^ 0x5A for byte in data))
        try:
            async with opened(copy) as store, store.transaction() as tx:
                assert len(await tx.records.items("space")) == 100
        except (CorruptStoreError, WrongKeyError):
            found += 1
        copy.unlink()
    assert found > 10


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    await refused(tmp_path / "nowhere" / "store.db", UnavailableStoreError, "No such file or directory")


async def test_a_path_that_is_a_folder(tmp_path: Path) -> None:
    await refused(tmp_path, UnavailableStoreError, "cannot be opened")


async def test_an_old_sqlite_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    await refused(path, UnavailableStoreError, "is too old")


async def test_a_full_disk_stores_nothing_and_loses_nothing(path: Path) -> None:
    await filled(path)
    pages = path.stat().st_size // 4096
    async with opened(path, max_page_count=pages + 4) as store:
        for _ in range(2):
            with pytest.raises(DiskFullError, match="there is no room left"):
                async with store.transaction() as tx:
                    await tx.cursors.put("a", b"half of it")
                    await tx.log.put_envelope("scope", b"large", bytes(100_000), NOW)
        async with store.transaction() as tx:
            assert await tx.cursors.get("a") is None
            await tx.cursors.put("a", b"small enough")
    async with opened(path) as store, store.transaction() as tx:
        assert await tx.records.get("space", b"0") == b"value"
        assert await tx.cursors.get("a") == b"small enough"
        assert await tx.log.get_envelope("scope", b"large") is None


async def test_no_room_for_the_tables(path: Path) -> None:
    with pytest.raises(DiskFullError):
        await Store.open(path, KEY, now=NOW, max_page_count=5)
    async with opened(path) as store, store.transaction() as tx:
        assert await tx.positions.get("a") == 0


async def test_a_failure_that_was_caught_cannot_be_committed(path: Path) -> None:
    await filled(path)
    pages = path.stat().st_size // 4096
    async with opened(path, max_page_count=pages + 4) as store:
        with pytest.raises(DiskFullError):
            async with store.transaction() as tx:
                await tx.cursors.put("a", b"before")
                await tx.log.put_envelope("scope", b"large", bytes(100_000), NOW)
                with pytest.raises(DiskFullError):  # writes wait for the next statement that reads
                    await tx.cursors.get("a")
                with pytest.raises(DiskFullError):
                    await tx.cursors.put("a", b"after")
        async with store.transaction() as tx:
            assert await tx.cursors.get("a") is None


async def test_an_exception_rolls_back(path: Path) -> None:
    async with opened(path) as store:
        with pytest.raises(LookupError):
            async with store.transaction() as tx:
                await tx.records.put("space", b"key", b"value")
                raise LookupError
        async with store.transaction() as tx:
            assert await tx.records.get("space", b"key") is None
            await tx.records.put("space", b"key", b"another")
            assert await tx.records.get("space", b"key") == b"another"


async def test_transactions_come_one_at_a_time(path: Path) -> None:
    async with opened(path) as store:

        async def count() -> None:
            async with store.transaction() as tx:
                position = await tx.positions.get("counter")
                await asyncio.sleep(0)
                await tx.positions.put("counter", position + 1)

        await asyncio.gather(*(count() for _ in range(20)))
        async with store.transaction() as tx:
            assert await tx.positions.get("counter") == 20


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_task_leaves_all_or_nothing(path: Path, turns: int) -> None:
    async with opened(path) as store:

        async def write() -> None:
            async with store.transaction() as tx:
                await tx.positions.put("a", 1)
                await tx.positions.put("b", 1)

        task = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        task.cancel()
        await asyncio.wait([task])
        async with store.transaction() as tx:
            assert await tx.positions.get("a") == await tx.positions.get("b")


async def test_what_cannot_be_done_is_said(path: Path) -> None:
    async with opened(path) as store:
        async with store.transaction() as tx:
            with pytest.raises(StoreUsageError, match="in a transaction already"):
                async with store.transaction():
                    pass
            with pytest.raises(StoreUsageError, match="in a transaction already"):
                await store.close()
        with pytest.raises(StoreUsageError, match="the transaction is over"):
            await tx.positions.get("a")
        with pytest.raises(StoreUsageError, match="64 bits"):
            async with store.transaction() as tx:
                await tx.positions.put("a", 1 << 63)
    await store.close()
    with pytest.raises(StoreUsageError, match="the store is closed"):
        async with store.transaction():
            pass


async def test_errors_say_what_to_do() -> None:
    error = StoreConflictError(4, None, where="store.db")
    assert (error.revision, error.expected, error.where) == (4, None, "store.db")
    assert str(error) == (
        "store.db: the stored group is at revision 4, and the step started from no revision. "
        "Load the group again, and make the step on what is stored"
    )
