"""Logs hold neither content nor full identifiers, whoever writes them and whatever is in them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.models import Log, LogFormat, LogLevel
from bridge.observing.logs import set_up
from bridge.observing.withholding import Shortener, Withholder
from transports.errors import RoomNotFoundError

SHORTENER = Shortener(b"the key of these tests")
SHORT = re.compile("~[0-9a-f]{10}")

CONTENT = "meet me at the old oak at nine"


class Told:
    """What has been logged."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def event(self) -> dict[str, Any]:
        [event] = self.events
        return event


@pytest.fixture
def told() -> Iterator[Told]:
    root, quiet = logging.getLogger(), logging.getLogger("nio")
    before, level, quiet_level = list(root.handlers), root.level, quiet.level
    told = Told()
    set_up(Log(level=LogLevel.INFO, format=LogFormat.JSON), SHORTENER, stream=told.stream)
    yield told
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = before
    root.setLevel(level)
    quiet.setLevel(quiet_level)


# Our own events


def test_event_is_a_line_of_json(told: Told) -> None:
    structlog.get_logger().info("joined", room="tea", members=3, is_live=True)

    event = told.event
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("timestamp"))
    assert event == {"event": "joined", "level": "info", "room": "tea", "members": 3, "is_live": True}


def test_lower_levels_are_left_out(told: Told) -> None:
    log = structlog.get_logger()
    log.debug("low")
    log.warning("high")

    assert told.event["event"] == "high"


IDENTIFIERS = [
    "matrix:u/alice:example.org",
    "matrix:roomid/opaque:example.org",
    "xmpp:alice@example.org",
    "@alice:example.org",
    "@alice:[2001:db8::1]:8448",
    "#tea:example.org",
    "!opaque:example.org",
    "!n8f893n9f0Zq1XfGrQ2kC_opaqueRoomVersion12",
    "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg",
    "alice@example.org",
    "alice@example.org/desk top",
    "tea@muc.example.org/Alice in wonderland",
    "älice@exämple.org",
    "mxc://example.org/abcdefghijklmnop",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "syt_Ym90_VGhpc0lzTm90QVRva2Vu_1a2B3c",
    "YWxsIHlvdXIgYmFzZTY0IGFyZSBiZWxvbmcgdG8gdXM=",
    "d2d0a1c8-9c52-4c3e-8a0e-5a5d3ef7d5f1",
]


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_identifiers_are_shortened_wherever_they_stand(told: Told, identifier: str) -> None:
    first_word = identifier.partition(" ")[0]
    log = structlog.get_logger()
    log.info("whole", sender=identifier)
    log.info("within", reason=f"the room {first_word}, which is closed: {first_word}.")
    log.info("nested", rooms={first_word: [{"who": (identifier,)}]})
    log.info(f"named {first_word}")  # noqa: G004 - what nobody shall do

    assert first_word not in told.text
    assert identifier.rpartition("/")[2] not in told.text
    assert all(SHORT.search(line) for line in told.text.splitlines())
    assert told.events[0]["sender"] == f"~{SHORTENER.short(identifier)}"
    short = SHORTENER.short(first_word)
    assert told.events[1]["reason"] == f"the room ~{short}, which is closed: ~{short}."


@pytest.mark.parametrize(
    "text", ["tea", "2 of 3 in 0.5 s: again", "127.0.0.1:5222", "/var/lib/mls-bridge/a.db", "C++: no"]
)
def test_what_is_no_identifier_stays(told: Told, text: str) -> None:
    structlog.get_logger().info("event", value=text)

    assert told.event["value"] == text


def test_short_is_the_same_within_an_installation_alone() -> None:
    here, there = Shortener(b"one"), Shortener(b"another")

    assert here.short("@alice:example.org") == Shortener(b"one").short("@alice:example.org")
    assert here.short("@alice:example.org") != here.short("@bob:example.org")
    assert here.short("@alice:example.org") != there.short("@alice:example.org")
    assert re.fullmatch("[0-9a-f]{10}", here.short("\ud800 lone surrogate"))


FIELDS = ["body", "content", "text", "plaintext", "message", "password", "token", "secret", "key", "nick", "envelope"]


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_content_tell_their_size(told: Told, name: str) -> None:
    structlog.get_logger().info("received", **{name: CONTENT}, more={name: CONTENT.encode()})

    assert told.event[name] == f"<{len(CONTENT)} characters>"
    assert told.event["more"] == {name: f"<{len(CONTENT)} bytes>"}


class Odd:
    """Something whose own words must not be asked for."""

    def __repr__(self) -> str:
        return CONTENT

    __str__ = __repr__


VALUES: list[object] = [
    CONTENT.encode(),
    bytearray(CONTENT.encode()),
    memoryview(CONTENT.encode()),
    Odd(),
    [Odd(), {"a": Odd()}],
    {1: {2: {3: {4: CONTENT}}}},
    ValueError(CONTENT),
    lambda: CONTENT,
    io.StringIO(CONTENT),
    iter([CONTENT]),
    Path(f"/x/{'y' * 400}/{CONTENT}"),
    "z" * 400 + f" {CONTENT}",
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_of_unknown_kinds_tell_their_type_alone(told: Told, value: object) -> None:
    structlog.get_logger().info("event", value=value)

    assert told.event["event"] == "event"
    assert CONTENT not in told.text


def test_values_cannot_flood_the_log(told: Told) -> None:
    endless: list[object] = []
    endless.append(endless)
    structlog.get_logger().info(
        "event", a=["x"] * 10_000, b={str(n): n for n in range(10_000)}, c=endless, d="x y " * 9999
    )

    assert len(told.text) < 2_000


def test_values_cannot_begin_a_line_or_steer_a_terminal(told: Told) -> None:
    set_up(Log(format=LogFormat.CONSOLE), SHORTENER, stream=told.stream)
    structlog.get_logger().info("a\nb", value="x\n2026 [info] forged\x1b[2J\u2028\u202e")

    assert len(told.text.splitlines()) == 1
    assert "\x1b" not in told.text
    assert "\u202e" not in told.text


@given(st.text(max_size=400))
def test_any_text_is_one_printable_line(text: str) -> None:
    assert Withholder(SHORTENER).text(text).isprintable()


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=8, max_size=30))
def test_no_localpart_survives(localpart: str) -> None:
    for identifier in (f"@{localpart}:example.org", f"{localpart}@example.org", f"xmpp:{localpart}@example.org"):
        assert localpart not in Withholder(SHORTENER).text(f"joined {identifier}: no")


# Exceptions


def fail(error: Exception) -> NoReturn:
    raise error


def test_our_own_exception_says_what_and_where_without_identifiers(told: Told) -> None:
    try:
        try:
            fail(ValueError(CONTENT))
        except ValueError as error:
            raise RoomNotFoundError("no such room", where="xmpp:tea@muc.example.org") from error
    except RoomNotFoundError:
        structlog.get_logger().exception("joining failed")

    exception = told.event["exception"]
    assert exception["type"] == "transports.errors.RoomNotFoundError"
    assert exception["message"] == f"~{SHORTENER.short('xmpp:tea@muc.example.org')}: no such room"
    assert re.search(r"observing/test_logs\.py:\d+ test_our_own_exception", exception["frames"][-1])
    [cause] = exception["causes"]
    assert cause.keys() == {"type", "frames"}
    assert cause["type"] == "builtins.ValueError"
    assert CONTENT not in told.text


def test_system_errors_say_what_the_system_says(told: Told) -> None:
    try:
        Path("/nowhere/at@all.example").read_bytes()
    except OSError as error:
        structlog.get_logger().error("failed", exc_info=error)

    assert told.event["exception"]["message"] == "No such file or directory"
    assert "at@all" not in told.text


def test_exceptions_that_go_in_circles_end(told: Told) -> None:
    first, second = ValueError(CONTENT), KeyError(CONTENT)
    first.__cause__, second.__cause__ = second, first
    structlog.get_logger().error("failed", exc_info=first)

    assert len(told.event["exception"]["causes"]) == 1
    assert CONTENT not in told.text


@pytest.mark.parametrize("log_format", [LogFormat.CONSOLE, LogFormat.JSON])
def test_exceptions_are_told_in_both_formats(told: Told, log_format: LogFormat) -> None:
    set_up(Log(format=log_format), SHORTENER, stream=told.stream)
    try:
        fail(RoomNotFoundError(CONTENT[:7], where="tea"))
    except RoomNotFoundError:
        structlog.get_logger().exception("failed")

    assert "transports.errors.RoomNotFoundError" in told.text
    assert "tea: meet me" in told.text
    assert "Traceback" not in told.text


# Other libraries


def fill_in(log: logging.Logger) -> None:
    log.warning("Dropped stanza %s", f"<body>{CONTENT}</body>")


def put_together(log: logging.Logger) -> None:
    log.warning(f"Error: {CONTENT}")  # noqa: G004 - as libraries do


def values_alone(log: logging.Logger) -> None:
    log.warning("%s: %r", CONTENT, CONTENT)


def not_text(log: logging.Logger) -> None:
    log.warning({"content": CONTENT})


def wrong_values(log: logging.Logger) -> None:
    log.warning("stanza %d of %d", CONTENT)  # noqa: PLE1206 - as libraries do, by mistake


def exception(log: logging.Logger) -> None:
    try:
        fail(ValueError(CONTENT))
    except ValueError:
        log.exception("Error in handler %s", CONTENT)


@pytest.mark.parametrize("write", [fill_in, put_together, values_alone, not_text, wrong_values, exception])
@pytest.mark.parametrize("name", ["nio.client", "slixmpp.xmlstream", "some.library"])
def test_libraries_messages_lose_their_values(
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    write: Callable[[logging.Logger], None],
) -> None:
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if type(handler).__module__ == set_up.__module__]
    monkeypatch.setattr(root, "handlers", ours)  # pytest's own fails for wrong values
    write(logging.getLogger(name))

    event = told.event
    assert event["logger"] == name
    assert re.fullmatch(
        r".*tests?/bridge/observing/test_logs\.py:\d+|bridge/observing/test_logs\.py:\d+", event["where"]
    )
    assert CONTENT not in told.text
    assert capsys.readouterr().err == ""


def test_libraries_messages_keep_their_words(told: Told) -> None:
    fill_in(logging.getLogger("slixmpp"))
    put_together(logging.getLogger("slixmpp"))

    assert [event["event"] for event in told.events] == ["Dropped stanza %s", "a library's message"]


@pytest.mark.parametrize("level", list(LogLevel))
def test_libraries_that_tell_what_they_move_are_kept_quiet(told: Told, level: LogLevel) -> None:
    set_up(Log(level=level, format=LogFormat.JSON), SHORTENER, stream=told.stream)
    for name in ("nio.rooms", "slixmpp.xmlstream.xmlstream", "aiosqlite", "asyncio", "aiohttp.access"):
        logging.getLogger(name).info("SEND: %s", CONTENT)
        logging.getLogger(name).debug("RECV: %s", CONTENT)

    assert told.text == ""


def test_forgotten_exceptions_of_tasks_are_told(told: Told) -> None:
    async def forget() -> None:
        async def fail() -> None:
            raise ValueError(CONTENT)

        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(forget())

    assert told.event["logger"] == "asyncio"
    assert told.event["exception"]["type"] == "builtins.ValueError"
    assert CONTENT not in told.text


def test_setting_up_again_replaces_the_settings(told: Told) -> None:
    log = structlog.get_logger()
    log.info("before")
    other = io.StringIO()
    set_up(Log(level=LogLevel.ERROR, format=LogFormat.JSON), SHORTENER, stream=other)
    log.info("between")
    log.error("after")
    logging.getLogger("some.library").error("told %s", "once")

    assert told.event["event"] == "before"
    assert [json.loads(line)["event"] for line in other.getvalue().splitlines()] == ["after", "told %s"]


def test_auto_is_json_where_no_terminal_is(told: Told) -> None:
    set_up(Log(), SHORTENER, stream=told.stream)
    structlog.get_logger().info("event")

    assert told.event["event"] == "event"
