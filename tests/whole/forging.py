"""A relay that does not do as it should: it posts what it likes, with its own accounts in both rooms."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

import mls
from bridge.member.environment import capabilities, environment
from bridge.protocol.bodies import KeyPackagePurpose, PublishedKeyPackage
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from bridge.protocol.identity import Identity
from tests.whole.scene import BRIDGE, Scene
from transports.room import Account, RelayNote, RoomAddress

__all__ = ["LyingRelay", "key_package_in_the_name_of"]


def key_package_in_the_name_of(account: Account, *, room: RoomAddress, device: str = "mls-bridge") -> bytes:
    """Return an envelope with a KeyPackage of whoever makes it, in another's name."""
    client = capabilities(mls.Client.basic(Identity(account, device).encode(), os.urandom, suite=1))
    lifetime = mls.lifetime_of_days(30, now=int(time.time()))
    bundle = mls.create_key_package(client, environment(os.urandom), lifetime=lifetime)
    body = PublishedKeyPackage(KeyPackagePurpose.ASK, room.encode(), bundle.message.encode())
    return envelope(EnvelopeKind.KEY_PACKAGE, b"", body).encode()


class LyingRelay:
    """The bridge's account on Matrix, in other hands."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._transport = scene.transport(BRIDGE)
        self._posted = 0

    async def __aenter__(self) -> Self:
        await self._transport.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def post(self, data: bytes, *, says_from: tuple[RoomAddress, Account] | None = None) -> None:
        """Post an envelope on Matrix; `says_from` is where, and from whom, the relay claims to have it."""
        self._posted += 1
        note = None
        if says_from is not None:
            room, sender = says_from
            note = RelayNote(room, sender, f"event-{self._posted}", int(time.time() * 1000))
        room = self._scene.matrix_room
        await self._transport.publish(room, data, transaction=f"lie-{self._posted}", note=note)
