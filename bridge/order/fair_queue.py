"""A queue in the store, fair to those who post: nothing that was taken in is lost by a crash, whatever it waits for.

In memory there is one small lane for each sender; what waits stands in the store.

============================  ========================================================================
where                         what
============================  ========================================================================
record space `NAME`           under `lanes`: the lanes, while something waits
record space `NAME items`     what waits, by sender and number
============================  ========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.order.lanes import NO_LANES, ByteQuota, Lane, Lanes
from mls.codec import Opaque, Struct, UInt64, encode_opaque, struct

__all__ = ["FairQueue", "QueueStep", "Records"]

_LANES = b"lanes"


class Records(Protocol):
    """What is needed of the store."""

    async def get(self, space: str, key: bytes) -> bytes | None:
        """Return a record."""
        ...

    async def put(self, space: str, key: bytes, value: bytes) -> None:
        """Write a record."""
        ...

    async def delete(self, space: str, key: bytes) -> None:
        """Delete a record, if it is there."""
        ...


@struct()
class _Waiting(Struct):
    """What waits, in the store."""

    due: UInt64
    content: Opaque


@dataclass(slots=True)
class FairQueue:
    """One queue. `lanes` changes only once a transaction is committed: by `QueueStep.after_commit`."""

    name: str
    quota: ByteQuota
    lanes: Lanes = NO_LANES

    async def load(self, records: Records) -> None:
        """Read the lanes as they were left."""
        stored = await records.get(self.name, _LANES)
        self.lanes = NO_LANES if stored is None else Lanes.decode(stored)

    def step(self, records: Records) -> QueueStep:
        """Begin changing the queue, within a transaction."""
        return QueueStep(self, records)


class QueueStep:
    """What happens to a queue within one transaction."""

    def __init__(self, queue: FairQueue, records: Records) -> None:
        self._queue = queue
        self._records = records
        self._before = queue.lanes
        self.lanes = queue.lanes
        self._new: dict[bytes, _Waiting] = {}

    def push(self, sender: bytes, content: bytes, *, now: int, size: int | None = None, not_before: int = 0) -> None:
        """Let something wait, for as long as the sender's quota says. `size` is what it counts (its own)."""
        counted = len(content) if size is None else size
        self.lanes, lane, due = self.lanes.push(sender, counted, self._queue.quota, now=now, not_before=not_before)
        self._new[_key(lane, lane.end - 1)] = _Waiting(due, content)

    async def pop(self, now: int) -> bytes | None:
        """Take what is to be served next, `None` where nothing is due."""
        lane = self.lanes.next_lane(now)
        if lane is None:
            return None
        key = _key(lane, lane.first)
        taken = self._new.pop(key, None)
        if taken is None:
            taken = await self._stored(key)
            await self._records.delete(self._items, key)
        self.lanes = self.lanes.pop(lane, await self._due(lane))
        return taken.content

    def put_back(self, sender: bytes, content: bytes, *, due: int) -> None:
        """Let what `pop` took last from a sender's lane wait there again, before all others of that sender."""
        self.lanes, lane = self.lanes.put_back(sender, due)
        self._new[_key(lane, lane.first)] = _Waiting(due, content)

    async def save(self, now: int) -> None:
        """Write what has changed and is still waiting."""
        self.lanes = self.lanes.pruned(now)
        for key, waiting in self._new.items():
            await self._records.put(self._items, key, waiting.encode())
        if not self.lanes.is_empty:
            await self._records.put(self._queue.name, _LANES, self.lanes.encode())
        elif not self._before.is_empty:
            await self._records.delete(self._queue.name, _LANES)

    def after_commit(self) -> None:
        """Take the new lanes over."""
        self._queue.lanes = self.lanes

    @property
    def _items(self) -> str:
        return f"{self._queue.name} items"

    async def _due(self, lane: Lane) -> int:
        """Return when the item behind a lane's head is due."""
        following = lane.first + 1
        if following == lane.end:
            return 0
        key = _key(lane, following)
        new = self._new.get(key)
        return (new or await self._stored(key)).due

    async def _stored(self, key: bytes) -> _Waiting:
        value = await self._records.get(self._items, key)
        if value is None:
            raise LookupError(f"{self._queue.name}: what waits is not in the store")
        return _Waiting.decode(value)


def _key(lane: Lane, number: int) -> bytes:
    return encode_opaque(lane.sender) + number.to_bytes(8, "big")
