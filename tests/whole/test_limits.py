"""Servers with the rate limits that they come with: people wait, see that they do, and everything arrives."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.conversation import DeliveryChanged, DeliveryState, Status, StatusShown
from bridge.servers import Synapse, SynapseServer, XmppServer
from tests.whole.people import introduce
from tests.whole.scene import linked_rooms
from transports.matrix.registration import registration

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


async def test_a_synapse_with_its_own_limits(
    synapse_installation: Synapse, prosody: XmppServer, tmp_path: Path
) -> None:
    # Ten events at once, then one in five seconds; the bridge is an appservice, and has no limit.
    appservice: Mapping[str, Any] = registration(localpart=f"bridge-{secrets.token_hex(4)}", server_name="localhost")
    file = tmp_path / "appservice.yaml"
    file.write_text(yaml.safe_dump(dict(appservice)))
    texts = [f"slowly {number}" for number in range(10)]
    with synapse_installation.start(tmp_path / "synapse", rate_limits=True, appservices=[file]) as synapse:
        async with (
            linked_rooms(tmp_path, synapse, prosody, appservice=appservice) as scene,
            scene.bridge(),
            scene.member("alice", create=True) as alice,
            scene.member("carol") as carol,
        ):
            await introduce(alice, carol)
            said = [await alice.room.say(text) for text in texts]
            await alice.until(DeliveryChanged, id=said[0], state=DeliveryState.SENT)
            await alice.until(DeliveryChanged, id=said[-1], state=DeliveryState.WAITING)
            assert not [
                item for item in alice.told(DeliveryChanged) if (item.id, item.state) == (said[-1], DeliveryState.SENT)
            ]
            shown = await alice.room.ask(Status())
            assert isinstance(shown, StatusShown)
            assert shown.waiting >= 1
            await carol.until_read(texts, patience=90)
            await alice.until(DeliveryChanged, id=said[-1], state=DeliveryState.SENT)
            shown = await alice.room.ask(Status())
            assert isinstance(shown, StatusShown)
            assert shown.waiting == 0
        assert carol.texts == texts


@pytest.mark.parametrize("software", ["prosody", "ejabberd"])
async def test_an_xmpp_server_with_its_own_limits(
    software: str,
    synapse: SynapseServer,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    server: XmppServer = request.getfixturevalue(f"{software}_with_default_limits")
    texts = [f"slowly {number}" for number in range(60)]
    async with (
        linked_rooms(tmp_path, synapse, server) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        await introduce(alice, carol)
        said = [await carol.room.say(text) for text in texts]
        shown = await carol.room.ask(Status())
        assert isinstance(shown, StatusShown)
        assert shown.waiting > 0
        await alice.until_read(texts, patience=120)
        await carol.until(DeliveryChanged, id=said[-1], state=DeliveryState.SENT)
        assert alice.texts == texts
