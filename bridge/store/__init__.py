"""What outlives the process: events, cursors, groups, seals, what is to be sent. One SQLite database, one owner.

>>> from bridge.store import Store, StoreKey  # doctest: +SKIP
>>> store = await Store.open("relay.db", StoreKey(key), now=now)  # doctest: +SKIP
>>> async with store.transaction() as tx:  # doctest: +SKIP
...     await tx.events.append(account, batch.events)
...     await tx.cursors.put(account, batch.cursor)

A process that is a member opens a `bridge.store.member.MemberStore`, whose transactions also hold groups and keys.
"""

from __future__ import annotations

from bridge.store.errors import StoreError
from bridge.store.events import StoredEvent
from bridge.store.keys import StoreKey
from bridge.store.log import StoredSeal
from bridge.store.outbox import OutboxEntry, StoredOutboxEntry
from bridge.store.store import Store
from bridge.store.transaction import Transaction

__all__ = [
    "OutboxEntry",
    "Store",
    "StoreError",
    "StoreKey",
    "StoredEvent",
    "StoredOutboxEntry",
    "StoredSeal",
    "Transaction",
]
