"""What a service needs of the process that it runs in: signals, and a word to the service manager."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog

__all__ = ["notify_manager", "stopping_on_signals"]

log = structlog.get_logger("service")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

EXIT_BY_SIGNAL: Final = 128
"""What a shell adds to the number of the signal that ended a program."""


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGINT or SIGTERM, and end the process at the second, at once: the store can take it."""
    loop = asyncio.get_running_loop()
    seen: list[signal.Signals] = []

    def handle(number: signal.Signals) -> None:
        if seen:
            os._exit(EXIT_BY_SIGNAL + number)
        seen.append(number)
        log.info("stopping", signal=number.name)
        notify_manager("STOPPING=1")
        stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def notify_manager(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Tell systemd, where it wants to know (see sd_notify(3)); what it makes of it is no matter of ours."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux' abstract sockets
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.setblocking(False)  # noqa: FBT003 - the standard library's
        try:
            manager.sendto(state.encode(), address)
        except OSError as error:
            log.warning("the service manager does not listen", reason=error.strerror)
