"""A sequencer tells who asks which seals there are, after the members have had their turns."""

import random
from pathlib import Path

import pytest

from bridge.protocol.asking import (
    Answer,
    EnvelopesWanted,
    HeadWanted,
    LogWanted,
    Wanted,
    open_answer,
    request_envelope,
)
from bridge.protocol.bodies import LogPosition, open_body
from bridge.protocol.code_points import MAX_ENVELOPE, MAX_INLINE, MAX_SEALED, EnvelopeKind
from bridge.protocol.envelope import envelope, identity_of, open_envelope
from bridge.protocol.seal import Seal
from tests.bridge.order.sequencers import ALICE, COMMIT, EVE, home, seals, start
from tests.bridge.relay.world import GROUP, World, message, posted
from transports.memory import MemoryRoom, RoomRules

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def sealing(world: World, tmp_path: Path, count: int, rules: RoomRules | None = None) -> MemoryRoom:
    room = home(world, rules or RoomRules())
    await start(world, tmp_path)
    for number in range(count):
        room.post_envelope(ALICE, message(COMMIT, b"%d" % number), transaction=str(number))
        await world.settle()
    return room


async def ask(world: World, room: MemoryRoom, wanted: Wanted, *, nonce: int = 0, group: bytes = GROUP) -> None:
    asked = request_envelope(group, nonce.to_bytes(16, "big"), wanted)
    room.post_envelope(EVE, asked.encode(), transaction=f"ask {nonce} {group.hex()}")
    await world.settle()


async def wait(world: World, milliseconds: int) -> None:
    world.clock.advance(milliseconds)
    await world.settle()


def answers(room: MemoryRoom) -> list[Answer]:
    return [open_answer(open_envelope(data)) for data in posted(room, EnvelopeKind.ANSWER)]


def numbers(answer: Answer) -> list[int]:
    return [open_body(Seal, open_envelope(data)).content.seq for data in answer.envelopes]


async def test_the_newest_seal_and_those_behind_a_place(world: World, tmp_path: Path) -> None:
    room = await sealing(world, tmp_path, 3)
    await ask(world, room, HeadWanted())
    await wait(world, 3_000)
    assert answers(room) == []  # first the members
    await wait(world, 12_000)
    first = seals(room)[0]
    await ask(world, room, LogWanted(first.position), nonce=1)
    await wait(world, 14_000)
    assert [numbers(answer) for answer in answers(room)] == [[3], [2, 3]]
    assert all(answer.head.seq == 3 for answer in answers(room))


async def test_not_if_a_member_has_answered(world: World, tmp_path: Path) -> None:
    room = await sealing(world, tmp_path, 2)
    await ask(world, room, HeadWanted())
    newest = posted(room, EnvelopeKind.SEAL)[-1]
    for nonce, envelopes in ((bytes(16), ()), (bytes(16), (newest,))):
        given = envelope(EnvelopeKind.ANSWER, GROUP, Answer(nonce, LogPosition(0, 2, bytes(32)), envelopes, 1))
        room.post_envelope(ALICE, given.encode(), transaction=f"answer {len(envelopes)}")
    await world.settle()
    await wait(world, 14_000)
    assert len(answers(room)) == 2


async def test_what_a_stranger_has_taken_back_before_a_member_read_it_is_not_lost(world: World, tmp_path: Path) -> None:
    room = await sealing(world, tmp_path, 1)
    large = message(COMMIT, bytes(MAX_INLINE + 1))
    room.post_envelope(EVE, large, transaction="large")
    await world.settle()
    assert seals(room)[-1].entries[0].inlined == b""
    await ask(world, room, EnvelopesWanted((identity_of(large),)))
    await wait(world, 14_000)
    assert [answer.envelopes for answer in answers(room)] == [(large,)]


async def test_what_would_not_fit_into_an_answer_has_no_place_in_the_order(world: World, tmp_path: Path) -> None:
    room = await sealing(world, tmp_path, 1, RoomRules(envelope_bytes=MAX_ENVELOPE))
    body = bytes(MAX_SEALED - len(message(COMMIT, bytes(MAX_SEALED // 2))) + MAX_SEALED // 2)
    for data in (message(COMMIT, body), message(COMMIT, body + b"x")):
        room.post_envelope(EVE, data, transaction=str(len(data)))
    await world.settle()
    (largest,) = [entry.identity for content in seals(room)[1:] for entry in content.entries]
    assert largest == identity_of(message(COMMIT, body))
    await ask(world, room, EnvelopesWanted((largest,)))
    await wait(world, 14_000)
    assert len(answers(room)) == 1


async def test_not_of_another_group_nor_without_end(world: World, tmp_path: Path) -> None:
    room = await sealing(world, tmp_path, 1)
    await ask(world, room, HeadWanted(), group=b"another group")
    await ask(world, room, LogWanted(LogPosition(0, 0, random.Random(1).randbytes(32))), nonce=2)  # of another log
    await wait(world, 14_000)
    assert answers(room) == []
    for number in range(100):
        asked = request_envelope(GROUP, number.to_bytes(16, "big"), HeadWanted())
        room.post_envelope(EVE, asked.encode(), transaction=f"one of many {number}")
    await world.settle()
    await wait(world, 14_000)
    assert 1 <= len(answers(room)) <= 20


async def test_an_answer_is_never_larger_than_an_envelope_may_be(world: World, tmp_path: Path) -> None:
    room = await sealing(world, tmp_path, 1, RoomRules(envelope_bytes=MAX_ENVELOPE))
    for number in range(2):
        room.post_envelope(EVE, message(COMMIT, bytes([number]) * (MAX_SEALED - 1024)), transaction=f"large {number}")
        await world.settle()
    names = [entry.identity for content in seals(room)[1:] for entry in content.entries]
    await ask(world, room, LogWanted(seals(room)[0].position))
    await ask(world, room, EnvelopesWanted(tuple(names)), nonce=1)
    await wait(world, 14_000)
    of_log, of_envelopes = answers(room)
    assert numbers(of_log) == [2, 3]
    assert [identity_of(data) for data in of_envelopes.envelopes] == names[:1]
    assert (of_envelopes.is_all, max(map(len, posted(room, EnvelopeKind.ANSWER))) <= MAX_ENVELOPE) == (0, True)
