"""A crash at any statement leaves what was there before the transaction, or what was there after it."""

# ruff: noqa: ASYNC220 - nobody waits meanwhile

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bridge.store.opening import opened, peek

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

CRASHED = 9

STEP = """
import asyncio, os, sys
from pathlib import Path
from tests.bridge.store.opening import opened

limit, statements = int(sys.argv[2]), 0

def count(statement: str) -> None:
    # Told of each statement before it runs, those of triggers apart.
    global statements
    if statement.startswith("--"):
        return
    statements += 1
    if statements > limit:
        os._exit(9)

async def step() -> None:
    async with opened(Path(sys.argv[1])) as store:
        await store._database._connection.set_trace_callback(count)
        async with store.transaction() as tx:
            await tx.positions.put("step", 2)
            await tx.records.put("space", b"replaced", b"two")
            await tx.records.put("space", b"new", b"two")
            await tx.records.delete("space", b"old")
            await tx.inbox.add("alice", b"tea", b"two", 2)
            await tx.seen.add("room", [b"two"], 2)
        print("committed", flush=True)

asyncio.run(step())
"""

BEFORE: tuple[object, ...] = (1, [(b"old", b"one"), (b"replaced", b"one")], [], False)
AFTER: tuple[object, ...] = (2, [(b"new", b"two"), (b"replaced", b"two")], [(1, b"tea", b"two")], True)


async def state(path: Path) -> tuple[object, ...]:
    async with opened(path) as store, store.transaction() as tx:
        return (
            await tx.positions.get("step"),
            await tx.records.items("space"),
            await tx.inbox.unread("alice", 10),
            await tx.seen.contains("room", b"two"),
        )


async def prepare(path: Path) -> None:
    async with opened(path) as store, store.transaction() as tx:
        await tx.positions.put("step", 1)
        await tx.records.put("space", b"old", b"one")
        await tx.records.put("space", b"replaced", b"one")


async def test_a_crash_at_each_statement(tmp_path: Path) -> None:
    found = []
    for limit in range(40):
        path = tmp_path / f"{limit}.db"
        await prepare(path)
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", STEP, str(path), str(limit)],
            capture_output=True,
            text=True,
            check=False,
        )
        is_committed = done.stdout == "committed\n"
        assert done.returncode in {0, CRASHED}, done.stderr
        now = await state(path)
        assert now in (BEFORE, AFTER)
        assert now == AFTER or not is_committed
        assert peek(path, "PRAGMA integrity_check") == [("ok",)]
        found.append(now)
        if done.returncode == 0:
            break
    else:
        pytest.fail("the step never came to its end")
    turn = found.index(AFTER)
    assert turn > 10
    assert found == [BEFORE] * turn + [AFTER] * (len(found) - turn)


TRAFFIC = """
import asyncio, sys
from pathlib import Path
from tests.bridge.store.opening import opened

async def write() -> None:
    async with opened(Path(sys.argv[1])) as store:
        number = 0
        while True:
            number += 1
            async with store.transaction() as tx:
                await tx.positions.put("last", number)
                await tx.records.put("space", b"last", str(number).encode())
                await tx.records.put("space", str(number % 7).encode(), bytes(number % 900))
            print(number, flush=True)

asyncio.run(write())
"""


async def test_killed_at_random_moments(path: Path) -> None:
    generator = random.Random(11)
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", TRAFFIC, str(path)], stdout=subprocess.PIPE, text=True)
        try:
            assert writer.stdout is not None
            await asyncio.to_thread(writer.stdout.readline)
            await asyncio.sleep(generator.uniform(0, 0.4))
        finally:
            writer.send_signal(signal.SIGKILL)
            said, _ = writer.communicate()
        confirmed = max((int(line) for line in said.splitlines() if line.isdigit()), default=1)
        async with opened(path) as store, store.transaction() as tx:
            last = await tx.positions.get("last")
            assert last in {confirmed, confirmed + 1}, "what was committed stays"
            assert await tx.records.get("space", b"last") == str(last).encode()
            await tx.positions.put("last", 0)
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
