"""What bare clients carry is what the transports carry, and who waits for it does not wait for ever."""

from __future__ import annotations

import asyncio
import base64
from time import monotonic

import pytest

from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from tests.benchmarks.servers.cargo import ENVELOPES, NOTED, TEXT, Cargo, carried
from tests.benchmarks.servers.hearing import Ear
from transports.matrix.events import read_event
from transports.room import EnvelopeSeen, PlaintextSeen, RoomAddress, RoomEvent
from transports.xmpp.plugin import read_envelope

SENT = envelope(EnvelopeKind.APPLICATION, b"flood", bytes(350)).encode()
TEXT_OF_SENT = base64.b64encode(SENT).decode()


def _read(cargo: Cargo, text: str) -> RoomEvent:
    event = {"event_id": "$e", "type": cargo.event_type, "sender": "@a:example.org", "content": cargo.content(text)}
    entry = read_event(event, RoomAddress("matrix:roomid/r:example.org"), "@b:example.org")
    assert entry is not None
    assert entry.event is not None
    return entry.event


def test_an_envelope_is_carried_as_the_transports_carry_it() -> None:
    for cargo in (ENVELOPES, NOTED):
        seen = _read(cargo, TEXT_OF_SENT)
        message = read_envelope(cargo.message("tea@muc.example.org", TEXT_OF_SENT))
        assert isinstance(seen, EnvelopeSeen)
        assert message is not None
        assert seen.envelope == message.envelope == SENT
        assert (seen.note is None) == (message.note is None) == (cargo is ENVELOPES)


@pytest.mark.parametrize("cargo", [TEXT, ENVELOPES, NOTED])
def test_what_is_carried_is_told(cargo: Cargo) -> None:
    assert cargo.text_of_content(cargo.content(TEXT_OF_SENT)) == TEXT_OF_SENT
    assert cargo.text_of_message(cargo.message("tea@muc.example.org", TEXT_OF_SENT)) == TEXT_OF_SENT


def test_clear_text_is_a_message_for_everybody() -> None:
    seen = _read(TEXT, "Tea?")
    assert isinstance(seen, PlaintextSeen)
    assert seen.body == "Tea?"
    assert TEXT.text_of_content({}) is None
    assert TEXT.text_of_message(ENVELOPES.message("tea@muc.example.org", TEXT_OF_SENT)) is None


def test_the_size_is_that_of_the_base64_and_what_is_around_it() -> None:
    assert all(size > len(TEXT_OF_SENT) for size in carried(ENVELOPES, TEXT_OF_SENT).values())
    assert carried(NOTED, TEXT_OF_SENT)["Matrix"] > carried(ENVELOPES, TEXT_OF_SENT)["Matrix"] + 150


@pytest.mark.asyncio
@pytest.mark.timeout(10)
async def test_waiting_ends_when_nothing_comes_any_more() -> None:
    ear = Ear()
    loop = asyncio.get_running_loop()
    for number in range(6):
        loop.call_later(number * 0.1, ear.hear, str(number))
    begin = monotonic()
    with pytest.raises(TimeoutError, match="of 7 messages 6 are there"):
        await ear.until_all([str(number) for number in range(7)], patience=0.3)
    assert monotonic() - begin > 0.5 + 0.3 - 0.05  # each one that came has given it new patience


@pytest.mark.asyncio
@pytest.mark.timeout(10)
async def test_waiting_ends_when_all_are_there_whatever_else_came() -> None:
    ear = Ear()
    for number, text in enumerate(("other", "another", "one", "two")):
        asyncio.get_running_loop().call_later(0.05 * number, ear.hear, text)
    await ear.until_all(["one", "two"], patience=5)
    assert list(ear.shown) == ["other", "another", "one", "two"]
    assert await ear.until("one") == ear.shown["one"]
