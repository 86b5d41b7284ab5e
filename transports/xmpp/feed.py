"""What a room told and nobody has asked for yet: in order, without duplicates, and bounded. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

from transports.xmpp.events import Heard
from transports.xmpp.occupants import AffiliationTold, Destroyed, Kicked

__all__ = ["MOST_BYTES", "MOST_ITEMS", "Feed", "Item"]

MOST_ITEMS: Final = 2_000
MOST_BYTES: Final = 16 * 1024 * 1024

_REMEMBERED: Final = 2_000

Item = Heard | AffiliationTold | Kicked | Destroyed


class Gap:
    """Here something may be missing: we were not in the room."""


class Feed:
    """A queue between the stream, which does not wait, and a reader, who may be slow.

    While the archive is read, live messages wait here; what the archive brings as well is dropped. When the queue is
    full it is emptied: `has_overflown` tells the reader to go to the archive for what was in it.
    """

    def __init__(self) -> None:
        self.has_overflown = False
        self._items: deque[Item | Gap] = deque()
        self._bytes = 0
        self._archived: dict[str, None] = {}
        """Ids that the archive brought lately, in the order in which it did."""

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Add what the room told now."""
        if isinstance(item, Heard) and item.archive_id is not None and item.archive_id in self._archived:
            return
        size = _size(item)
        if len(self._items) >= MOST_ITEMS or self._bytes + size > MOST_BYTES:
            self.clear()
            self.has_overflown = True
        self._items.append(item)
        self._bytes += size

    def put_gap(self) -> None:
        """Note that what comes from now on does not follow what was put before."""
        self._items.append(Gap())

    def put_first(self, items: Iterable[AffiliationTold]) -> None:
        """Add what was true before all that waits here. It never overflows: no room has members without end."""
        told = list(items)
        self._items.extendleft(reversed(told))
        self._bytes += sum(map(_size, told))

    def drop(self, archive_ids: Collection[str]) -> None:
        """Forget what the archive has brought, now and if it comes again."""
        known = set(archive_ids)
        kept = [item for item in self._items if not (isinstance(item, Heard) and item.archive_id in known)]
        self._items = deque(kept)
        self._bytes = sum(map(_size, kept))
        for each in archive_ids:
            self._archived.pop(each, None)
            self._archived[each] = None
        for each in list(self._archived)[: max(0, len(self._archived) - _REMEMBERED)]:
            del self._archived[each]

    def take(self, most: int) -> tuple[list[Item], bool]:
        """The next items, taken out, and whether a gap comes after them."""
        taken: list[Item] = []
        while self._items and len(taken) < most:
            item = self._items.popleft()
            if isinstance(item, Gap):
                return taken, True
            taken.append(item)
            self._bytes -= _size(item)
        return taken, False

    def clear(self) -> None:
        """Forget everything that waits."""
        self._items.clear()
        self._bytes = 0


def _size(item: Item | Gap) -> int:
    if isinstance(item, Gap):
        return 0
    return item.size if isinstance(item, Heard) else 200
