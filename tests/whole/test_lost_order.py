"""What a room has lost of the order comes back from those who have it: real servers, and real programs."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from bridge.conversation import EpochChanged, Joined, MessageArrived, Notice, Remove, Removed
from bridge.protocol.code_points import SEALED_KINDS, EnvelopeKind
from bridge.protocol.envelope import open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.servers import SynapseServer, XmppServer
from tests.whole.people import Person, introduce
from tests.whole.scene import Scene, linked_rooms
from transports.carriers import MATRIX_EVENT_TYPE

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]

ORDER = SEALED_KINDS | {EnvelopeKind.SEAL}


def ids_of_the_order(scene: Scene) -> list[str]:
    """Return the events of the Matrix room that the order consists of, the newest first."""
    events = scene.matrix.clients["alice"].newest(scene.matrix.room_id, MATRIX_EVENT_TYPE)
    found = []
    for event, content in events:
        data = str(content.get("data", ""))
        try:
            opened = open_envelope(base64.b64decode(data + "=" * (-len(data) % 4)))
        except ProtocolError:
            continue
        if opened.kind in ORDER:
            found.append(event)
    return found


async def redact_since(scene: Scene, before: set[str]) -> int:
    """Take all of the order out of the Matrix room that was not there before. Returns how much that was."""
    new = [event for event in await asyncio.to_thread(ids_of_the_order, scene) if event not in before]
    for event in new:
        await asyncio.to_thread(scene.matrix.clients["alice"].redact, scene.matrix.room_id, event)
    return len(new)


def epoch_of(person: Person) -> int:
    return max(change.epoch for change in person.told(EpochChanged))


def lost(person: Person) -> list[str]:
    return [notice.text for notice in person.told(Notice) if "lost the thread" in notice.text]


@pytest.mark.parametrize("xmpp", ["prosody"], indirect=True)
async def test_epochs_that_were_redacted_before_a_member_saw_them_are_fetched(
    synapse: SynapseServer, xmpp: XmppServer, tmp_path: Path
) -> None:
    async with (
        linked_rooms(tmp_path, synapse, xmpp, matrix=("alice", "bob")) as scene,
        scene.bridge(),
        scene.member("alice", create=True, update_messages=4) as alice,
        scene.member("carol") as carol,
    ):
        async with scene.member("bob") as bob:
            await introduce(alice, carol)
            await bob.until(Joined)
            await alice.room.say("before")
            await bob.until(MessageArrived, text="before")
        before = set(await asyncio.to_thread(ids_of_the_order, scene))
        epoch = epoch_of(alice)
        said = ["before"]
        while epoch_of(alice) < epoch + 3:
            said.append(f"said {len(said)}")
            await alice.room.say(said[-1])
            await carol.until(MessageArrived, text=said[-1])
        assert await redact_since(scene, before) >= 6
        async with scene.member("bob") as bob:
            await bob.until_read(said, patience=90)
            assert not lost(bob)
            await bob.room.say("I have it all.")
            await carol.until(MessageArrived, text="I have it all.")


@pytest.mark.parametrize("xmpp", ["prosody"], indirect=True)
async def test_who_was_removed_while_away_learns_it_although_the_room_has_lost_every_trace(
    synapse: SynapseServer, xmpp: XmppServer, tmp_path: Path
) -> None:
    async with (
        linked_rooms(tmp_path, synapse, xmpp, matrix=("alice", "bob")) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        async with scene.member("bob") as bob:
            await introduce(alice, carol)
            await bob.until(Joined)
        before = set(await asyncio.to_thread(ids_of_the_order, scene))
        epoch = epoch_of(alice)
        await alice.room.ask(Remove(str(bob.account)))
        await carol.until(EpochChanged, epoch=epoch + 1)
        await asyncio.sleep(2)  # until somebody's word has made it final, and that has its place as well
        assert await redact_since(scene, before) >= 2
        async with scene.member("bob") as bob:
            await bob.until(Removed, patience=60)
