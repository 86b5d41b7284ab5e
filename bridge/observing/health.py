"""What others can ask about the program's health, over HTTP.

=============  ====================================================================================
`/live`        200 as long as the event loop answers at all
`/ready`       200 if every account is live and every room in order, else 503; which ones, as JSON
`/metrics`     for Prometheus
=============  ====================================================================================

Names are those of the configuration: no identifier is told, and no content. What a server says of a room may name one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from bridge.config.models import Address
from bridge.observing.metrics import CONTENT_TYPE, Metrics
from bridge.observing.withholding import Withholder
from transports.room import ConnectionState

__all__ = ["HealthServer", "Readiness"]

SHUTDOWN_SECONDS = 1.0

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Readiness:
    """How things stand at one moment."""

    accounts: Mapping[str, ConnectionState] = field(default_factory=dict)
    """The state of each account's connection, by its name."""
    rooms: Mapping[str, str | None] = field(default_factory=dict)
    """What keeps each room from working, by its name; `None` where nothing does."""

    @property
    def is_ready(self) -> bool:
        """Whether the program does all that it is configured for."""
        return all(state is ConnectionState.LIVE for state in self.accounts.values()) and not any(self.rooms.values())


class HealthServer:
    """Answers on one address, from `start` to `stop`."""

    def __init__(
        self, address: Address, readiness: Callable[[], Readiness], metrics: Metrics, withholder: Withholder
    ) -> None:
        self._address = address
        self._readiness = readiness
        self._metrics = metrics
        self._withholder = withholder
        self._runner: web.AppRunner | None = None

    async def start(self) -> Address:
        """Listen. Returns where, which tells the port if it was to be any (0). Raises `OSError` if it is taken."""
        app = web.Application()
        app.router.add_get("/live", self._live)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._scrape)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._address.host, self._address.port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return Address(*runner.addresses[0][:2])

    async def stop(self) -> None:
        """Close every connection. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        return web.Response(text="live\n", headers=HEADERS)

    async def _ready(self, _request: web.Request) -> web.Response:
        readiness = self._readiness()
        body = {
            "ready": readiness.is_ready,
            "accounts": {name: state.value for name, state in readiness.accounts.items()},
            "rooms": {name: self._withholder.text(problem or "ok") for name, problem in readiness.rooms.items()},
        }
        return web.json_response(body, status=200 if readiness.is_ready else 503, headers=HEADERS)

    async def _scrape(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={**HEADERS, "Content-Type": CONTENT_TYPE})
