"""A bare relay, in a process of its own: copies between a Matrix room and a MUC, in order; keeps nothing.

Reads what it needs as one line of JSON, says `ready`, and copies until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tests.benchmarks.servers.bare import BareClient, BareMatrix, BareXmpp
from tests.benchmarks.servers.cargo import NOTED, TEXT

__all__: list[str] = []


async def copy(settings: dict[str, Any]) -> None:
    """Copy until standard input ends."""
    to_matrix: asyncio.Queue[str] = asyncio.Queue()
    to_xmpp: asyncio.Queue[str] = asyncio.Queue()
    cargo = NOTED if settings["envelopes"] else TEXT
    matrix = BareMatrix(**settings["matrix"], hear=to_xmpp.put_nowait, cargo=cargo)
    xmpp = BareXmpp.component(**settings["xmpp"], hear=to_matrix.put_nowait, cargo=cargo)
    await matrix.start()
    await xmpp.start()
    ways = [asyncio.create_task(_carry(to_matrix, matrix)), asyncio.create_task(_carry(to_xmpp, xmpp))]
    print("ready", flush=True)
    try:
        end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        await asyncio.wait([end, *ways], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)
        await matrix.close()
        await xmpp.close()


async def _carry(texts: asyncio.Queue[str], target: BareClient) -> None:
    while True:
        await target.say(await texts.get())


if __name__ == "__main__":
    asyncio.run(copy(json.loads(sys.stdin.readline())))
