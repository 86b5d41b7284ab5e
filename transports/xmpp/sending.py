"""Messages on their way to a room and back: one is there when its reflection has come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from transports.errors import TransportError

__all__ = ["Pending", "Receipt"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message came back from its room."""

    archive_id: str | None
    """`None` where the room does not say that it archived it."""


@dataclass(slots=True)
class Pending:
    """Those of one room that have not come back yet."""

    _waiting: dict[str, tuple[int, asyncio.Future[Receipt]]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes of all of them."""
        return sum(size for size, _ in self._waiting.values())

    def expect(self, transaction: str, size: int) -> asyncio.Future[Receipt]:
        """Wait for a message. Two with the same transaction are one."""
        if transaction not in self._waiting:
            future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
            self._waiting[transaction] = (size, future)
        return self._waiting[transaction][1]

    def forget(self, transaction: str) -> None:
        """Wait for a message no longer."""
        _, future = self._waiting.pop(transaction, (0, None))
        if future is not None:
            future.cancel()

    def confirm(self, transaction: str | None, archive_id: str | None) -> None:
        """A message of ours came back."""
        self._settle(transaction, Receipt(archive_id))

    def refuse(self, transaction: str | None, error: TransportError) -> None:
        """The server answered a message with an error."""
        self._settle(transaction, error)

    def fail(self, error: TransportError, *, largest: TransportError | None = None) -> None:
        """Nobody will answer any more; `largest` is for the largest message, if it may be the cause."""
        by_size = sorted(self._waiting, key=lambda transaction: self._waiting[transaction][0], reverse=True)
        for index, transaction in enumerate(by_size):
            self._settle(transaction, largest if largest is not None and index == 0 else error)

    def _settle(self, transaction: str | None, outcome: Receipt | TransportError) -> None:
        _, future = self._waiting.pop(transaction or "", (0, None))
        if future is None or future.done():
            return
        if isinstance(outcome, Receipt):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
