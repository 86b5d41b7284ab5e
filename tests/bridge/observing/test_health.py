"""Health and metrics as a supervisor and Prometheus see them: over real HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from bridge.config.models import Address
from bridge.observing.health import HealthServer, Readiness
from bridge.observing.metrics import Metrics
from bridge.observing.withholding import Shortener, Withholder
from transports.room import ConnectionState

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]

WITHHOLDER = Withholder(Shortener(bytes(32)))


class Served:
    """A server on a free port, whose answers the test decides."""

    def __init__(self) -> None:
        self.readiness = Readiness()
        self.metrics = Metrics()
        self.server = HealthServer(Address("127.0.0.1", 0), lambda: self.readiness, self.metrics, WITHHOLDER)
        self.address = Address("", 0)

    async def get(self, path: str) -> tuple[int, str, aiohttp.ClientResponse]:
        async with aiohttp.ClientSession() as session, session.get(self.url(path)) as response:
            return response.status, await response.text(), response

    async def ready(self) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.url("/ready")) as response:
            return response.status, await response.json()

    def url(self, path: str) -> str:
        return f"http://{self.address.host}:{self.address.port}{path}"


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    served.address = await served.server.start()
    yield served
    await served.server.stop()


async def test_live_as_long_as_the_loop_answers(served: Served) -> None:
    served.readiness = Readiness(accounts={"hs": ConnectionState.LOST})

    status, text, response = await served.get("/live")

    assert (status, text) == (200, "live\n")
    assert response.headers["Cache-Control"] == "no-store"


async def test_ready_once_every_account_is_live_and_every_room_in_order(served: Served) -> None:
    served.readiness = Readiness({"hs": ConnectionState.LIVE, "muc": ConnectionState.LIVE}, {"tea": None})

    body = {"ready": True, "accounts": {"hs": "live", "muc": "live"}, "rooms": {"tea": "ok"}}
    assert await served.ready() == (200, body)


@pytest.mark.parametrize("state", [state for state in ConnectionState if state is not ConnectionState.LIVE])
async def test_not_ready_while_an_account_is_not_live(served: Served, state: ConnectionState) -> None:
    served.readiness = Readiness({"hs": ConnectionState.LIVE, "muc": state})

    status, body = await served.ready()

    assert status == 503
    assert body == {"ready": False, "accounts": {"hs": "live", "muc": state.value}, "rooms": {}}


async def test_not_ready_while_a_room_does_not_work(served: Served) -> None:
    served.readiness = Readiness({"hs": ConnectionState.LIVE}, {"tea": "no such room", "chess": None})

    status, body = await served.ready()

    assert status == 503
    assert body["rooms"] == {"tea": "no such room", "chess": "ok"}


async def test_no_identifier_is_told_that_a_server_names(served: Served) -> None:
    served.readiness = Readiness({"hs": ConnectionState.LIVE}, {"tea": "Room alias #tea:example.org not found"})

    _, body = await served.ready()

    digits = Shortener(bytes(32)).short("#tea:example.org")
    assert body["rooms"] == {"tea": f"Room alias ~{digits} not found"}


async def test_metrics_are_prometheuss(served: Served) -> None:
    metrics = served.metrics
    metrics.messages_in.labels("tea", "matrix", "relay").inc()
    metrics.messages_out.labels("tea", "xmpp").inc(2)
    metrics.relayed.labels("tea", "xmpp").inc(3)
    metrics.refused.labels("tea", "malformed").inc()
    metrics.seals.labels("tea").inc(4)
    metrics.reconnects.labels("hs").inc()
    metrics.outbox.labels("hs").set(5)
    metrics.epoch.labels("tea").set(6)
    metrics.seal_delay.labels("tea").observe(0.2)
    metrics.store_transaction.observe(0.002)
    metrics.set_transport_state("hs", ConnectionState.CATCHING_UP)
    metrics.set_transport_state("hs", ConnectionState.LIVE)

    status, text, response = await served.get("/metrics")

    assert status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    room = ("room", "tea")
    assert samples["mls_bridge_messages_in_total", (("network", "matrix"), ("role", "relay"), room)] == 1
    assert samples["mls_bridge_messages_out_total", (("network", "xmpp"), room)] == 2
    assert samples["mls_bridge_relayed_total", (("network", "xmpp"), room)] == 3
    assert samples["mls_bridge_refused_total", (("reason", "malformed"), room)] == 1
    assert samples["mls_bridge_seals_total", (room,)] == 4
    assert samples["mls_bridge_reconnects_total", (("account", "hs"),)] == 1
    assert samples["mls_bridge_outbox_rows", (("account", "hs"),)] == 5
    assert samples["mls_bridge_epoch", (room,)] == 6
    assert samples["mls_bridge_seal_delay_seconds_bucket", (("le", "0.25"), room)] == 1
    assert samples["mls_bridge_seal_delay_seconds_bucket", (("le", "0.1"), room)] == 0
    assert samples["mls_bridge_store_transaction_seconds_count", ()] == 1
    states = {labels[1][1]: value for (name, labels), value in samples.items() if name == "mls_bridge_transport_state"}
    assert states == {"connecting": 0, "catching up": 0, "live": 1, "lost": 0}


async def test_two_processes_in_one_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.seals.labels("tea").inc()

    assert b'mls_bridge_seals_total{room="tea"} 1.0' in one.exposition()
    assert b"tea" not in other.exposition()


async def test_nothing_else_is_answered(served: Served) -> None:
    assert (await served.get("/"))[0] == 404
    assert (await served.get("/metrics/../etc"))[0] == 404
    async with aiohttp.ClientSession() as session, session.post(served.url("/live"), data=b"x") as response:
        assert response.status == 405


async def test_failure_inside_tells_nothing_outside(served: Served) -> None:
    served.metrics = Metrics()
    served.readiness = None  # type: ignore[assignment]

    status, text, _ = await served.get("/ready")

    assert status == 500
    assert "Traceback" not in text
    assert "NoneType" not in text


async def test_port_that_is_taken_is_an_error_and_leaves_nothing_behind(served: Served) -> None:
    second = HealthServer(served.address, Readiness, Metrics(), WITHHOLDER)

    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    await second.stop()

    assert (await served.get("/live"))[0] == 200


async def test_stopping_closes_the_port_and_waiting_connections() -> None:
    server = HealthServer(Address("127.0.0.1", 0), Readiness, Metrics(), WITHHOLDER)
    address = await server.start()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in await reader.readuntil(b"\r\n")

    await server.stop()
    await server.stop()

    await asyncio.wait_for(reader.read(), 5)
    assert reader.at_eof()
    writer.close()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection(*address)


async def test_port_is_free_again_after_a_stop() -> None:
    first = HealthServer(Address("127.0.0.1", 0), Readiness, Metrics(), WITHHOLDER)
    address = await first.start()
    await first.stop()
    second = HealthServer(address, Readiness, Metrics(), WITHHOLDER)

    assert await second.start() == address
    await second.stop()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_ipv6_is_an_address_too() -> None:
    server = HealthServer(Address("::1", 0), Readiness, Metrics(), WITHHOLDER)
    try:
        address = await server.start()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert address.host == "::1"
    assert address.port > 0
    await server.stop()
