"""Where a message was seen last: the stores of all processes, asked for its envelope.

Nobody but its sender knows which envelope a message is in; the sender's outbox has them in the order in which it said
them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.whole.killing.evidence import copied

__all__ = ["trace"]


def trace(number: int, sender: Path, others: dict[str, Path], scratch: Path) -> list[str]:
    """Say where the `number`-th message of a sender is, from 0. The databases must be closed."""
    with copied(sender, scratch) as copy, closing(sqlite3.connect(copy)) as store:
        rows = store.execute(
            "SELECT envelope, reflected_at, error FROM outbox WHERE purpose = 'application' ORDER BY id"
        ).fetchall()
    if number >= len(rows):
        return [f"its sender never encrypted it: message {number} of {len(rows)}"]
    envelope, reflected, error = rows[number]
    identity = hashlib.sha256(envelope).digest()
    found = [f"envelope {identity.hex()[:12]}, at its sender: {_state(reflected, error)}"]
    for name, path in others.items():
        with copied(path, scratch) as copy, closing(sqlite3.connect(copy)) as store:
            found += [f"{name}: {line}" for line in _in(store, identity, envelope)] or [f"{name}: never seen"]
    return found


def _in(store: sqlite3.Connection, identity: bytes, envelope: bytes) -> list[str]:
    seen = store.execute("SELECT room FROM seen WHERE identity = ?", (identity,)).fetchall()
    sent = store.execute("SELECT room, reflected_at, error FROM outbox WHERE envelope = ?", (envelope,)).fetchall()
    return [f"seen in {room}" for (room,) in seen] + [f"copy to {room}: {_state(*rest)}" for room, *rest in sent]


def _state(reflected: int | None, error: str | None) -> str:
    if reflected is not None:
        return f"stands in the room since {reflected}"
    state = "not seen in the room"
    return f"{state} ({error})" if error else state
