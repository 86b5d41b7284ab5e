"""A Matrix room with members on two homeservers, and a MUC linked to it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.conversation import Joined, MessageArrived, Remove, Removed
from bridge.servers import SynapseServer, XmppServer
from tests.whole.people import Person, introduce
from tests.whole.scene import linked_rooms

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


async def test_members_on_two_homeservers_and_in_a_muc(
    synapse_pair: tuple[SynapseServer, SynapseServer], prosody: XmppServer, tmp_path: Path
) -> None:
    first, second = synapse_pair
    async with (
        linked_rooms(tmp_path, first, prosody, elsewhere={"bob": second}) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("bob") as bob,
        scene.member("carol") as carol,
    ):
        await bob.until(Joined, patience=60)
        await introduce(alice, carol)

        async def talk(person: Person) -> list[str]:
            texts = [f"{person.name} {number}" for number in range(20)]
            for text in texts:
                await person.room.say(text)
            return texts

        by_alice, by_bob, by_carol = await asyncio.gather(talk(alice), talk(bob), talk(carol))
        for reader, one, other in (
            (alice, by_bob, by_carol),
            (bob, by_alice, by_carol),
            (carol, by_alice, by_bob),
        ):
            await reader.until_read([*one, *other])
            # Each one's own order holds everywhere; between people, servers may differ.
            assert [text for text in reader.texts if text in one] == one
            assert [text for text in reader.texts if text in other] == other
            assert len(reader.texts) == len(one) + len(other)

        # Who removes is on the one server, who is removed on the other.
        await alice.room.ask(Remove(bob.account))
        await bob.until(Removed)
        await carol.room.say("Without Bob")
        await alice.until(MessageArrived, text="Without Bob")
        assert "Without Bob" not in bob.texts
