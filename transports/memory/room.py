"""A room in memory: who is in it, what may be posted, and which server learns of it when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from transports.errors import ForbiddenError, RateLimitedError, RoomEndedError, TooLargeError
from transports.memory.clock import Clock
from transports.memory.rules import RoomKind, RoomRules
from transports.memory.timeline import Posted, Timeline
from transports.room import (
    Account,
    EnvelopeSeen,
    MalformedSeen,
    Member,
    Membership,
    MembershipSeen,
    Origin,
    PlaintextSeen,
    RelayNote,
    RoomAddress,
    RoomEnded,
    RoomEvent,
)

__all__ = ["MemoryRoom"]

_MAX_BODY = 64 << 10


@dataclass(slots=True)
class _Allowance:
    """What is left of an account's rate."""

    left: float
    at: int


@dataclass(slots=True)
class _Link:
    """The way of events from one homeserver to another."""

    is_cut: bool = False
    cuts: int = 0
    free_at: int = 0
    on_the_way: deque[Posted] = field(default_factory=deque)


class MemoryRoom:
    """Made by `MemoryNetwork.create_room`. The methods that take an account do what a client of that account would."""

    def __init__(
        self,
        address: RoomAddress,
        *,
        name: str,
        kind: RoomKind,
        rules: RoomRules,
        servers: Sequence[str],
        server_of: Callable[[Account], str],
        clock: Clock,
        random: Random,
    ) -> None:
        if not servers or (kind is RoomKind.MUC and len(servers) != 1):
            raise ValueError("a MUC stands on one server, a Matrix room on one or more")
        self.address = address
        self.name = name
        self.kind = kind
        self.rules = rules
        self._home_of = server_of
        self._clock = clock
        self._random = random
        self._timelines = {server: Timeline(address, rules, clock.now) for server in servers}
        self._links = {(here, there): _Link() for here in servers for there in servers if here != there}
        self._members: dict[Account, Membership] = {}
        self._powers: dict[Account, int] = {}
        self._entered: dict[Account, int] = {}
        self._outside: set[Account] = set()
        self._left_at: dict[Account, int] = {}
        self._unlimited: set[Account] = set()
        self._allowances: dict[Account, _Allowance] = {}
        self._transactions: dict[tuple[Account, str], str] = {}
        self._numbers = count(1)
        self._listeners: list[Callable[[], None]] = []
        self._ended: RoomEnded | None = None

    # What the transport asks.

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after each event on any server; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def timeline_of(self, account: Account) -> Timeline:
        """Return the timeline that the account reads."""
        return self._timelines[self.server_of(account)]

    def server_of(self, account: Account) -> str:
        """Return the account's server, or the room's first where the account's own is not in the room."""
        server = self._home_of(account)
        return server if server in self._timelines else next(iter(self._timelines))

    def entered(self, account: Account) -> int:
        """Return the index of the first event that was there with the account in the room."""
        return self._entered.get(account, 0)

    def until(self, account: Account) -> int:
        """Return the index behind the last event that the account may see."""
        end = len(self.timeline_of(account))
        return self._left_at.get(account, end) if account in self._outside else end

    # What accounts do.

    def join(self, account: Account) -> None:
        """Enter. Nothing happens where the account is in already. Raises `ForbiddenError`, `RoomEndedError`."""
        self._require_being()
        membership = self._members.get(account)
        if membership is Membership.JOINED:
            self._let_in(account)
            return
        if membership is Membership.BANNED or not (self.rules.is_open or membership is Membership.INVITED):
            raise ForbiddenError("the room lets this account not in: it is not invited, or banned", where=self.address)
        self._let_in(account)
        self._change(account, Membership.JOINED, by=account)

    def leave(self, account: Account) -> None:
        """Leave for good. Nothing happens where the account is not in."""
        if self._members.get(account) is Membership.JOINED:
            self._outside.add(account)
            self._change(account, Membership.LEFT, by=account)

    def invite(self, account: Account, *, by: Account) -> None:
        """Let an account in: on Matrix an invitation, in a MUC the affiliation of a member, which *is* membership."""
        if self._members.get(account) is not Membership.JOINED:
            self._let_in(account)
            self._change(account, Membership.INVITED if self.kind is RoomKind.MATRIX else Membership.JOINED, by=by)

    def kick(self, account: Account, *, by: Account) -> None:
        """Put an account out. In a MUC it stays a member, and may come back."""
        if self._members.get(account) is Membership.JOINED:
            self._outside.add(account)
            self._change(account, Membership.KICKED, by=by)
            if self.kind is RoomKind.MUC:
                self._members[account] = Membership.JOINED

    def ban(self, account: Account, *, by: Account) -> None:
        """Put an account out, and keep it out."""
        self._outside.add(account)
        self._change(account, Membership.BANNED, by=by)

    def post_envelope(
        self, account: Account, envelope: bytes, *, transaction: str, note: RelayNote | None = None
    ) -> str:
        """Post an envelope and return the event's id. Raises `TransportError`."""
        self._admit(account)
        if len(envelope) > self.rules.envelope_bytes:
            limit = self.rules.envelope_bytes
            raise TooLargeError(f"{len(envelope)} bytes, where {limit} pass", where=self.address, limit=limit)
        known = self._transactions.get((account, transaction))
        if known is not None and self.kind is RoomKind.MATRIX:
            return known
        self._spend(account)
        origin = self._origin(account)
        self._transactions[account, transaction] = origin.event_id
        self._post(account, EnvelopeSeen(origin, envelope, transaction, note))
        return origin.event_id

    def post_plaintext(self, account: Account, text: str) -> None:
        """Write into the room without encryption. Raises `TransportError`."""
        self._admit(account)
        self._spend(account)
        body = text.encode(errors="replace")[:_MAX_BODY].decode(errors="ignore")
        self._post(account, PlaintextSeen(self._origin(account), body))

    def post_malformed(self, account: Account, reason: str) -> None:
        """Post an event that says that it carries an envelope, and does not. Raises `TransportError`."""
        self._admit(account)
        self._spend(account)
        self._post(account, MalformedSeen(self._origin(account), reason))

    def redact(self, event_id: str) -> None:
        """Take an event out of every archive: whoever was not told of it yet never will be."""
        for timeline in self._timelines.values():
            timeline.redact(event_id)

    # What is the case.

    def members(self) -> tuple[Member, ...]:
        """Return all who are in the room or have to do with it."""
        return tuple(
            Member(account, membership, account.partition(":")[2], self._powers.get(account, 0))
            for account, membership in self._members.items()
            if membership in {Membership.JOINED, Membership.INVITED, Membership.BANNED}
        )

    def is_in(self, account: Account) -> bool:
        """Return whether the account is in the room now: a member, and not put out."""
        return self._members.get(account) is Membership.JOINED and account not in self._outside

    def events(self, server: str | None = None) -> tuple[RoomEvent, ...]:
        """Return what one server has, in the order of arrival; by default the room's first."""
        return self._timelines[server or next(iter(self._timelines))].events

    # What operators and weather do.

    def set_power(self, account: Account, power: int) -> None:
        """Give an account a power level."""
        self._powers[account] = power

    def lift_rate(self, account: Account) -> None:
        """Let an account post as fast as it can, as servers let a bridge."""
        self._unlimited.add(account)

    def end(self, reason: str, successor: RoomAddress | None = None) -> None:
        """Be no more: whoever is in is told, and nobody enters or posts."""
        self._ended = RoomEnded(self.address, reason, successor)
        for server in self._timelines:
            self._append(server, Posted(self._ended, self._clock.now(), 0))

    def trim(self, keep: int) -> None:
        """Let the archives forget all events but the newest `keep`, as an operator's clean-up does."""
        for timeline in self._timelines.values():
            timeline.trim(keep)

    def repeat(self, event_id: str) -> None:
        """Tell an event once more, as servers do that lost count. Nothing happens where there is none of that id."""
        for server, timeline in self._timelines.items():
            if (posted := timeline.find(event_id)) is not None:
                self._append(server, posted)

    def cut(self, one: str, other: str) -> None:
        """Part two homeservers: each goes on with its own users, and holds back what is for the other."""
        for pair in ((one, other), (other, one)):
            self._links[pair].is_cut = True
            self._links[pair].cuts += 1

    def heal(self, one: str, other: str) -> None:
        """Join two homeservers again: what was held back arrives."""
        for pair in ((one, other), (other, one)):
            link = self._links[pair]
            if not link.is_cut:
                continue  # what is on the way arrives already
            link.is_cut = False
            for posted in link.on_the_way:
                self._schedule(link, pair[1], posted)

    def _require_being(self) -> None:
        if self._ended is not None:
            what = f"the room is no more: {self._ended.reason}"
            raise RoomEndedError(what, where=self.address, successor=self._ended.successor)

    def _admit(self, account: Account) -> None:
        self._require_being()
        if not self.is_in(account):
            raise ForbiddenError("the account is not in this room", where=self.address)
        if self._powers.get(account, 0) < self.rules.power_to_post:
            raise ForbiddenError("the account may not post in this room", where=self.address)

    def _spend(self, account: Account) -> None:
        rate = self.rules.rate
        if rate is None or account in self._unlimited:
            return
        now = self._clock.now()
        allowance = self._allowances.setdefault(account, _Allowance(rate.burst, now))
        allowance.left = min(rate.burst, allowance.left + (now - allowance.at) * rate.per_second / 1000)
        allowance.at = now
        if allowance.left < 1:
            raise RateLimitedError(
                "the account posts too fast", where=self.address, after=(1 - allowance.left) / rate.per_second
            )
        allowance.left -= 1

    def _change(self, account: Account, membership: Membership, *, by: Account) -> None:
        self._members[account] = membership
        self._post(by, MembershipSeen(self._origin(by), account, membership))

    def _let_in(self, account: Account) -> None:
        self._outside.discard(account)
        self._left_at.pop(account, None)
        self._entered.setdefault(account, len(self.timeline_of(account)))

    def _origin(self, sender: Account) -> Origin:
        return Origin(self.address, f"${next(self._numbers)}", sender, self._clock.now())

    def _post(self, account: Account, event: RoomEvent) -> None:
        here = self.server_of(account)
        posted = Posted(event, self._clock.now(), self._timelines[here].depth + 1)
        self._append(here, posted)
        for (start, there), link in self._links.items():
            if start == here:
                self._send(link, there, posted)

    def _send(self, link: _Link, there: str, posted: Posted) -> None:
        link.on_the_way.append(posted)
        if not link.is_cut:
            self._schedule(link, there, posted)

    def _schedule(self, link: _Link, there: str, posted: Posted) -> None:
        """Let an event that is on the way arrive after a while, unless the link is cut before."""
        cuts = link.cuts

        def arrive() -> None:
            if link.cuts == cuts:
                link.on_the_way.remove(posted)
                self._append(there, posted)

        arrives_at = self._clock.now() + self.rules.federation.draw(self._random)
        if not self.rules.federation_overtakes:
            arrives_at = link.free_at = max(link.free_at, arrives_at)
        self._clock.call_at(arrives_at, arrive)

    def _append(self, server: str, posted: Posted) -> None:
        timeline = self._timelines[server]
        timeline.append(posted)
        match posted.event:
            case MembershipSeen(account=account) if account in self._outside and self.server_of(account) == server:
                self._left_at.setdefault(account, len(timeline))
            case _:
                pass
        for listener in tuple(self._listeners):
            listener()
