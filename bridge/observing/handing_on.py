"""Our logs within a program that has logs of its own: they go where the standard library's logging sends them."""

from __future__ import annotations

import logging

import structlog

from bridge.observing.logs import Withholding
from bridge.observing.withholding import Shortener, Withholder
from mls.crypto.random import Random

__all__ = ["hand_on"]

NAME = "mls_bridge"


def hand_on(random: Random) -> None:
    """Log to `logging.getLogger("mls_bridge")` and below, unless the program has configured structlog by itself.

    Without content and without full identifiers, as everywhere.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            Withholding(Withholder(Shortener(random(32)))),
            _as_a_line,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=_logger,
    )


def _logger(*names: str) -> logging.Logger:
    return logging.getLogger(".".join((NAME, *names)))


def _as_a_line(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> tuple[tuple[str], dict[str, object]]:
    """Return the arguments of a logger's method. Of an exception all that may be told stands among the fields."""
    fields = [f"{name}={value!r}" for name, value in event.items() if name != "event"]
    return (" ".join([str(event["event"]), *fields]),), {"exc_info": None}
