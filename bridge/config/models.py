"""The whole configuration, and what ties its parts together."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from bridge.config.accounts import Account, MatrixAccount
from bridge.config.rooms import Mode, Room, room_problem
from bridge.config.secrets import Secret
from bridge.config.sections import ConfigPath, Flag, Name, Section, refuse_all, wrong

__all__ = ["Address", "Config", "Health", "Log", "LogFormat", "LogLevel", "Store"]


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


class LogLevel(StrEnum):
    """From which level on events are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How events are written."""

    AUTO = "auto"
    """As `console` to a terminal, else as `json`."""
    CONSOLE = "console"
    JSON = "json"


class Store(Section):
    """The database."""

    path: ConfigPath
    """The SQLite file; one process owns it."""
    key: Secret
    """The key that its secrets are encrypted with: 64 hexadecimal digits. Without it the database is of no use."""
    history: Flag = False
    """Whether a member keeps the text of messages, encrypted (default: false)."""


def _check_listen(listen: str) -> str:
    _split(listen)
    return listen


def _split(listen: str) -> Address:
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise wrong("is not an address and a port", "write it like 127.0.0.1:9464, or null for none")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


class Health(Section):
    """What others can ask about the program's health: /live, /ready and /metrics, over HTTP."""

    listen: Annotated[str, AfterValidator(_check_listen)] | None = "127.0.0.1:9464"
    """Where to answer (default: 127.0.0.1:9464, for this machine alone); null: nowhere."""

    @property
    def address(self) -> Address | None:
        """Where to answer."""
        return None if self.listen is None else _split(self.listen)


class Log(Section):
    """Events on standard error, without content and without full identifiers."""

    level: LogLevel = LogLevel.INFO
    """From which level on: debug, info (default), warning or error."""
    format: LogFormat = LogFormat.AUTO
    """How: auto (default: console to a terminal, else json), console or json."""


class Config(Section):
    """The configuration of one process."""

    store: Store
    """The database."""
    accounts: Annotated[dict[Name, Account], Field(min_length=1)]
    """The accounts, by names of one's own."""
    rooms: Annotated[dict[Name, Room], Field(default_factory=dict)]
    """The rooms, by names of one's own (default: none)."""
    health: Health = Health()
    """What others can ask about its health."""
    log: Log = Log()
    """What it tells."""

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        refuse_all([*self._account_problems(), *self._room_problems()])
        return self

    def _account_problems(self) -> Iterator[tuple[tuple[str, ...], PydanticCustomError]]:
        first: dict[tuple[str, str], str] = {}
        for name, account in self.accounts.items():
            other = first.setdefault((account.network, account.identity), name)
            if other != name:
                key = "user" if isinstance(account, MatrixAccount) else "jid"
                yield ("accounts", name, key), wrong(f"is that of {other} too", f"use {other} in the rooms")

    def _room_problems(self) -> Iterator[tuple[tuple[str | int, ...], PydanticCustomError]]:
        first: dict[tuple[str, str], str] = {}
        for name, room in self.rooms.items():
            for position, side in enumerate(room.sides):
                where = ("rooms", name, "sides", position)
                account = self.accounts.get(side.account)
                if account is None:
                    choices = " or ".join(self.accounts)
                    yield (*where, "account"), wrong("is none of the accounts", f"write {choices}, or add an account")
                    continue
                problem = room_problem(account.network, side.room)
                if problem is not None:
                    yield (*where, "room"), problem
                other = first.setdefault((account.network, side.room.casefold()), name)
                if other != name:
                    yield (*where, "room"), wrong(f"is a side of {other} too", "a room belongs to one group")
            home = self.accounts.get(room.home_side.account)
            if room.mode is Mode.ROOM and isinstance(home, MatrixAccount):
                advice = "write sealed: Matrix servers disagree on the order"
                yield ("rooms", name, "mode"), wrong("is room, for a MUC alone", advice)
