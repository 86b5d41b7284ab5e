"""What was shown lately: the numbers by which a person replies, and who wrote what may be edited."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from bridge.content import MessageId, harmless_line
from bridge.conversation import MessageArrived

__all__ = ["Authorship", "Line", "Transcript"]

MAX_LINES: Final = 2000
MAX_EXCERPT: Final = 60


class Authorship(Enum):
    """Whether who replaces a message wrote it."""

    SAME = True
    OTHER = False
    UNKNOWN = None
    """The original was never seen here, or too long ago."""


@dataclass(frozen=True, slots=True)
class Line:
    """A message that was shown."""

    number: int
    id: MessageId
    account: str
    excerpt: str
    """Its beginning, harmless and on one line."""


class Transcript:
    """The last messages, by number and by id."""

    def __init__(self) -> None:
        self._lines: OrderedDict[MessageId, Line] = OrderedDict()
        self._numbers: dict[int, MessageId] = {}
        self._next = 1

    def remember(self, id_: MessageId, account: str, text: str) -> Line:
        """Give a message its number. One that has a number keeps it."""
        if known := self._lines.get(id_):
            return known
        line = Line(self._next, id_, account, harmless_line(text, limit=MAX_EXCERPT))
        self._next += 1
        self._lines[id_] = line
        self._numbers[line.number] = id_
        if len(self._lines) > MAX_LINES:
            _, oldest = self._lines.popitem(last=False)
            del self._numbers[oldest.number]
        return line

    def knows(self, id_: MessageId) -> bool:
        """Whether the message was shown."""
        return id_ in self._lines

    def line(self, id_: MessageId) -> Line | None:
        """Return the message with that id."""
        return self._lines.get(id_)

    def numbered(self, number: int) -> Line | None:
        """Return the message with that number."""
        id_ = self._numbers.get(number)
        return None if id_ is None else self._lines.get(id_)

    def authorship(self, message: MessageArrived) -> Authorship:
        """Return whether the sender of an edit or a deletion wrote what it replaces."""
        original = None if message.replaces is None else self._lines.get(message.replaces)
        if original is None:
            return Authorship.UNKNOWN
        return Authorship.SAME if original.account == message.sender_account else Authorship.OTHER

    def rewrite(self, id_: MessageId, text: str) -> None:
        """Take it that the message says `text` now: replies to it quote that."""
        if known := self._lines.get(id_):
            self._lines[id_] = replace(known, excerpt=harmless_line(text, limit=MAX_EXCERPT))
