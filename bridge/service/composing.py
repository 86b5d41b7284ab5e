"""From a configuration to a service: its accounts, and in each of its rooms the roles that it names.

A role begins once all accounts of its room are in their rooms; until then what happens there is stored, and waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from bridge import __version__
from bridge.accounts import log_in, open_transport
from bridge.config import Config
from bridge.config.accounts import Account as AccountSettings
from bridge.config.rooms import Room
from bridge.conversation import Answer, Request, RequestRefusedError
from bridge.observing.metrics import Metrics
from bridge.order.sealing import SealingSettings
from bridge.order.sequencer import Sequencer, signing_key
from bridge.protocol.bodies import Hello
from bridge.protocol.code_points import MAX_ENVELOPE
from bridge.relay import Counted, Relay, RelaySettings, Side
from bridge.service.account import AccountRunner
from bridge.service.answering import Asked, require_member
from bridge.service.clock import Clock
from bridge.service.control import Object
from bridge.service.entering import WantedRoom
from bridge.service.errors import AccountStoppedError
from bridge.service.publishing import FailedEntry
from bridge.service.service import Service
from bridge.service.status import describe, remember_sides
from bridge.store import Store, StoreKey
from mls.crypto.random import Random
from mls.crypto.signature import SignaturePrivateKey
from transports.errors import PermanentError, RoomEndedError
from transports.room import JoinedRoom

if TYPE_CHECKING:
    from bridge.member.role import MemberRole

__all__ = ["Composition", "open_store"]

log = structlog.get_logger("service")

HISTORY: Final = 30 * 86_400_000
"""Milliseconds of a room's history that an account reads which was never there: for as long as members keep what is
sealed."""

SOFTWARE: Final = f"mls-bridge {__version__}"

_SESSIONS: Final = "login sessions"


async def open_store(config: Config, key: bytes, clock: Clock) -> Store:
    """Open the database: with a place for a member's keys only where this process is a member. Raises `StoreError`."""
    if any(room.member is not None for room in config.rooms.values()):
        # Relay and sequencer load nothing that could hold a key of a group.
        from bridge.store.member import MemberStore  # noqa: PLC0415 - see above

        return await MemberStore.open(config.store.path, StoreKey(key), now=clock.now())
    return await Store.open(config.store.path, StoreKey(key), now=clock.now())


class Composition(Asked):
    """What a configuration asks for, in a service."""

    def __init__(
        self, config: Config, service: Service, store: Store, *, clock: Clock, random: Random, metrics: Metrics
    ) -> None:
        self._config = config
        self._service = service
        self._store = store
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self.accounts: dict[str, AccountRunner] = {}
        self._members: dict[str, MemberRole] = {}
        self._sequencers: dict[str, Sequencer] = {}
        self.on_member: Callable[[MemberRole, AccountRunner, JoinedRoom], Callable[[FailedEntry], None]] | None = None
        """Told of each member before it begins; returns who is to be told what cannot be published for it."""

    async def add_accounts(self) -> None:
        """Add all accounts that are in a room. Raises `SecretError`, `PermanentError`, `StoreError`."""
        since = self._clock.now() - HISTORY
        for name, account in self._config.accounts.items():
            wanted = [
                WantedRoom(room_name, side.room, since)
                for room_name, room in self._config.rooms.items()
                for side in room.sides
                if side.account == name
            ]
            if wanted:
                await self._add_account(name, account, wanted)

    async def add_roles(self) -> None:
        """Add the roles of each room as soon as its accounts are there. Ends when all are added; may be cancelled."""
        complete = await asyncio.gather(*(self._add_room(name, room) for name, room in self._config.rooms.items()))
        self._service.forgets = all(complete)

    async def report(self) -> Object:
        async with self._store.transaction() as tx:
            warnings = {name: sequencer.warning for name, sequencer in self._sequencers.items()}
            return await describe(tx, self._config, self._service.readiness(), self.accounts, self._members, warnings)

    async def do(self, room: str, request: Request) -> Answer:
        role = self._member(room)
        from bridge.service.members import do, link  # noqa: PLC0415 - see `_add_member`

        runner = self.accounts[require_member(self._config, room)]
        return await do(self._service, role, request, [link(runner.network, runner.state)])

    async def history(self, room: str, limit: int, before: int) -> list[Object]:
        role = self._member(room)
        from bridge.service.members import history_of  # noqa: PLC0415 - see `_add_member`

        async with self._store.transaction() as tx:
            return await history_of(tx, role, limit, before)

    async def forget(self, room: str) -> None:
        role = self._member(room)
        from bridge.service.members import forget_history  # noqa: PLC0415 - see `_add_member`

        async with self._store.transaction() as tx:
            await forget_history(tx, role, now=self._clock.now())

    def _member(self, room: str) -> MemberRole:
        """Return a room's member. Raises `RequestRefusedError`."""
        account = require_member(self._config, room)
        role = self._members.get(room)
        if role is None or not role.has_started:
            raise RequestRefusedError(
                f"The account {account} is not in the room yet.",
                next_step="`mls-bridge status` says what it waits for.",
            )
        return role

    async def _add_account(self, name: str, account: AccountSettings, wanted: list[WantedRoom]) -> None:
        async with self._store.transaction() as tx:
            session = await tx.records.get(_SESSIONS, name.encode())
        sessions: list[bytes] = []
        transport = open_transport(account, session=session, on_session=sessions.append)

        async def enter() -> None:
            await log_in(transport, account)
            if sessions and sessions[-1] != session:
                async with self._store.transaction() as tx:
                    await tx.records.put(_SESSIONS, name.encode(), sessions[-1])

        self.accounts[name] = self._service.add_account(name, transport, wanted, log_in=enter)

    async def _add_room(self, name: str, room: Room) -> bool:
        """Add a room's roles. Returns whether they are there, or never will be."""
        try:
            joined = dict(
                zip(
                    (side.account for side in room.sides),
                    await asyncio.gather(*(self._joined(side.account, side.room) for side in room.sides)),
                    strict=True,
                )
            )
        except AccountStoppedError as error:
            log.warning("room not served", room=name, reason=str(error))
            return False
        except RoomEndedError as error:
            log.warning("room not served", room=name, reason=str(error))
            return True  # nobody will ever need what happened in it: other rooms' events may be forgotten
        sides = {account: Side(self.accounts[account].account, one.address) for account, one in joined.items()}
        home = room.home_side.account
        ordered = [sides[home], *(side for account, side in sides.items() if account != home)]
        async with self._store.transaction() as tx:
            await remember_sides(tx, name, sides)
        await self._add_bridge(name, room, ordered, joined[home])
        if room.member is not None:
            self._add_member(name, room, sides[room.member.account], joined[room.member.account])
        log.info("serving", room=name, relay=room.relay, sequencer=room.sequencer, member=room.member is not None)
        return True

    async def _joined(self, account: str, address: str) -> JoinedRoom:
        """Wait until the account is there, however often the server refuses.

        Raises `AccountStoppedError`, `RoomEndedError`.
        """
        while True:
            try:
                return await self.accounts[account].joined(address)
            except RoomEndedError:
                raise
            except PermanentError:
                continue  # said already, and tried again after a while

    async def _add_bridge(self, name: str, room: Room, sides: list[Side], home: JoinedRoom) -> None:
        """Add relay and sequencer. The first side is that of the home room."""
        key = None
        if room.sequencer:
            async with self._store.transaction() as tx:
                key = await signing_key(tx, home.address, self._random)
        public_key = b"" if key is None else key.public_key
        rooms = tuple(side.room for side in sides)
        if room.relay:
            # Before the sequencer: what both are told of is copied first, for somebody waits for it.
            settings = RelaySettings(link=name, software=SOFTWARE, rooms=rooms, sequencer_key=public_key)
            for side in sides:
                self._service.add_consumer(self._relay(name, side, sides, settings), role="relay", room_name=name)
        if key is not None:
            hello = Hello(SOFTWARE.encode(), tuple(one.encode() for one in rooms), public_key, MAX_ENVELOPE)
            self._add_sequencer(name, room, sides[0], home, key, hello)

    def _add_sequencer(
        self, name: str, room: Room, side: Side, home: JoinedRoom, key: SignaturePrivateKey, hello: Hello
    ) -> None:
        sequencer = Sequencer(
            side.account,
            home.address,
            key=key,
            hello=hello,
            settings=SealingSettings(max_event=home.limits.envelope_bytes, group_id=room.group_id),
            random=self._random,
            on_seal=lambda _count: self._metrics.seals.labels(name).inc(),
            on_shown=lambda delay: self._metrics.seal_delay.labels(name).observe(delay / 1000),
        )
        self._sequencers[name] = sequencer

        def on_failed(failed: FailedEntry) -> None:
            if not failed.is_held:
                sequencer.publishing_failed(failed.entry, failed.reason)

        self._service.add_consumer(
            sequencer, role="sequencer", room_name=name, on_failed=on_failed, alarm=lambda: sequencer.alarm
        )

    def _relay(self, name: str, source: Side, sides: list[Side], settings: RelaySettings) -> Relay:
        in_room = {side.account for side in self._config.rooms[name].sides}
        by_account = {self.accounts[one].account: self.accounts[one] for one in in_room}
        network = by_account[source.account].network

        def count(what: Counted, number: int) -> None:
            if what is Counted.COPIED:
                self._metrics.relayed.labels(name, network).inc(number)
            elif what is Counted.CLAIMED:
                self._metrics.claims.labels(name, network).inc(number)
            elif what in {Counted.PLAINTEXT, Counted.TOO_LARGE}:  # the others are no envelopes, or counted on arrival
                self._metrics.refused.labels(name, what.value).inc(number)

        return Relay(
            source,
            [side for side in sides if side != source],
            settings,
            random=self._random,
            is_live=lambda side: by_account[side.account].has_read(side.room),
            has_ended=lambda side: by_account[side.account].has_ended(side.room),
            count=count,
        )

    def _add_member(self, name: str, room: Room, side: Side, joined: JoinedRoom) -> None:
        # A process that is no member must not even load what could hold a key.
        from bridge.service.members import epoch_of, make_member  # noqa: PLC0415 - see above

        role = make_member(room, side, self._random, history=self._config.store.history)
        self._members[name] = role
        self._metrics.epoch.labels(name).set_function(lambda: epoch_of(role))
        tell = None
        if self.on_member is not None and room.member is not None:
            tell = self.on_member(role, self.accounts[room.member.account], joined)

        def on_failed(failed: FailedEntry) -> None:
            role.publishing_failed(failed)
            if tell is not None:
                tell(failed)

        self._service.add_consumer(role, role="member", room_name=name, on_failed=on_failed)
