"""Structured logs on standard error: one event a line, in JSON or for people.

An event is named in a few constant words, and all that varies stands in fields: `log.info("joined", room="tea")`.
What other libraries log comes the same way. What may stand there is decided by `bridge.observing.withholding`.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bridge.config.models import Log, LogFormat
from bridge.observing.withholding import Shortener, Withholder

__all__ = ["Withholding", "set_up"]

QUIET = ("aiohttp", "aiosqlite", "asyncio", "charset_normalizer", "keyring", "nio", "peewee", "slixmpp")
"""Libraries whose lower levels tell what they move: stanzas, events, rows."""

WORD = re.compile("[A-Za-z]{3}")

HARMLESS = frozenset({"level", "timestamp"})
"""Fields that are made here."""


def set_up(settings: Log, shortener: Shortener, *, stream: TextIO | None = None) -> None:
    """Send all logs of this process to a stream (standard error). May be called again, to change the settings."""
    stream = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    withholder = Withholder(shortener)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _timestamp,
            Withholding(withholder),
            *_rendering(settings, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,  # else a second call would change nothing
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Foreign)]:
        root.removeHandler(handler)
    root.addHandler(_Foreign())
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


class _Foreign(logging.Handler):
    """Takes what libraries log by the standard library's means.

    The values in their messages are what they failed to handle, and so often content: a message is told without its
    values, and one that was put together beforehand is not told at all, but the place in the code is.
    """

    def emit(self, record: logging.LogRecord) -> None:
        is_template = bool(record.args) and isinstance(record.msg, str) and WORD.search(record.msg) is not None
        event = record.msg if is_template else "a library's message"
        where = f"{'/'.join(PurePath(record.pathname).parts[-3:])}:{record.lineno}"
        structlog.get_logger().log(
            record.levelno, event, logger=record.name, where=where, exc_info=record.exc_info or None
        )


def _timestamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


class Withholding:
    """A processor of structlog that lets pass what may be logged."""

    def __init__(self, withholder: Withholder) -> None:
        self._withholder = withholder

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        exception = _exception(event.pop("exc_info", None))
        event.pop("stack_info", None)  # it quotes source lines
        told: dict[str, Any] = {"event": self._withholder.text(str(event.pop("event", "")))}
        for name, value in event.items():
            told[name] = value if name in HARMLESS else self._withholder.field(name, value)
        if exception is not None:
            told["exception"] = self._withholder.exception(exception)
        return told


def _exception(given: object) -> BaseException | None:
    """Return the exception that `exc_info` stands for."""
    match given:
        case BaseException():
            return given
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
        case _:
            return None


# Rendering


def _rendering(settings: Log, stream: TextIO) -> list[Processor]:
    is_terminal = stream.isatty()
    if settings.format is LogFormat.JSON or (settings.format is LogFormat.AUTO and not is_terminal):
        return [structlog.processors.JSONRenderer()]
    return [_exception_as_text, structlog.dev.ConsoleRenderer(colors=is_terminal, pad_event_to=0, sort_keys=False)]


def _exception_as_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    told = event.get("exception")
    if told is not None:
        lines = []
        for one in (told, *told.get("causes", ())):
            lines += [": ".join(filter(None, (one["type"], one.get("message")))), *(f"  {at}" for at in one["frames"])]
        event["exception"] = "\n".join(lines)
    return event
