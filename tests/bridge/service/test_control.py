"""The control socket: who may ask, and what becomes of what is no question."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bridge.conversation import (
    Answer,
    Confirm,
    Done,
    Leave,
    NumbersShown,
    Request,
    RequestRefusedError,
    Verify,
)
from bridge.service import control
from bridge.service.answering import MAX_PAGE, answer, as_line
from bridge.service.control import Control, ControlError, Object, ask, socket_path
from bridge.store import StoreError

pytestmark = pytest.mark.timeout(30)

SHOWN = NumbersShown("xmpp:bob@a", "bob", "1" * 60)


class Desk:
    """What is asked here is written down; the answers are the test's."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.error: Exception | None = None

    async def report(self) -> Object:
        return {"running": True}

    async def do(self, room: str, request: Request) -> Answer:
        self.asked.append((room, request))
        if self.error is not None:
            raise self.error
        return SHOWN if isinstance(request, Verify) else Done()

    async def history(self, room: str, limit: int, before: int) -> list[Object]:
        self.asked.append((room, limit, before))
        return []

    async def forget(self, room: str) -> None:
        self.asked.append((room, "forget"))


@asynccontextmanager
async def listening(folder: Path, desk: Desk, name: str = "a.db") -> AsyncIterator[Path]:
    database = folder / name

    async def reply(line: bytes | None) -> Object:
        return await answer(desk, line)

    served = Control(database, reply)
    await served.start()
    try:
        yield database
    finally:
        await served.stop()
        assert not socket_path(database).exists()


async def send(database: Path, data: bytes) -> Object:
    """What is answered to these bytes."""
    reader, writer = await asyncio.open_unix_connection(socket_path(database), limit=1 << 22)
    try:
        writer.write(data)
        found: Object = json.loads(await reader.readuntil(b"\n"))
        assert await reader.read() == b""  # one answer, and the connection ends
        return found
    finally:
        writer.transport.abort()


@pytest.mark.asyncio
async def test_questions_are_answered_one_to_a_connection(tmp_path: Path) -> None:
    desk = Desk()
    async with listening(tmp_path, desk) as database:
        assert await ask(database, {"type": "status"}) == {"type": "ok", "request": None, "service": {"running": True}}
        shown = await ask(database, {"room": "tea", "type": "verify", "account": "bob"})
        assert shown == {"type": "ok", "request": None, "account": SHOWN.account, "name": "bob", "digits": SHOWN.digits}
        await ask(database, {"room": "tea", "type": "confirm", "account": "bob", "digits": "123"})
        await ask(database, {"room": "tea", "type": "leave"})
        await ask(database, {"room": "tea", "type": "history", "limit": 3})
        await ask(database, {"room": "tea", "type": "forget"})
        await send(database, b'{"type":"status"}\n{"room":"tea","type":"leave"}\n')
    assert desk.asked == [
        ("tea", Verify("bob")),
        ("tea", Confirm("bob", "123")),
        ("tea", Leave()),
        ("tea", 3, (1 << 53) - 1),
        ("tea", "forget"),
    ]


@pytest.mark.asyncio
async def test_what_is_refused_says_what_to_do(tmp_path: Path) -> None:
    desk = Desk()
    async with listening(tmp_path, desk) as database:
        desk.error = RequestRefusedError("Not you.", next_step="Ask Bob.")
        refused = await ask(database, {"room": "tea", "type": "leave"})
        assert refused == {"type": "error", "request": None, "line": 1, "what": "Not you.", "next_step": "Ask Bob."}
        desk.error = RequestRefusedError("Not him.", next_step="Who is here", command="members")
        refused = await ask(database, {"room": "tea for two", "type": "leave"})
        assert refused is not None
        assert refused["next_step"] == "Who is here: mls-bridge members --room 'tea for two'"
        desk.error = StoreError("full", where="a.db")
        refused = await ask(database, {"room": "tea", "type": "leave"})
        assert refused is not None
        assert refused["what"] == "a.db: full"
        desk.error = ZeroDivisionError()
        refused = await ask(database, {"room": "tea", "type": "leave"})
        assert refused is not None
        assert "failed unexpectedly" in refused["what"]
        assert await ask(database, {"type": "status"})  # and it goes on


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "line, what",
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "room: missing"),
        (b'{"type":"leave"}', "room: missing"),
        (b'{"type":"status","x":1}', "no such field"),
        (b'{"room":1,"type":"leave"}', "room: not text"),
        (b'{"room":"tea"}', "type: not one of"),
        (b'{"room":"tea","type":[]}', "type: not one of"),
        (b'{"room":"tea","type":"leave","x":1}', "no such field"),
        (b'{"room":"tea","type":"verify"}', "account: not text"),
        (b'{"room":"tea","type":"quit"}', "for who listens"),
        (b'{"room":"tea","type":"ack","position":1}', "for who listens"),
        (b'{"room":"tea","type":"history","limit":0}', "limit: not a number"),
        (b'{"room":"tea","type":"history","limit":true}', "limit: not a number"),
        (b'{"room":"tea","type":"history","limit":%d}' % (MAX_PAGE + 1), "limit: not a number"),
        (b'{"room":"tea","type":"history","after":1}', "no such field"),
        (b'{"room":"tea","type":"forget","account":"bob"}', "no such field"),
    ],
)
async def test_lines_that_are_no_questions_get_an_error(line: bytes, what: str) -> None:
    desk = Desk()
    given = await answer(desk, line)
    assert given["type"] == "error"
    assert what in given["what"]
    assert desk.asked == []


VALUES = st.none() | st.booleans() | st.integers() | st.text()
KINDS = st.sampled_from(["verify", "confirm", "say", "history", "forget", "status", "members"])
FIELDS = st.dictionaries(st.sampled_from(["account", "digits", "text", "limit", "before", "id", "x"]), VALUES)


@given(st.binary(max_size=200), KINDS | VALUES, VALUES | st.just("tea"), FIELDS)
def test_any_line_has_an_answer(data: bytes, kind: object, room: object, fields: dict[str, object]) -> None:
    for line in (data, as_line({"room": room, "type": kind, **fields})):
        assert asyncio.run(answer(Desk(), line))["type"] in {"ok", "error"}


@pytest.mark.asyncio
async def test_a_line_too_long_or_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "READING", 0.2)
    async with listening(tmp_path, Desk()) as database:
        for data in (b'{"type":"status"}', b"x" * 100_000):  # and nothing more comes
            assert "did not end in time" in (await send(database, data))["what"]
        assert "too long" in (await send(database, b"x" * (control.MAX_LINE + 10) + b"\n"))["what"]
        assert await ask(database, {"type": "status"})


@pytest.mark.asyncio
async def test_the_socket_is_its_owners(tmp_path: Path) -> None:
    async with listening(tmp_path, Desk()) as database:
        assert stat.S_IMODE(socket_path(database).stat().st_mode) == 0o600


@pytest.mark.asyncio
async def test_another_user_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    async with listening(tmp_path, desk) as database:
        monkeypatch.setattr("bridge.service.control.struct.unpack", lambda *_: (1, os.geteuid() + 1, 1))
        with pytest.raises(ControlError, match="no answer"):
            await ask(database, {"room": "tea", "type": "leave"})
    assert desk.asked == []


@pytest.mark.asyncio
async def test_many_at_once_are_bounded(tmp_path: Path) -> None:
    async with listening(tmp_path, Desk()) as database:
        idle = [await asyncio.open_unix_connection(socket_path(database)) for _ in range(control.MAX_CONNECTIONS)]
        with pytest.raises(ControlError, match="busy"):
            await ask(database, {"type": "status"})
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await ask(database, {"type": "status"})
                    break
                except ControlError:
                    await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_where_nobody_listens(tmp_path: Path) -> None:
    assert await ask(tmp_path / "a.db", {"type": "status"}) is None
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path(tmp_path / "a.db")))
    assert await ask(tmp_path / "a.db", {"type": "status"}) is None  # a killed process has left it
    async with listening(tmp_path, Desk()) as database:  # and whoever comes next takes its place
        assert await ask(database, {"type": "status"})


@pytest.mark.asyncio
async def test_a_path_too_long_for_a_socket_stops_nothing(tmp_path: Path) -> None:
    name = "x" * 200
    with capture_logs() as logs:
        async with listening(tmp_path, Desk(), name) as database:
            assert await ask(database, {"type": "status"}) is None
    assert "cannot be asked while running" in [line["event"] for line in logs]


@pytest.mark.asyncio
@pytest.mark.skipif(not control.DESCRIPTORS.is_dir(), reason="only Linux has short paths for deep folders")
async def test_a_folder_however_deep_has_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120) / ("y" * 120)
    folder.mkdir(parents=True)
    async with listening(folder, Desk()) as database:
        assert await ask(database, {"type": "status"})
        assert stat.S_IMODE(socket_path(database).stat().st_mode) == 0o600
    assert await ask(database, {"type": "status"}) is None
    left = sorted(str(each.readlink()) for each in control.DESCRIPTORS.iterdir() if each.exists())
    assert str(folder) not in left
