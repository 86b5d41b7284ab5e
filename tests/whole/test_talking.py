"""Talking across a real Matrix room and a real MUC: what arrives, what does not, and who is let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.content import Kind
from bridge.servers import SynapseServer, XmppServer
from bridge.terminal.conversation import (
    MessageArrived,
    Remove,
    Removed,
    RequestRefusedError,
    Add,
)
from tests.whole.people import introduce
from tests.whole.scene import Scene, linked_rooms

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


@pytest.fixture(params=["prosody", "ejabberd"])
def xmpp(request: pytest.FixtureRequest) -> XmppServer:
    """Prosody, and then ejabberd."""
    found: XmppServer = request.getfixturevalue(request.param)
    return found


async def test_three_people_talk_across_and_one_is_removed(
    synapse: SynapseServer, xmpp: XmppServer, tmp_path: Path
) -> None:
    async with (
        linked_rooms(tmp_path, synapse, xmpp, matrix=("alice", "bob")) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("bob") as bob,
        scene.member("carol") as carol,
    ):
        await introduce(alice, carol)
        await bob.room.until_joined()
        await alice.room.say("Tea at **four**?", markdown=True)
        question = await carol.until(MessageArrived, text="Tea at **four**?")
        assert question.markdown
        assert question.sender_account == alice.account
        await bob.until(MessageArrived, text="Tea at **four**?", id=question.id)
        await carol.room.say("Gladly", reply_to=question.id)
        for reader in (alice, bob):
            await reader.until(MessageArrived, text="Gladly", reply_to=question.id, sender_account=carol.account)
        await alice.room.ask(Remove("bob"))
        await bob.until(Removed)
        await alice.room.say("Without Bob")
        await carol.until(MessageArrived, text="Without Bob")
        await carol.room.say("So it is")
        await alice.until(MessageArrived, text="So it is")
        assert bob.texts == ["Tea at **four**?", "Gladly"]
