"""Reading a room's archive (XEP-0313) from a known message on, so that what is missing is noticed.

"After this id" is not enough of a question: for an id that it does not know, Prosody answers `item-not-found`, but
ejabberd with the archive's first page, and for one that has expired with whatever came later. So the answer is proven
once per catch-up: *the message right before the first new one must be the last one that we know*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from transports.xmpp.elements import DATA_FORMS, MAM, RSM, Element, child, element, stamp
from transports.xmpp.errors import StanzaRefusedError
from transports.xmpp.events import ArchivedMessage

if TYPE_CHECKING:
    from transports.xmpp.connection import Connection

__all__ = ["PAGE", "CatchUp", "Page", "Step", "read_page"]

PAGE: Final = 50
"""Messages to a page: the most that Prosody gives by default."""

_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Page:
    """What an archive answered."""

    messages: tuple[ArchivedMessage, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a catch-up brought."""

    messages: tuple[ArchivedMessage, ...]
    lost: str | None
    """Why messages may be missing before these; `None` where none are."""
    is_done: bool


class CatchUp:
    """The way from one message to the end of the archive, a page at a time."""

    def __init__(self, room: str, *, last: str | None, since: int) -> None:
        """`last`: the id of the last message that is known; without it, begin at `since` (ms since 1970)."""
        self._room = room
        self._after = last
        self._since = since
        self._is_proven = last is None

    async def step(self, connection: Connection) -> Step:
        """Read on. Raises `StanzaRefusedError` and `RetryableError`; the same step can then be tried again."""
        try:
            page = await read_page(connection, self._room, after=self._after, since=self._since)
            proven = self._is_proven or await self._follows(connection, page)
        except StanzaRefusedError as error:
            if error.condition != "item-not-found" or self._after is None:
                raise
            return self._begin_again("the room's archive no longer holds the last message that was read")
        if not page.messages and not proven:
            return self._begin_again("the room's archive was emptied, or is another one")
        lost = None if proven else "the room's archive no longer reaches back to the last message that was read"
        self._is_proven = True
        if not page.messages or page.messages[-1].archive_id == self._after:
            return Step((), lost, is_done=True)
        self._after = page.messages[-1].archive_id
        return Step(page.messages, lost, page.is_last)

    async def _follows(self, connection: Connection, page: Page) -> bool:
        """Whether the page continues right behind the last message that is known."""
        for _ in range(_ATTEMPTS):
            first = page.messages[0].archive_id if page.messages else ""
            before = await read_page(connection, self._room, before=first, limit=1)
            if before.messages and before.messages[-1].archive_id == self._after:
                return True
            if page.messages:
                return False
            # Nothing came after the known message, and something else is the last one: it may just have been said.
            page = await read_page(connection, self._room, after=self._after)
        return False

    def _begin_again(self, lost: str) -> Step:
        """What the archive still has is all newer than what it has dropped."""
        self._after, self._since, self._is_proven = None, 0, True
        return Step((), lost, is_done=False)


async def read_page(
    connection: Connection,
    room: str,
    *,
    after: str | None = None,
    before: str | None = None,
    since: int = 0,
    limit: int = PAGE,
) -> Page:
    """One page: behind `after`, or the one that ends in front of `before` (empty: the last one), or from `since` on."""
    start = stamp(since) if since and after is None and before is None else None
    messages, fin = await connection.query_archive(
        room,
        _form(start),
        element(
            RSM,
            "set",
            element(RSM, "max", str(limit)),
            None if after is None else element(RSM, "after", after),
            None if before is None else element(RSM, "before", before),
        ),
    )
    return Page(tuple(messages), child(fin, MAM, "fin") is None or _is_complete(fin))


def _form(start: str | None) -> Element | None:
    if start is None:
        return None
    return element(
        DATA_FORMS,
        "x",
        element(DATA_FORMS, "field", element(DATA_FORMS, "value", MAM), var="FORM_TYPE", type="hidden"),
        element(DATA_FORMS, "field", element(DATA_FORMS, "value", start), var="start"),
        type="submit",
    )


def _is_complete(answer: Element) -> bool:
    fin = child(answer, MAM, "fin")
    return fin is not None and fin.get("complete") in {"true", "1"}
