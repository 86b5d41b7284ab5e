"""One room that the account is in: entering it, staying in it, hearing it, and speaking in it (XEP-0045)."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Final

import structlog

from transports.carriers import XMPP_MAX_ENVELOPE
from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    PermanentError,
    RetryableError,
    RoomEndedError,
    RoomNotFoundError,
    TransportError,
    UnsuitableRoomError,
)
from transports.room import Account, JoinedRoom, Limits, Member, Membership, Origin, RoomAddress
from transports.xmpp.connection import Connection
from transports.xmpp.elements import (
    CLIENT,
    DISCO_INFO,
    MUC,
    MUC_ADMIN,
    MUC_OWNER,
    MUC_USER,
    PING,
    Element,
    bare_and_resource,
    child,
    children,
    element,
    error_of,
)
from transports.xmpp.errors import StanzaRefusedError, refusal
from transports.xmpp.events import Heard, archive_id_of, event_of
from transports.xmpp.feed import Feed
from transports.xmpp.occupants import (
    AFFILIATIONS,
    AffiliationTold,
    Destroyed,
    Entered,
    EntryRefused,
    Kicked,
    Left,
    Occupants,
    Told,
)
from transports.xmpp.pace import Pace
from transports.xmpp.sending import Pending, Receipt
from transports.xmpp.setup import RoomSetup, require_suitable
from transports.xmpp.uris import account_of, address_of_room

__all__ = ["Room", "read_setup"]

_TRANSACTION: Final = re.compile("[A-Za-z0-9_-]{1,64}")
_NICKNAMES: Final = 20
_OVERHEAD: Final = 6_000
"""Bytes of a stanza beside the envelope in base64: addresses, hints, a note, a body."""

_CONFIGURATION_CHANGED: Final = frozenset({"104", "172", "173", "174"})

_LOG = structlog.get_logger(__name__)


class Room:
    """A room, over as many connections as it takes."""

    def __init__(self, jid: str, *, nickname: str, account: Account, history_since: int, pace: Pace) -> None:
        self.jid = jid
        self.address: RoomAddress = address_of_room(jid)
        self.history_since = history_since
        self.setup = RoomSetup("", frozenset())
        self.feed = Feed()
        self.pending = Pending()
        self.is_behind = True
        """Whether the archive has to be read before what the feed holds."""
        self.has_gap = False
        """Whether something may be missing that no archive has."""
        self.wants_members = False
        """Whether the list of members has to be read, for what it tells that nobody saw happen."""
        self.was_read = False
        """Whether anything of it was told since this process began."""
        self.needs_body = False
        """Whether the archive keeps no message without a body: found out by the first one that we send."""
        self.out_because: TransportError | None = None
        """Why we are not in the room; `None` before the first try, and while we are."""
        self.losses = 0
        """How often we were put out of the room, or may have been."""
        self.is_gone = False
        """Whether the room was destroyed."""
        self.has_changed = False
        """Whether the room said that its configuration changed."""
        self.stirred = asyncio.Event()
        """Set when whoever keeps us in the room has to look."""
        self._nickname = nickname
        self._account = account
        self._pace = pace
        self._occupants = Occupants(nickname)
        self._entry: asyncio.Future[Entered] | None = None
        self._last_heard = 0.0
        self._unarchived = 0
        self._is_admitted = False

    @property
    def is_inside(self) -> bool:
        """Whether we are in the room, as far as we know."""
        return self._occupants.is_inside and self._is_admitted

    @property
    def has_news(self) -> bool:
        """Whether there is something to be told, now or once we are in the room again."""
        if isinstance(self.out_because, PermanentError):
            return (self.is_gone or not self.is_behind) and len(self.feed) > 0
        return self.is_behind or self.wants_members or len(self.feed) > 0 or self.feed.has_overflown

    @property
    def joined(self) -> JoinedRoom:
        """What a caller is told of the room."""
        return JoinedRoom(self.address, self.setup.name, Limits(self._envelope_bytes))

    def silent_for(self, now: float) -> float:
        """For how many seconds the room has said nothing."""
        return now - self._last_heard

    async def enter(self, connection: Connection) -> None:
        """Enter the room, with another nickname if ours is taken.

        Raises `RoomNotFoundError`, `ForbiddenError`, `UnsuitableRoomError`, `RetryableError`.
        """
        # Whoever enters a room that does not exist makes it: so ask for it first.
        self.setup = await read_setup(connection, self.jid)
        require_suitable(self.setup, where=self.jid)
        self._envelope_bytes = min(XMPP_MAX_ENVELOPE, (connection.max_stanza_bytes - _OVERHEAD) // 4 * 3)
        for attempt in range(_NICKNAMES):
            nickname = self._nickname if attempt == 0 else f"{self._nickname}-{attempt + 1}"
            try:
                entered = await self._enter_as(connection, nickname)
            except StanzaRefusedError as error:
                if error.condition == "conflict":
                    continue
                raise refusal(error) from error
            if entered.created:
                await self._unmake(connection)
                raise RoomNotFoundError("there is no such room", where=self.jid)
            if entered.affiliation not in AFFILIATIONS:
                # ejabberd 23.01 lets in who comes back right after being removed.
                not_a_member = ForbiddenError("the account is not a member of the room", where=self.jid)
                self.exit(connection, not_a_member)
                raise not_a_member
            self.out_because, self._is_admitted = None, True
            return
        raise ForbiddenError(f"all nicknames like {self._nickname!r} are taken", where=self.jid)

    async def inspect(self, connection: Connection) -> None:
        """Read the configuration again, and leave a room that no group can work in any more.

        Raises as `enter` does.
        """
        self.has_changed = False
        self.setup = await read_setup(connection, self.jid)
        try:
            require_suitable(self.setup, where=self.jid)
        except UnsuitableRoomError as error:
            self.exit(connection, error)
            raise

    def exit(self, connection: Connection, reason: TransportError) -> None:
        """Leave the room, if we are in it."""
        if self._occupants.is_inside:
            own = f"{self.jid}/{self._occupants.own_nickname}"
            with contextlib.suppress(ConnectionLostError):
                connection.send(element(CLIENT, "presence", type="unavailable", to=own))
        self.lose(reason)

    def lose(self, reason: TransportError) -> None:
        """Note that we are not in the room any more, and tell who waits for something from it."""
        self.losses += 1
        self._is_admitted = False
        self._occupants = Occupants(self._nickname)
        self.out_because = reason
        if not self.is_behind:
            self.feed.put_gap()
        self.has_gap = self.has_gap or not self.setup.has_archive
        self.pending.fail(ConnectionLostError(f"nobody knows whether it arrived: {reason.what}", where=self.jid))
        self._refuse_entry(reason)
        self.stirred.set()

    def end(self, successor: RoomAddress | None) -> None:
        """Note that the room was destroyed."""
        self.is_gone = True
        self.feed.put(Destroyed(successor))
        self.lose(RoomEndedError("the room was destroyed", where=self.jid, successor=successor))

    async def confirm(self, connection: Connection) -> None:
        """Find out whether we are still in the room (XEP-0410), as servers forget without a word."""
        try:
            own = f"{self.jid}/{self._occupants.own_nickname}"
            await connection.request("get", own, element(PING, "ping"), within=self._pace.pong_within)
        except StanzaRefusedError as error:
            # The others mean that our own client, or another one of this account, was reached and did not understand.
            if error.condition in {"not-acceptable", "item-not-found", "remote-server-not-found"}:
                self.lose(ConnectionLostError("the room has forgotten us", where=self.jid))
        self._last_heard = asyncio.get_running_loop().time()

    async def affiliations(self, connection: Connection) -> dict[Account, tuple[str, str]]:
        """The members of the room, in it or not: the affiliation of each, and a nickname if there is one.

        Raises `ForbiddenError`, `RetryableError`.
        """
        found: dict[Account, tuple[str, str]] = {}
        for affiliation in AFFILIATIONS:
            query = element(MUC_ADMIN, "query", element(MUC_ADMIN, "item", affiliation=affiliation))
            try:
                answer = await connection.request("get", self.jid, query)
            except StanzaRefusedError as error:
                raise refusal(error) from error
            for item in children(child(answer, MUC_ADMIN, "query"), MUC_ADMIN, "item"):
                account = account_of(item.get("jid"))
                if account is not None and item.get("affiliation", affiliation) == affiliation:
                    nickname = self._occupants.nickname(account) or item.get("nick") or ""
                    found.setdefault(account, (affiliation, nickname[:256]))
        return found

    async def members(self, connection: Connection) -> tuple[Member, ...]:
        """The members as the interface shows them. Raises as `affiliations` does."""
        found = await self.affiliations(connection)
        return tuple(
            Member(account, Membership.JOINED, nickname, AFFILIATIONS[affiliation])
            for account, (affiliation, nickname) in sorted(found.items())
        )

    async def deliver(self, connection: Connection, message: Element) -> Receipt:
        """Send a message and wait for it to come back; its id is its transaction.

        Raises what the room answered, `RetryableError` where nobody knows whether it arrived, `TooLargeError`.
        """
        transaction = message.get("id") or ""
        if _TRANSACTION.fullmatch(transaction) is None:
            raise ValueError("a transaction has up to 64 letters, digits, '-' and '_'")
        if self.out_because is not None:
            raise _refused_because(self.out_because)
        receipt = self.pending.expect(transaction, sum(len(part.text or "") for part in message.iter()))
        try:
            connection.send(message)
            async with asyncio.timeout(self._pace.receipt_within(self.pending.size)):
                return await asyncio.shield(receipt)
        except TimeoutError as error:
            raise RetryableError("nobody knows whether it arrived: it did not come back", where=self.jid) from error
        finally:
            self.pending.forget(transaction)

    def on_stanza(self, stanza: Element, *, at: int) -> None:
        """Take what the room sent."""
        self._last_heard = asyncio.get_running_loop().time()
        if stanza.tag == f"{{{CLIENT}}}presence":
            for told in self._occupants.on_presence(stanza):
                self._on_told(told)
        else:
            self._on_message(stanza, at)

    def _on_message(self, message: Element, at: int) -> None:
        nickname = bare_and_resource(message.get("from"))[1]
        match message.get("type"):
            case "error":
                error = StanzaRefusedError(*error_of(message), where=self.jid)
                self.pending.refuse(message.get("id"), refusal(error))
                if error.condition == "not-acceptable" and not nickname:
                    self.lose(refusal(error))
            case "groupchat" if nickname:
                self._on_spoken(message, nickname, at)
            case _ if not nickname:
                self._on_notice(message)
            case _:
                pass  # a private message: nothing of ours comes that way

    def _on_spoken(self, message: Element, nickname: str, at: int) -> None:
        own = nickname == self._occupants.own_nickname
        sender = self._account if own else self._occupants.account(nickname)
        archive_id = archive_id_of(message, self.jid) if self.setup.has_stanza_ids else None
        self._unarchived += archive_id is None
        event_id = archive_id or f"unarchived-{at}-{self._unarchived}"
        origin = Origin(self.address, event_id, sender, at)
        self.feed.put(Heard(archive_id, event_of(message, origin=origin, own=self._account)))
        if own:
            self.pending.confirm(message.get("id"), archive_id)

    def _on_notice(self, message: Element) -> None:
        """What the room itself says: affiliations of those who are not in it, changes of its configuration."""
        codes = {status.get("code") for status in children(child(message, MUC_USER, "x"), MUC_USER, "status")}
        if codes & _CONFIGURATION_CHANGED:
            self.has_changed = True
            self.stirred.set()
        for told in self._occupants.on_affiliation(message):
            self._on_told(told)

    def _on_told(self, told: Told) -> None:
        match told:
            case Entered():
                if self._entry is not None and not self._entry.done():
                    self._entry.set_result(told)
            case EntryRefused(condition, text, instead):
                self._refuse_entry(StanzaRefusedError(condition, text, instead, where=self.jid))
            case AffiliationTold() | Kicked():
                self.feed.put(told)
            case Left(reason):
                self.lose(ConnectionLostError(f"out of the room: {reason}", where=self.jid))
            case Destroyed(successor):
                self.end(successor)

    async def _enter_as(self, connection: Connection, nickname: str) -> Entered:
        self._occupants = Occupants(nickname)
        self._entry = asyncio.get_running_loop().create_future()
        join = element(MUC, "x", element(MUC, "history", maxstanzas="0"))  # the archive has the history
        try:
            connection.send(element(CLIENT, "presence", join, to=f"{self.jid}/{nickname}"))
            async with asyncio.timeout(self._pace.answer_within):
                return await self._entry
        except TimeoutError as error:
            raise ConnectionLostError("the room does not answer", where=self.jid) from error
        finally:
            self._entry = None

    def _refuse_entry(self, reason: TransportError) -> None:
        if self._entry is not None and not self._entry.done():
            self._entry.set_exception(reason)

    async def _unmake(self, connection: Connection) -> None:
        """Destroy the room that we made by entering: it was not there."""
        destroy = element(MUC_OWNER, "query", element(MUC_OWNER, "destroy"))
        try:
            await connection.request("set", self.jid, destroy)
        except StanzaRefusedError:
            _LOG.warning("a room was made by mistake, and stays")
            self.exit(connection, RoomNotFoundError("there is no such room", where=self.jid))

    _envelope_bytes = XMPP_MAX_ENVELOPE


def _refused_because(out: TransportError) -> TransportError:
    """What a message meets in a room that we are not in: it is the room that refuses, whatever it said."""
    if isinstance(out, RetryableError | ForbiddenError | RoomNotFoundError | UnsuitableRoomError):
        return out
    return ForbiddenError(f"the account is not in the room: {out.what}", where=out.where)


async def read_setup(connection: Connection, room: str) -> RoomSetup:
    """How a room is set up, by what it says. Raises `RoomNotFoundError`, `ForbiddenError`, `RetryableError`."""
    try:
        info = await connection.request("get", room, element(DISCO_INFO, "query"))
    except StanzaRefusedError as error:
        # A service that is not there, or is no chat service, answers for its rooms like this.
        if error.condition in {"service-unavailable", "feature-not-implemented"}:
            raise RoomNotFoundError(f"there is no such room ({error.what})", where=room) from error
        raise refusal(error) from error
    setup = RoomSetup.read(info)
    if MUC not in setup.features:
        raise RoomNotFoundError("is no chat room", where=room)
    return setup
