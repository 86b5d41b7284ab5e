"""`mls-bridge run`: the service."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Final

import structlog
import typer

from bridge import __version__
from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption, load_or_exit
from bridge.config import Config, SecretError
from bridge.config.secrets import read_key
from bridge.observing.health import HealthServer
from bridge.observing.logs import set_up
from bridge.observing.metrics import Metrics
from bridge.observing.withholding import Shortener, Withholder
from bridge.service.answering import answer
from bridge.service.clock import SystemClock
from bridge.service.composing import Composition, open_store
from bridge.service.control import Control
from bridge.service.errors import ServiceError
from bridge.service.process import notify_manager, stopping_on_signals
from bridge.service.service import Service
from bridge.store import Store, StoreError
from mls.crypto.random import system_random
from transports.errors import TransportError

__all__ = ["run"]

EXIT_FAILED = 1
EXIT_USAGE = 2

LOG_KEY: Final = ("logs", b"key")
LOG_KEY_SIZE: Final = 32

log = structlog.get_logger("service")


def run(*, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the roles that the configuration names, until SIGTERM or Ctrl-C.

    What happens is logged to standard error, without content and without full identifiers. Health is told over HTTP,
    see `health` in the configuration. The first signal stops cleanly: steps end, and what waits is sent for up to
    5 seconds. A second one ends the program at once; nothing is lost by that.

    Exit codes: 0 stopped as told, 1 it could not start or go on, 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    if not configuration.rooms:
        typer.echo(f"{config}: rooms: is empty; there is nothing to do", err=True)
        raise typer.Exit(EXIT_USAGE)
    try:
        key = read_key(configuration.store.key)
        asyncio.run(_run(configuration, key))
    except (SecretError, StoreError, ServiceError, TransportError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except OSError as error:
        typer.echo(f"{error.filename or 'the system'}: {error.strerror}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


async def _run(config: Config, key: bytes) -> None:
    clock, random, metrics = SystemClock(), system_random, Metrics()
    store = await open_store(config, key, clock)
    try:
        shortener = Shortener(await _log_key(store))
        set_up(config.log, shortener)
        log.info("starting", version=__version__, accounts=len(config.accounts), rooms=len(config.rooms))
        service = Service(store, clock=clock, random=random, metrics=metrics)
        composition = Composition(config, service, store, clock=clock, random=random, metrics=metrics)
        await composition.add_accounts()
        health = None
        if config.health.address is not None:
            health = HealthServer(config.health.address, service.readiness, metrics, Withholder(shortener))
            await health.start()
        control = Control(store.path, partial(answer, composition))
        try:
            await control.start()
            with stopping_on_signals(lambda: _stop(control, service)):
                await _serve(service, composition)
        finally:
            await control.stop()
            if health is not None:
                await health.stop()
    finally:
        await store.close()


def _stop(control: Control, service: Service) -> None:
    control.close()  # first: what is asked of a service that ends is not done any more
    service.stop()


async def _serve(service: Service, composition: Composition) -> None:
    roles = asyncio.create_task(composition.add_roles())
    running = asyncio.create_task(service.run())
    try:
        # A fault in putting roles together must not leave a service that looks as if it worked.
        await asyncio.wait([running, roles], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            roles.result()
            notify_manager("READY=1")
        await running
    finally:
        service.stop()
        roles.cancel()
        await asyncio.gather(roles, return_exceptions=True)  # looked at: what ended the service is raised, not this
        await asyncio.wait([running])


async def _log_key(store: Store) -> bytes:
    """Return the key that identifiers in logs are shortened with: the same for as long as the database lives."""
    async with store.transaction() as tx:
        key = await tx.records.get(*LOG_KEY)
        if key is None:
            key = os.urandom(LOG_KEY_SIZE)
            await tx.records.put(*LOG_KEY, key)
        return key
