"""People who were away, and servers that were: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import pytest

from bridge.conversation import DeliveryChanged, DeliveryState, Joined, MessageArrived
from bridge.servers import SynapseServer, XmppServer
from bridge.servers.server import Server
from tests.whole.people import Person, introduce
from tests.whole.scene import linked_rooms

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]

MISSED = 200


async def test_who_was_away_for_200_messages_reads_each_once_and_in_order(
    synapse: SynapseServer, xmpp: XmppServer, tmp_path: Path
) -> None:
    missed = [f"missed {number}" for number in range(MISSED)]
    async with (
        linked_rooms(tmp_path, synapse, xmpp, matrix=("alice", "bob")) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
    ):
        async with scene.member("carol") as carol, scene.member("bob") as bob:
            await introduce(alice, carol)
            await bob.until(Joined)
            await alice.room.say("before")
            for reader in (bob, carol):
                await reader.until(MessageArrived, text="before")
        for text in missed:
            await alice.room.say(text)
        async with scene.member("carol") as carol, scene.member("bob") as bob:
            for reader in (bob, carol):
                await reader.until_read(missed, patience=90)
            await carol.room.say("after")
            for reader in (alice, bob):
                await reader.until(MessageArrived, text="after")
            assert carol.texts == ["before", *missed]
            assert bob.texts == ["before", *missed, "after"]
        # What Alice said has come back to her own program, too: none of it waits any more.
        sent = [item for item in alice.told(DeliveryChanged) if item.state is DeliveryState.SENT]
        assert len(sent) == MISSED + 1


@pytest.mark.parametrize("which", ["synapse", "prosody", "ejabberd"])
async def test_a_server_restarts_while_people_talk(
    which: Literal["synapse", "prosody", "ejabberd"], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    synapse: SynapseServer = request.getfixturevalue("synapse")
    xmpp: XmppServer = request.getfixturevalue("ejabberd" if which == "ejabberd" else "prosody")
    restarting: Server = synapse if which == "synapse" else xmpp
    async with (
        linked_rooms(tmp_path, synapse, xmpp) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        await introduce(alice, carol)

        async def talk(person: Person) -> list[str]:
            texts = [f"{person.name} {number}" for number in range(40)]
            for text in texts:
                await person.room.say(text)
                await asyncio.sleep(0.1)
            return texts

        async def restart() -> None:
            await asyncio.sleep(1)
            await asyncio.to_thread(restarting.restart)

        by_alice, by_carol, _ = await asyncio.gather(talk(alice), talk(carol), restart())
        await carol.until_read(by_alice, patience=90)
        await alice.until_read(by_carol, patience=90)
        await alice.room.say("the end")
        await carol.until(MessageArrived, text="the end")
        await carol.room.say("indeed")
        await alice.until(MessageArrived, text="indeed")
        assert carol.texts == [*by_alice, "the end"]
        assert alice.texts == [*by_carol, "indeed"]
