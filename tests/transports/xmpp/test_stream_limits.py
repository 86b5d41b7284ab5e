"""What a server says of its limits (XEP-0478): how large a stanza may be, and how long we may be silent.

Neither Prosody 0.12 nor ejabberd 23.01 says anything of them, so a proxy writes it into what they offer.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.servers.proxy import Proxy
from tests.transports.xmpp.scene import PACE, Scene
from transports.carriers import XMPP_MAX_ENVELOPE
from transports.errors import TooLargeError
from transports.xmpp import Pace
from transports.xmpp.elements import CLIENT, element

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

OFFER_ENDS = b"</stream:features>"


@pytest.mark.parametrize(
    "announced, takes",
    [
        ("50000", 33_000),
        ("12000", 4_500),
        ("10", 3_000),  # no server may take less than 10,000 bytes
        ("10000000", XMPP_MAX_ENVELOPE),
        ("-1", 3_000),
        ("many", XMPP_MAX_ENVELOPE),
        ("", XMPP_MAX_ENVELOPE),
    ],
)
async def test_no_stanza_is_larger_than_the_server_says(scene: Scene, announced: str, takes: int) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    async with Proxy(scene.server.c2s_port) as proxy:
        _announce(proxy, f"<max-bytes>{announced}</max-bytes>")
        alice = await scene.transport("alice", port=proxy.port)
        joined = await alice.join(room)
        assert joined.limits.envelope_bytes == takes
        await alice.publish(joined.address, bytes(takes), transaction="t1")
        with pytest.raises(TooLargeError) as refused:
            await alice.publish(joined.address, bytes(takes + 1), transaction="t2")
        assert refused.value.limit == takes
        if takes < XMPP_MAX_ENVELOPE:
            with pytest.raises(TooLargeError):
                await alice.post_notice(joined.address, "x" * max(10_000, int(announced)), transaction="t3")
        await alice.publish(joined.address, b"still here", transaction="t4")
        assert proxy.connections == 1
        await alice.close()


async def test_we_are_never_silent_for_as_long_as_the_server_says(scene: Scene) -> None:
    """The room talks all the time, so that it takes no ping to know that the server is there."""
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    async with Proxy(scene.server.c2s_port) as proxy:
        _announce(proxy, "<idle-seconds>2</idle-seconds>")
        said = _overheard(proxy)
        alice = await scene.transport("alice", port=proxy.port, pace=Pace())
        await alice.join(room)
        entered = time.monotonic()
        while time.monotonic() < entered + 6:
            await scene.owner.say(room, element(CLIENT, "body", "on and on"))
            await asyncio.sleep(0.2)
        times = [at for at, _ in said if at >= entered]
        pauses = [later - earlier for earlier, later in zip([entered, *times], [*times, entered + 6], strict=True)]
        assert max(pauses) < 2
        assert proxy.connections == 1
        await alice.close()


async def test_without_a_word_of_the_server_a_talking_room_is_not_pinged(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    async with Proxy(scene.server.c2s_port) as proxy:
        said = _overheard(proxy)
        alice = await scene.transport("alice", port=proxy.port, pace=PACE)
        await alice.join(room)
        await asyncio.sleep(0.2)
        said.clear()
        for _ in range(10):
            await scene.owner.say(room, element(CLIENT, "body", "on and on"))
            await asyncio.sleep(0.2)
        assert not [data for _, data in said if b"urn:xmpp:ping" in data]
        await alice.close()


def _announce(proxy: Proxy, limits: str) -> None:
    said = f"<limits xmlns='urn:xmpp:stream-limits:0'>{limits}</limits>".encode()
    proxy.downstream = lambda data: data.replace(OFFER_ENDS, said + OFFER_ENDS)


def _overheard(proxy: Proxy) -> list[tuple[float, bytes]]:
    """What the client says through the proxy, and when."""
    said: list[tuple[float, bytes]] = []

    def pass_on(data: bytes) -> bytes:
        said.append((time.monotonic(), data))
        return data

    proxy.upstream = pass_on
    return said
