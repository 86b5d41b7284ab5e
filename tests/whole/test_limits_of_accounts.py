"""Accounts with no more rights than others: the servers' own rate limits hold for them, and rooms can silence them.

Nobody has lifted a limit for such a bridge, as a homeserver does for an appservice and an XMPP server for a component.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest
import yaml

from bridge.conversation import Alarm, DeliveryChanged, DeliveryState
from bridge.servers import Synapse, SynapseServer, XmppServer
from tests.whole.people import introduce
from tests.whole.programs import running, until_logged
from tests.whole.scene import Scene, linked_rooms

pytestmark = [pytest.mark.asyncio]

RELAY: Final = "relay"
"""The bridge's ordinary account on XMPP."""

FLOOD: Final = 200

MATRIX_FLOOD: Final = int(os.environ.get("MLS_BRIDGE_FLOOD", "30"))
"""Synapse lets an account post ten events at once, and then one in five seconds: 200 of them take a quarter of an hour.
"""


@pytest.mark.timeout(420)
@pytest.mark.parametrize("software", ["prosody", "ejabberd"])
async def test_a_flood_into_a_muc_by_a_client(
    software: str, synapse: SynapseServer, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: XmppServer = request.getfixturevalue(f"{software}_with_default_limits")
    texts = [f"flood {number}" for number in range(FLOOD)]
    async with (
        linked_rooms(tmp_path, synapse, server, muc=("carol", RELAY)) as scene,
        running(_as_a_client(scene)) as bridge,
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        await introduce(alice, carol)
        for text in texts:
            await alice.room.say(text)
        await carol.until_read(texts, patience=360)
        assert carol.texts == texts
        _assert_never_lost(bridge.log)


@pytest.mark.timeout(180 + 6 * MATRIX_FLOOD)
async def test_a_flood_into_a_matrix_room_by_a_user(
    synapse_installation: Synapse, prosody: XmppServer, tmp_path: Path
) -> None:
    texts = [f"flood {number}" for number in range(MATRIX_FLOOD)]
    with synapse_installation.start(tmp_path / "synapse", rate_limits=True) as synapse:
        async with (
            linked_rooms(tmp_path, synapse, prosody) as scene,
            running(scene.bridge_config()) as bridge,
            scene.member("alice", create=True) as alice,
            scene.member("carol") as carol,
        ):
            await introduce(alice, carol)
            for text in texts:
                await carol.room.say(text)
            await until_logged(bridge.log, "publishing failed for now", account="hs")
            await alice.until_read(texts, patience=60 + 6 * MATRIX_FLOOD)
            assert alice.texts == texts
            _assert_never_lost(bridge.log)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("software", ["prosody", "ejabberd"])
async def test_who_loses_their_voice_says_it_all_once_it_is_back(
    software: str, synapse: SynapseServer, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """In a moderated room: a visitor may listen, and not speak."""
    server: XmppServer = request.getfixturevalue(software)
    async with (
        linked_rooms(tmp_path, synapse, server) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        await introduce(alice, carol)
        await scene.xmpp.configure(scene.muc, **{"muc#roomconfig_moderatedroom": "1"})
        await scene.xmpp.give_role(scene.muc, "carol", "visitor")
        said = [await carol.room.say(f"unheard {number}") for number in range(3)]
        problem = await carol.until(Alarm)
        assert "may not speak" in problem.what
        await alice.room.say("Carol?")
        await carol.until_read(["Carol?"])
        assert alice.texts == []
        await scene.xmpp.give_role(scene.muc, "carol", "participant")
        await alice.until_read([f"unheard {number}" for number in range(3)])
        assert alice.texts == [f"unheard {number}" for number in range(3)]
        for message in said:
            await carol.until(DeliveryChanged, id=message, state=DeliveryState.SENT)
        assert not [change for change in carol.told(DeliveryChanged) if change.state is DeliveryState.FAILED]


def _as_a_client(scene: Scene) -> Path:
    """Write the bridge's configuration with an ordinary account in the MUC."""
    config = scene.bridge_config()
    accounts = yaml.safe_load(config.read_text())["accounts"]
    accounts["muc"] = {
        "network": "xmpp",
        "jid": scene.xmpp.jid(RELAY),
        "login": {"password": {"file": "password"}},
        "server": {"host": "127.0.0.1", "port": scene.xmpp.server.c2s_port},
        "plaintext": True,
    }
    return scene.bridge_config(accounts=accounts)


def _assert_never_lost(log: Path) -> None:
    """Nobody has cut the bridge off: neither of its accounts has lost its connection."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    states = [(line["account"], line["state"]) for line in lines if line["event"] == "connection"]
    assert {account for account, _ in states} == {"hs", "muc"}
    assert not [state for state in states if state[1] == "lost"]
