"""Which of several relays between the same rooms copies. Pure.

Relays know each other by their `hello` in the room that they copy from. Of those that link the same two rooms one has
the turn, the same for all of them: the lowest by a hash. The others stand by, each a little longer than the one before,
and copy what is not on the other side by then. A relay that let its turn pass is left out for a while: it stopped, or
says that it is a relay and is none.

Whoever posts a false `hello` can thereby delay a room's envelopes by `STAND_BY` once in `LEFT_OUT`. Two relays that do
not know each other yet both copy: receivers drop the second copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mls.codec import Opaque, Struct, struct
from transports.room import Account, RoomAddress

__all__ = ["LEFT_OUT", "MAX_RELAYS", "STAND_BY", "Turns", "decode_relays", "encode_relays"]

STAND_BY: Final = 2_000
"""Milliseconds that a relay waits for the one before it."""

LEFT_OUT: Final = 600_000
"""Milliseconds for which a relay that let its turn pass is not waited for."""

MAX_RELAYS: Final = 8
"""The most other relays that are remembered for a room."""


@dataclass(frozen=True, slots=True)
class Turns:
    """What one relay knows of others in the room that it copies from."""

    room: RoomAddress
    account: Account
    """The relay itself."""
    relays: Mapping[Account, frozenset[RoomAddress]] = field(default_factory=dict)
    """The others, and the rooms that they link."""
    left_out: Mapping[Account, int] = field(default_factory=dict)
    """Until when."""

    def meet(self, account: Account, rooms: frozenset[RoomAddress]) -> Turns:
        """Remember another relay. Beyond `MAX_RELAYS`, new ones are not taken in."""
        if account == self.account or self.room not in rooms or len(rooms) < _LEAST_ROOMS:
            return self
        if account not in self.relays and len(self.relays) >= MAX_RELAYS:
            return self
        return replace(self, relays={**self.relays, account: rooms})

    def wait(self, target: RoomAddress, now: int) -> int:
        """Return for how many milliseconds to stand by before copying to `target`."""
        return STAND_BY * len(self._before(target, now))

    def passed(self, target: RoomAddress, now: int) -> Turns:
        """Leave those out who were before this relay and have not copied."""
        until = dict.fromkeys(self._before(target, now), now + LEFT_OUT)
        return replace(self, left_out={**self.left_out, **until}) if until else self

    def returned(self, target: RoomAddress) -> Turns:
        """Wait again for those who link the target: somebody copied there before this relay did."""
        kept = {who: until for who, until in self.left_out.items() if target not in self.relays.get(who, frozenset())}
        return replace(self, left_out=kept) if len(kept) < len(self.left_out) else self

    def _before(self, target: RoomAddress, now: int) -> list[Account]:
        own = self._place(self.account, target)
        return [
            account
            for account, rooms in self.relays.items()
            if target in rooms and self.left_out.get(account, 0) <= now and self._place(account, target) < own
        ]

    def _place(self, account: Account, target: RoomAddress) -> bytes:
        return hashlib.sha256(f"{self.room} {target} {account}".encode()).digest()


_LEAST_ROOMS = 2


@struct()
class _Relay(Struct):
    """Another relay, in the store."""

    account: Opaque
    rooms: tuple[Opaque, ...]


@struct()
class _Relays(Struct):
    """All of them."""

    relays: tuple[_Relay, ...]


def encode_relays(relays: Mapping[Account, frozenset[RoomAddress]]) -> bytes:
    """Return what is stored of other relays."""
    stored = (
        _Relay(account.encode(), tuple(room.encode() for room in sorted(rooms))) for account, rooms in relays.items()
    )
    return _Relays(tuple(stored)).encode()


def decode_relays(data: bytes) -> dict[Account, frozenset[RoomAddress]]:
    """Return what was stored."""
    return {
        Account(relay.account.decode()): frozenset(RoomAddress(room.decode()) for room in relay.rooms)
        for relay in _Relays.decode(data).relays
    }
