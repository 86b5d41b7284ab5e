"""What goes wrong with networks and disks: it is said, tried again where that helps, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.service import entering, waiting
from bridge.service import lane as lane_module
from bridge.service import publishing as publishing_module
from bridge.service.errors import AccountStoppedError
from bridge.service.publishing import FailedEntry
from bridge.store import StoredEvent
from bridge.store.errors import CorruptStoreError, DiskFullError
from tests.bridge.service.worlds import ALICE, BOB, TEA, Faulty, Notebook, World, application, failing, until
from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    LoginError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    TooLargeError,
    UntrustedServerError,
)
from transports.memory import Delay, Rate, RoomKind, RoomRules
from transports.room import Account, ConnectionState, RoomAddress, Transport

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 20)
    monkeypatch.setattr(entering, "ROOM_PATIENCE", 50)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.room()
    return world


class Faults:
    """Makes a transport faulty, and keeps it at hand."""

    transport: Faulty

    def __call__(self, inner: Transport) -> Transport:
        self.transport = Faulty(inner)
        return self.transport


@pytest.mark.parametrize(
    "error",
    [
        RetryableError("not now", where="x"),
        ConnectionLostError("gone", where="x"),
        RateLimitedError("slowly", where="x", after=0.02),
        RuntimeError("a fault of a library"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_may_pass_is_tried_again(world: World, error: Exception) -> None:
    faults, notebook = Faults(), Notebook()
    async with world.service(notebook, wrap=faults) as running:
        faults.transport.on_publish = failing(error, error)
        faults.transport.on_start = faults.transport.on_join = faults.transport.on_batch = failing(error, error)
        await running.say(notebook, "one", "two")
        await notebook.until(lambda: len(notebook.texts) == 2)

    assert world.texts_in() == ["one", "two"]


@pytest.mark.parametrize(
    "error",
    [
        PermanentError("no", where="x"),
        TooLargeError("too much", where="x"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_will_not_pass_is_told_and_the_next_goes_on(world: World, error: PermanentError) -> None:
    faults, notebook, failed = Faults(), Notebook(), list[FailedEntry]()
    other = Notebook("other")
    async with world.service(notebook, wrap=faults) as running:
        running.service.add_consumer(other, role="test", room_name="tea", on_failed=failed.append)
        faults.transport.on_publish = failing(error)
        await running.say(notebook, "one", "two")
        await notebook.until(lambda: notebook.texts == ["two"])
        async with running.store.transaction() as tx:
            assert await tx.outbox.waiting(ALICE, TEA, 10) == []

    assert [(one.reason, one.is_held) for one in failed] == [(error.what, False)]
    assert world.metrics.refused.labels(str(TEA), "unpublishable")._value.get() == 1


@pytest.mark.parametrize("error_type", [LoginError, UntrustedServerError])
@pytest.mark.parametrize("place", ["on_start", "on_join", "on_batch", "on_publish"])
async def test_an_account_that_is_refused_stops_and_keeps_what_it_has(
    world: World, place: str, error_type: type[PermanentError]
) -> None:
    faults, notebook = Faults(), Notebook()
    async with world.service(notebook, wrap=faults) as running:
        setattr(faults.transport, place, failing(error_type("not you", where="x")))
        await running.say(notebook, "kept")
        world.network.room(TEA).post_envelope(BOB, application("x"), transaction="t")
        await until(lambda: running.account.problem is not None)
        assert running.account.problem == "not you"
        assert running.service.readiness().accounts == {"alice": ConnectionState.LOST}
        async with running.store.transaction() as tx:
            assert await tx.outbox.count(ALICE) == (0 if world.texts_in() == ["kept", "x"] else 1)
        assert not running.task.done()

    again = Notebook("again")
    async with world.service(again):
        await again.until(lambda: sorted(again.texts) == ["kept", "x"])


async def test_a_room_that_refuses_is_asked_again(world: World) -> None:
    faults, notebook = Faults(), Notebook()
    async with world.service(notebook, wrap=faults) as running:
        faults.transport.on_join = failing(ForbiddenError("not invited", where="x"))
        with pytest.raises(ForbiddenError, match="not invited"):
            await running.account.joined(TEA)
        assert running.service.readiness().rooms == {TEA: "not invited"}
        assert (await running.account.joined(TEA)).address == TEA
        await running.say(notebook, "in")
        await notebook.until(lambda: notebook.texts == ["in"])


async def test_nobody_waits_for_rooms_of_a_stopped_account(world: World) -> None:
    faults, notebook = Faults(), Notebook()
    async with world.service(notebook, wrap=faults) as running:
        faults.transport.on_start = failing(LoginError("the password is wrong", where="x"))
        with pytest.raises(AccountStoppedError, match="the password is wrong"):
            await running.account.joined(TEA)


async def test_a_lost_answer_costs_a_copy_that_roles_do_not_see(world: World) -> None:
    notebook = Notebook()
    async with world.service(notebook) as running:
        await until(lambda: running.account.has_read(TEA))
        world.network.lose_answers(ALICE)
        await running.say(notebook, "one", "two")
        await notebook.until(lambda: notebook.texts == ["one"])
        world.network.reconnect(ALICE)
        await notebook.until(lambda: notebook.texts == ["one", "two"])

    assert notebook.texts == ["one", "two"]


async def test_a_broken_connection_keeps_the_order(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room(kind=RoomKind.MATRIX, posting=Delay(0, 3))
    texts = [str(number) for number in range(60)]
    async with world.service(notebook) as running:
        await until(lambda: running.account.has_read(TEA))
        await running.say(notebook, *texts)
        for _ in range(5):
            await asyncio.sleep(0.02)
            world.network.disconnect(ALICE)
            await asyncio.sleep(0.01)
            world.network.reconnect(ALICE)
        await notebook.until(lambda: len(notebook.texts) == 60)

    assert notebook.texts == world.texts_in() == texts


async def test_what_is_not_seen_in_the_room_is_published_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "REFLECTION_PATIENCE", 100)
    faults, notebook = Faults(), Notebook()
    async with world.service(notebook, wrap=faults) as running:
        await until(lambda: running.account.has_read(TEA))
        swallowed = faults.transport.inner
        publish = swallowed.publish
        lost: list[str] = []

        async def swallow(_room: RoomAddress, _envelope: bytes, *, transaction: str, **_: object) -> None:
            lost.append(transaction)
            swallowed.publish = publish

        swallowed.publish = swallow
        await running.say(notebook, "one", "two")
        await notebook.until(lambda: len(notebook.texts) == 2)

    assert len(lost) == 1


async def test_a_server_that_wants_patience_gets_it(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room(rate=Rate(per_second=20, burst=2))
    texts = [str(number) for number in range(12)]
    async with world.service(notebook) as running:
        await running.say(notebook, *texts)
        await notebook.until(lambda: len(notebook.texts) == 12)

    assert world.texts_in() == texts


async def test_a_room_that_takes_less_than_it_says_gets_fragments(world: World) -> None:
    faults, notebook = Faults(), Notebook()
    async with world.service(notebook, wrap=faults) as running:
        faults.transport.on_publish = failing(TooLargeError("too large", where="x", limit=1000))
        await running.say(notebook, "long", size=5000)
        await notebook.until(lambda: len(notebook.texts) == 1)

    assert len(notebook.texts[0]) == 5000
    assert len(world.network.room(TEA).events()) > 5


async def test_over_xmpp_envelopes_do_not_wait_for_each_others_answers(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, room = Account("xmpp:alice@example.org"), RoomAddress("xmpp:tea@muc.example.org")
    world.network.create_room(room, rules=RoomRules(posting=Delay(50, 50)), members=[alice])
    notebook, texts = Notebook(account=alice, room=room), [str(number) for number in range(100)]
    async with world.service(notebook, account=alice) as running:
        await until(lambda: running.account.has_read(room))
        async with asyncio.timeout(2):  # one after the other they would take five seconds
            await running.say(notebook, *texts[:99])
            await running.say(notebook, texts[99], size=300_000)
            await notebook.until(lambda: len(notebook.texts) == 100)

    assert notebook.texts[:99] == texts[:99]
    assert notebook.texts[99].startswith("99.")


async def test_a_connection_that_comes_back_without_a_word_is_used_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing_module, "CATCH_UP_PATIENCE", 50)
    notebook = Notebook()
    async with world.service(notebook) as running:
        await until(lambda: running.account.has_read(TEA))
        running.account._connection_changed(ConnectionState.LOST)
        running.account._connection_changed(ConnectionState.LIVE)
        await running.say(notebook, "one")
        await notebook.until(lambda: notebook.texts == ["one"])


async def test_what_was_told_before_a_connection_broke_does_not_mend_it(world: World) -> None:
    faults, notebook = Faults(), Notebook()
    async with world.service(notebook, wrap=faults) as running:
        await until(lambda: running.account.has_read(TEA))

        async def break_connection() -> None:
            running.account._connection_changed(ConnectionState.LOST)

        faults.transport.on_batch = break_connection
        await running.say(notebook, "one")
        await notebook.until(lambda: notebook.texts == ["one"])
        await running.say(notebook, "two")
        await asyncio.sleep(0.1)
        assert world.texts_in() == ["one"]

        faults.transport.on_batch = failing()
        running.account._connection_changed(ConnectionState.LIVE)
        await notebook.until(lambda: notebook.texts == ["one", "two"])


# The disk


async def test_a_full_disk_stops_the_service_with_words_and_loses_nothing(world: World) -> None:
    notebook = Notebook()
    texts = [f"{number} " + "x" * 20_000 for number in range(100)]
    async with world.service(notebook, max_page_count=200) as running:
        running.is_expected_to_fail = True
        for number, text in enumerate(texts):
            world.network.room(TEA).post_envelope(BOB, application(text), transaction=f"t{number}")
        with pytest.raises(DiskFullError, match=r"no room left for the database\. Make room and start again"):
            await running.task
    again = Notebook()
    async with world.service(again):
        await again.until(lambda: len(notebook.texts) + len(again.texts) == 100)

    assert notebook.texts + again.texts == texts


async def test_a_database_that_gets_damaged_stops_the_service_with_words(world: World) -> None:
    notebook = Notebook()

    def fail(_events: Sequence[StoredEvent]) -> None:
        raise CorruptStoreError("the file is damaged", where="test.db")

    notebook.before = fail
    async with world.service(notebook) as running:
        running.is_expected_to_fail = True
        world.network.room(TEA).post_envelope(BOB, application("one"), transaction="t")
        with pytest.raises(CorruptStoreError, match="Move the file away"):
            await running.task
