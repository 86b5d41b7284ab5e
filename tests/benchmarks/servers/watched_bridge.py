"""The bridge of a configuration, watched, in a process of its own: says `ready`, and serves until its input ends.

Then it writes one line of JSON: the marks, the transactions, and the rounds to the database's thread.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import astuple
from pathlib import Path

import structlog

from bridge.config import load, read_key
from bridge.observing.metrics import Metrics
from bridge.service.attending import attend
from bridge.service.clock import SystemClock
from bridge.service.composing import Composition, open_store
from mls.crypto.random import system_random
from tests.benchmarks.servers.watching import Rounds, Watch, WatchedService

__all__: list[str] = []


async def serve(path: Path, rounds: Rounds) -> str:
    """Serve until standard input ends, and return what was seen."""
    config, clock, metrics, watch = load(path), SystemClock(), Metrics(), Watch("bridge")
    store = await open_store(config, read_key(config.store.key), clock)
    service = WatchedService(store, watch, clock=clock, random=system_random, metrics=metrics)
    composition = Composition(config, service, store, clock=clock, random=system_random, metrics=metrics)
    await composition.add_accounts()
    running = asyncio.create_task(service.run())
    try:
        await attend(composition.add_roles(), running)
        print("ready", flush=True)
        await attend(asyncio.to_thread(sys.stdin.read), running)
    finally:
        service.stop()
        await running
    return json.dumps(
        {
            "marks": [astuple(mark) for mark in watch.marks],
            "transactions": [astuple(span) for span in watch.transactions],
            "rounds": rounds.seen.get(watch.thread or 0, []),
        }
    )


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with Rounds() as seen:
        print(asyncio.run(serve(Path(sys.argv[1]), seen)))
