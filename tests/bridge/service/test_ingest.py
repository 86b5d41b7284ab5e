"""What of a batch is passed on to roles, and as what."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import mls
from bridge.member.environment import environment
from bridge.protocol.bodies import KeyPackagePurpose, PublishedKeyPackage
from bridge.protocol.code_points import MAX_FRAGMENTS, EnvelopeKind
from bridge.protocol.envelope import envelope, identity_of, open_envelope
from bridge.protocol.fragments import Fragment, split
from bridge.protocol.identity import Identity
from bridge.service.ingest import Ingested, Refusal, ingest
from bridge.service.transactions import MAX_TRANSACTION, of_fragment, of_whole
from bridge.store import OutboxEntry, Store
from tests.bridge.service.worlds import ALICE, BOB, TEA, application, open_store
from transports.room import (
    Account,
    Batch,
    EnvelopeSeen,
    HistoryLost,
    MalformedSeen,
    Origin,
    PlaintextSeen,
    RoomEnded,
    RoomEvent,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(30)]

EVE = Account("memory:eve")


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store(tmp_path) as opened:
        yield opened


def seen(data: bytes, event_id: str, *, sender: Account = BOB, transaction: str | None = None) -> EnvelopeSeen:
    return EnvelopeSeen(Origin(TEA, event_id, sender, 1), data, transaction)


async def take(store: Store, *events: RoomEvent) -> Ingested:
    async with store.transaction() as tx:
        return await ingest(tx, ALICE, Batch(events, b"cursor", is_live=True), now=1)


async def passed(store: Store) -> list[RoomEvent]:
    async with store.transaction() as tx:
        return [stored.event for stored in (await tx.events.after(ALICE, TEA, 0, 1000)).events]


async def test_a_copy_is_dropped_wherever_it_comes_from(store: Store) -> None:
    original = seen(application("one"), "$1")
    await take(store, original, seen(application("one"), "$2", sender=EVE))
    ingested = await take(store, seen(application("one"), "$3"))

    assert await passed(store) == [original]
    assert ingested.refused == {(TEA, Refusal.DUPLICATE): 1}
    assert ingested.rooms == set()


def key_package(account: Account) -> bytes:
    client = mls.Client.basic(Identity(account, "laptop").encode(), os.urandom)
    bundle = mls.create_key_package(client, environment(os.urandom), lifetime=mls.lifetime_of_days(30, now=0))
    body = PublishedKeyPackage(KeyPackagePurpose.ASK, TEA.encode(), bundle.message.encode())
    return envelope(EnvelopeKind.KEY_PACKAGE, b"", body).encode()


@pytest.mark.parametrize("is_in_fragments", [False, True])
async def test_a_faster_copy_does_not_keep_an_account_from_being_seen_to_ask(
    store: Store, *, is_in_fragments: bool
) -> None:
    data = key_package(BOB)
    parts = split(open_envelope(data), 300) if is_in_fragments else [data]
    await take(store, seen(data, "$copy", sender=EVE), seen(data, "$another copy", sender=Account("memory:mallory")))
    await take(store, *(seen(part, f"$own {index}") for index, part in enumerate(parts)))
    await take(store, seen(data, "$again"), seen(data, "$late", sender=EVE))

    senders = [event.origin.sender for event in await passed(store) if isinstance(event, EnvelopeSeen)]
    assert senders == [EVE, BOB]


async def test_copies_of_what_an_account_was_seen_to_post_are_dropped(store: Store) -> None:
    data = key_package(BOB)
    await take(store, seen(data, "$own"), seen(data, "$copy", sender=EVE), seen(data, "$again"))

    assert await passed(store) == [seen(data, "$own")]


@pytest.mark.parametrize("body", [b"", b"junk", bytes(200_000)], ids=["empty", "junk", "large"])
async def test_what_is_no_key_package_is_passed_on_once(store: Store, body: bytes) -> None:
    data = envelope(EnvelopeKind.KEY_PACKAGE, b"", body).encode()
    await take(store, seen(data, "$1"), seen(data, "$2", sender=EVE), seen(data, "$3"))

    assert await passed(store) == [seen(data, "$1")]


async def test_answers_are_known_to_who_copies_them(store: Store) -> None:
    answer = envelope(EnvelopeKind.ANSWER, b"group", b"the same").encode()
    await take(store, seen(answer, "$1"))

    async with store.transaction() as tx:
        assert await tx.seen.contains(f"{ALICE} {TEA}", identity_of(answer))


async def test_the_end_of_a_room_is_passed_on(store: Store) -> None:
    ended = RoomEnded(TEA, "it was destroyed", None)
    ingested = await take(store, seen(application("one"), "$1"), ended)

    assert await passed(store) == [seen(application("one"), "$1"), ended]
    assert ingested.ended == {TEA: "it was destroyed"}


async def test_answers_may_come_again(store: Store) -> None:
    answer = envelope(EnvelopeKind.ANSWER, b"group", b"the same").encode()
    await take(store, seen(answer, "$1"), seen(answer, "$2"))

    assert len(await passed(store)) == 2


async def test_an_event_that_is_told_again_is_the_same(store: Store) -> None:
    plain = PlaintextSeen(Origin(TEA, "$1", BOB, 1), "in clear")
    await take(store, plain)
    await take(store, plain)

    assert await passed(store) == [plain]


async def test_lost_history_is_passed_on(store: Store) -> None:
    lost = HistoryLost(TEA, "the archive begins later")
    ingested = await take(store, lost)

    assert await passed(store) == [lost]
    assert ingested.rooms == {TEA}


async def test_fragments_in_any_order_make_the_envelope(store: Store) -> None:
    whole = application("x" * 10_000)
    parts = [seen(part, f"${index}") for index, part in enumerate(split(open_envelope(whole), 2000))]
    await take(store, *reversed(parts[1:]), parts[1])
    assert await passed(store) == []
    await take(store, parts[0])

    assert await passed(store) == [seen(whole, "$0")]


async def test_fragments_that_are_told_again_make_no_second_envelope(store: Store) -> None:
    whole = application("x" * 10_000)
    parts = split(open_envelope(whole), 2000)
    for attempt in range(3):
        await take(store, *(seen(part, f"${attempt} {index}") for index, part in enumerate(parts)))

    assert len(await passed(store)) == 1


async def test_another_sender_cannot_spoil_fragments(store: Store) -> None:
    whole = application("x" * 10_000)
    parts = split(open_envelope(whole), 2000)
    spoilt = envelope(
        EnvelopeKind.FRAGMENT, b"group", Fragment(identity_of(whole), 0, len(parts), b"something else")
    ).encode()
    await take(store, seen(spoilt, "$e", sender=EVE), *(seen(part, f"${index}") for index, part in enumerate(parts)))

    assert [event.envelope for event in await passed(store) if isinstance(event, EnvelopeSeen)] == [whole]


WHOLE = identity_of(b"whole")


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param([b"no fragment"], id="no fragment"),
        pytest.param([Fragment(WHOLE, 0, 1, b"alone").encode()], id="one of one"),
        pytest.param([Fragment(WHOLE, 2, 2, b"beyond").encode()], id="beyond the last"),
        pytest.param([Fragment(WHOLE, 0, MAX_FRAGMENTS + 1, b"many").encode()], id="too many"),
        pytest.param([Fragment(WHOLE, 0, 2, b"a").encode(), Fragment(WHOLE, 1, 3, b"b").encode()], id="two counts"),
        pytest.param([Fragment(WHOLE, 0, 2, b"a").encode(), Fragment(WHOLE, 0, 2, b"b").encode()], id="two contents"),
        pytest.param([Fragment(WHOLE, 0, 2, b"a").encode(), Fragment(WHOLE, 1, 2, b"b").encode()], id="another whole"),
    ],
)
async def test_a_fragment_that_is_wrong_is_malformed(store: Store, bodies: list[bytes]) -> None:
    data = [envelope(EnvelopeKind.FRAGMENT, b"group", body).encode() for body in bodies]
    ingested = await take(store, *(seen(one, f"${index}") for index, one in enumerate(data)))

    (event,) = await passed(store)
    assert isinstance(event, MalformedSeen)
    assert event.origin.event_id == f"${len(bodies) - 1}"
    assert ingested.refused == {(TEA, Refusal.MALFORMED): 1}


@pytest.mark.parametrize("inner_group", [b"another group", b"group"])
async def test_fragments_of_what_may_not_come_in_fragments_are_malformed(store: Store, inner_group: bytes) -> None:
    kind = EnvelopeKind.FRAGMENT if inner_group == b"group" else EnvelopeKind.APPLICATION
    inner = envelope(kind, inner_group, b"x" * 100).encode()
    halves = [inner[:50], inner[50:]]
    for index, half in enumerate(halves):
        body = Fragment(identity_of(inner), index, 2, half)
        await take(store, seen(envelope(EnvelopeKind.FRAGMENT, b"group", body).encode(), f"${index}"))

    (event,) = await passed(store)
    assert isinstance(event, MalformedSeen)


@pytest.mark.parametrize("is_copied_first", [False, True])
async def test_ones_own_envelope_is_a_receipt_even_as_a_copy(store: Store, *, is_copied_first: bool) -> None:
    whole = application("x" * 10_000)
    async with store.transaction() as tx:
        await tx.outbox.add(OutboxEntry(ALICE, TEA, whole, "t1", None, None, "test", 0))
    if is_copied_first:
        await take(store, seen(whole, "$copy", sender=EVE))
    ingested = Ingested()
    for index, part in enumerate(split(open_envelope(whole), 2000)):
        own = seen(part, f"${index}", sender=ALICE, transaction=of_fragment("t1", index))
        ingested = await take(store, own)

    assert ingested.reflected == {"t1": TEA}
    async with store.transaction() as tx:
        assert await tx.outbox.count(ALICE) == 0
    assert len(await passed(store)) == 1


async def test_a_batch_is_stored_with_its_cursor_or_not_at_all(store: Store) -> None:
    async def fail() -> None:
        async with store.transaction() as tx:
            await ingest(tx, ALICE, Batch((seen(application("one"), "$1"),), b"cursor", is_live=True), now=1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await passed(store) == []
    async with store.transaction() as tx:
        assert await tx.cursors.get(ALICE) is None
    await take(store, seen(application("one"), "$1"))
    assert len(await passed(store)) == 1


async def test_transactions_of_fragments() -> None:
    longest = "t" * MAX_TRANSACTION
    last = of_fragment(longest, MAX_FRAGMENTS - 1)
    assert len(last) == 64
    assert of_whole(last) == longest
