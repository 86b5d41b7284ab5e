"""Where all of it is measured: one Synapse, one Prosody, and rooms on them for us and for bare clients.

===============  =======================================================================================
rooms            who is in them
===============  =======================================================================================
ours, alone      Alice and Bob on Matrix, Carol and Dave on XMPP: two groups, in the order of their rooms
ours, across     Alice on Matrix and Carol on XMPP: one group, through `mls-bridge run`
bare, alone      the same four, in clear
bare, across     the same two, in clear, through a bare relay (`tests.benchmarks.servers.copier`)
===============  =======================================================================================

The bridge and the bare relay are processes of their own; everybody else is in this one, so that one clock times both
ends. Nobody does anything while somebody else is timed, but for what follows from the message itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge.conversation import (
    DeliveryChanged,
    DeliveryState,
    Joined,
    MessageArrived,
    RequestRefusedError,
    Verify,
)
from bridge.library import EncryptedRoom, open_room
from bridge.member.settings import MemberSettings
from bridge.protocol.code_points import Mode
from bridge.servers import Prosody, Synapse, SynapseServer, XmppServer
from tests.benchmarks.servers.bare import BareClient, BareMatrix, BareXmpp, Hear
from tests.benchmarks.servers.cargo import TEXT, Cargo
from tests.benchmarks.servers.hearing import PATIENCE, Ear
from tests.whole.people import Diary, Person, introduce
from tests.whole.scene import BRIDGE, KEY, PASSWORD, Scene, linked_rooms
from transports.matrix import MatrixTransport, TokenLogin
from transports.room import Network, Transport
from transports.xmpp import XmppTransport

__all__ = [
    "PEOPLE",
    "BarePlace",
    "MemberPlace",
    "Place",
    "Servers",
    "across",
    "bare",
    "copier",
    "member",
    "pair",
    "servers",
    "transport_of",
]

PEOPLE: Final = {"matrix": ("alice", "bob"), "muc": ("carol", "dave")}
"""Two on each network."""

COPIER: Final = "copier@other.localhost"
_COMPONENTS: Final = {"bridge.localhost": "the bridge's secret", "other.localhost": "the copier's secret"}


@dataclass(frozen=True)
class Servers:
    """The two servers."""

    synapse: SynapseServer
    prosody: XmppServer
    folder: Path
    """For everything that is stored."""

    @asynccontextmanager
    async def rooms(self, name: str, *, matrix: tuple[str, ...], muc: tuple[str, ...]) -> AsyncIterator[Scene]:
        """A Matrix room and a MUC, and these people's accounts."""
        async with linked_rooms(self.folder / name, self.synapse, self.prosody, matrix=matrix, muc=muc) as scene:
            scene.folder.mkdir(exist_ok=True)
            yield scene


@contextmanager
def servers(folder: Path, say: Callable[[str], None]) -> Iterator[Servers]:
    """Start both servers, without rate limits. Raises `ServerError`."""
    synapse, prosody = Synapse.install(say), Prosody.install(say)
    with ExitStack() as stack:
        first = stack.enter_context(synapse.start(folder / "synapse"))
        second = stack.enter_context(prosody.start(folder / "prosody", components=_COMPONENTS))
        yield Servers(first, second, folder)


@dataclass
class Place:
    """Somebody in a room: who speaks, and what they are shown."""

    voice: EncryptedRoom | BareClient
    ear: Ear


@dataclass
class BarePlace(Place):
    """A bare client's."""

    voice: BareClient


@dataclass
class MemberPlace(Place):
    """A member's."""

    voice: EncryptedRoom
    person: Person
    sent: int = 0
    """How many of this member's messages its own room has shown."""


def transport_of(scene: Scene, name: str) -> Transport:
    """A new transport of somebody's account, with the pauses of real ones."""
    if name in scene.matrix.ids:
        client = scene.matrix.clients[name]
        return MatrixTransport(client.server.url, TokenLogin(client.token))
    return XmppTransport(scene.xmpp.login(name), nickname=name)


@asynccontextmanager
async def member(
    scene: Scene,
    name: str,
    transport: Transport | None = None,
    **settings: Any,  # noqa: ANN401 - of MemberSettings
) -> AsyncIterator[MemberPlace]:
    """Somebody in the group, by the library, until the end of the block. May come back."""
    used = transport_of(scene, name) if transport is None else transport
    room = scene.matrix_room if used.network is Network.MATRIX else scene.xmpp_room
    chosen = MemberSettings(stagger=100, **settings)
    diary = Diary()
    async with open_room(used, room, store=scene.database(name), key=KEY, settings=chosen) as opened:
        place = MemberPlace(opened, Ear(), Person(name, scene.account(name), opened, diary))
        listening = asyncio.create_task(_listen(place, diary))
        try:
            yield place
        finally:
            listening.cancel()
            await asyncio.wait([listening])


async def _listen(place: MemberPlace, diary: Diary) -> None:
    async for happening in place.voice.happenings():
        if isinstance(happening, MessageArrived):
            place.ear.hear(happening.text)
        elif isinstance(happening, DeliveryChanged):
            place.sent += happening.state is DeliveryState.SENT
        else:
            await diary.write(happening, None)


@asynccontextmanager
async def pair(scene: Scene, first: str, second: str) -> AsyncIterator[tuple[MemberPlace, MemberPlace]]:
    """Two people of one network in a group of their own, in the order of the room: no bridge is there."""
    async with member(scene, first, create=True, mode=Mode.ROOM) as one, member(scene, second) as other:
        await other.person.until(Joined, patience=PATIENCE)
        yield one, other


@asynccontextmanager
async def across(
    scene: Scene, transport: Callable[[Scene, str], Transport] = transport_of
) -> AsyncIterator[tuple[MemberPlace, MemberPlace]]:
    """Alice and Carol in one group, introduced; the bridge is to run. `transport` makes theirs."""
    one, other = transport(scene, "alice"), transport(scene, "carol")
    async with member(scene, "alice", one, create=True) as alice, member(scene, "carol", other) as carol:
        await _until_known(carol.person, alice.person)
        await introduce(alice.person, carol.person)
        yield alice, carol


async def _until_known(person: Person, other: Person) -> None:
    """Wait until somebody's KeyPackage has come through the bridge: before, there is no number to compare."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await person.room.ask(Verify(other.account))
            except RequestRefusedError:
                await asyncio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def bare(scene: Scene, *names: str, cargo: Cargo = TEXT) -> AsyncIterator[tuple[BarePlace, ...]]:
    """People of these rooms as bare clients."""
    async with AsyncExitStack() as stack:
        places: list[BarePlace] = []
        for name in names:
            ear = Ear()
            client = _bare(scene, name, ear.hear, cargo)
            stack.push_async_callback(client.close)
            await client.start()
            places.append(BarePlace(client, ear))
        yield tuple(places)


def _bare(scene: Scene, name: str, hear: Hear, cargo: Cargo) -> BareClient:
    if name in scene.matrix.ids:
        client = scene.matrix.clients[name]
        return BareMatrix(client.server.url, client.token, scene.matrix.ids[name], scene.matrix.room_id, hear, cargo)
    server = scene.xmpp.server
    return BareXmpp.client(scene.xmpp.jid(name), PASSWORD, server.host, server.c2s_port, scene.muc, hear, cargo)


@asynccontextmanager
async def copier(scene: Scene, *, envelopes: bool = False) -> AsyncIterator[int]:
    """A bare relay between these rooms, of text or of envelopes. Returns its process id."""
    await scene.xmpp.affiliate(scene.muc, COPIER, "member")
    client, server = scene.matrix.clients[BRIDGE], scene.xmpp.server
    settings = {
        "matrix": {
            "url": client.server.url,
            "token": client.token,
            "user_id": scene.matrix.ids[BRIDGE],
            "room_id": scene.matrix.room_id,
        },
        "xmpp": {
            "jid": COPIER,
            "secret": server.components[COPIER.partition("@")[2]],
            "host": server.host,
            "port": server.component_port,
            "room": scene.muc,
        },
        "envelopes": envelopes,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.servers.copier",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            if await process.stdout.readline() != b"ready\n":
                raise RuntimeError("the bare relay did not start")
        yield process.pid
    finally:
        process.stdin.close()
        await process.wait()
