"""Accounts and rooms in memory, and what happens to their connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from transports.errors import RoomNotFoundError
from transports.memory.clock import Clock
from transports.memory.room import MemoryRoom
from transports.memory.rules import RoomKind, RoomRules
from transports.memory.transport import MemoryTransport
from transports.room import Account, RoomAddress

__all__ = ["MemoryNetwork"]

_SERVER = "home"


@dataclass(slots=True)
class _Access:
    """How an account's connection stands."""

    server: str
    is_up: bool = True
    is_revoked: bool = False
    loses_answers: bool = False
    transports: list[MemoryTransport] = field(default_factory=list)


class MemoryNetwork:
    """All rooms and accounts of one world, whatever the scheme of their addresses."""

    def __init__(self, *, clock: Clock, random: Random) -> None:
        self.clock = clock
        self.random = random
        self._rooms: dict[str, MemoryRoom] = {}
        self._access: dict[Account, _Access] = {}

    def create_room(
        self,
        address: RoomAddress,
        *,
        name: str = "",
        kind: RoomKind = RoomKind.MUC,
        rules: RoomRules | None = None,
        servers: Sequence[str] = (_SERVER,),
        members: Sequence[Account] = (),
    ) -> MemoryRoom:
        """Open a room. `members` are in it from the beginning."""
        if address in self._rooms:
            raise ValueError(f"{address} exists already")
        room = MemoryRoom(
            address,
            name=name,
            kind=kind,
            rules=rules or RoomRules(),
            servers=servers,
            server_of=lambda account: self._access_of(account).server,
            clock=self.clock,
            random=self.random,
        )
        self._rooms[address] = room
        for account in members:
            room.invite(account, by=account)
            room.join(account)
        return room

    def room(self, address: str) -> MemoryRoom:
        """Return a room by its address or its name. Raises `RoomNotFoundError`."""
        named = (room for room in self._rooms.values() if room.name == address)
        room = self._rooms.get(address) or next(named, None)
        if room is None:
            raise RoomNotFoundError("there is no such room", where=address)
        return room

    def add_account(self, account: Account, *, server: str = _SERVER) -> None:
        """Say on which homeserver an account is. Others are on one called `home`."""
        self._access[account] = _Access(server)

    def transport(self, account: Account) -> MemoryTransport:
        """Return a client of that account; its network is the scheme of the account's URI."""
        access = self._access_of(account)
        transport = MemoryTransport(self, account)
        access.transports.append(transport)
        return transport

    def disconnect(self, account: Account) -> None:
        """Cut the account's connections. They come back with `reconnect`, by themselves."""
        self._access_of(account).is_up = False
        self._tell(account)

    def reconnect(self, account: Account) -> None:
        """Let the account's connections come back."""
        access = self._access_of(account)
        access.is_up, access.loses_answers = True, False
        self._tell(account)

    def lose_answers(self, account: Account) -> None:
        """Take what the account posts, and lose the answers to it, until `reconnect`."""
        self._access_of(account).loses_answers = True

    def revoke(self, account: Account) -> None:
        """Let the account in no more, as a server does with an expired token."""
        self._access_of(account).is_revoked = True
        self._tell(account)

    # What a transport asks.

    def is_up(self, account: Account) -> bool:
        """Return whether the account's connections work."""
        return self._access_of(account).is_up

    def is_revoked(self, account: Account) -> bool:
        """Return whether the server refuses the account."""
        return self._access_of(account).is_revoked

    def loses_answers(self, account: Account) -> bool:
        """Return whether answers to the account are lost."""
        return self._access_of(account).loses_answers

    def forget(self, transport: MemoryTransport) -> None:
        """Drop a client that has closed."""
        transports = self._access_of(transport.account).transports
        if transport in transports:
            transports.remove(transport)

    def _access_of(self, account: Account) -> _Access:
        return self._access.setdefault(account, _Access(_SERVER))

    def _tell(self, account: Account) -> None:
        for transport in tuple(self._access_of(account).transports):
            transport.connection_changed()
