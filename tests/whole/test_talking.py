"""Talking across a real Matrix room and a real MUC: what arrives where, and what plaintext is taken for."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from bridge.content import MAX_TEXT
from bridge.conversation import (
    DeliveryChanged,
    DeliveryState,
    Joined,
    MemberWent,
    MessageArrived,
    PlaintextShown,
    Remove,
    Removed,
    RequestRefusedError,
)
from bridge.servers import SynapseServer, XmppServer
from tests.servers.matrix import API
from tests.whole.people import introduce
from tests.whole.scene import Scene, linked_rooms
from transports.carriers import MATRIX_EVENT_TYPE
from transports.xmpp.elements import CLIENT, element, serialised

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


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
        await bob.until(Joined)
        await alice.room.say("Tea at **four**?", markdown=True)
        question = await carol.until(MessageArrived, text="Tea at **four**?")
        assert question.markdown
        assert question.sender_account == alice.account
        await bob.until(MessageArrived, text="Tea at **four**?", id=question.id)
        answer = await carol.room.say("Gladly", reply_to=question.id)
        for reader in (alice, bob):
            await reader.until(
                MessageArrived, id=answer, text="Gladly", reply_to=question.id, sender_account=carol.account
            )
        await carol.until(DeliveryChanged, id=answer, state=DeliveryState.SENT)

        before = ciphertexts(scene, "bob")
        await alice.room.ask(Remove(bob.account))
        await bob.until(Removed)
        await carol.until(MemberWent, account=bob.account, by=alice.account)
        await alice.room.say("Without Bob")
        await carol.until(MessageArrived, text="Without Bob")
        await carol.room.say("So it is")
        await alice.until(MessageArrived, text="So it is")
        assert ciphertexts(scene, "bob") >= before + 2
        with pytest.raises(RequestRefusedError):
            await bob.room.say("May I?")
    # All that his own server has handed out to him is read by now.
    assert bob.texts == ["Tea at **four**?", "Gladly"]


def ciphertexts(scene: Scene, name: str) -> int:
    """Return how many envelopes a homeserver hands out to somebody."""
    client = scene.matrix.clients[name]
    page = client.call("GET", f"{API}/rooms/{quote(scene.matrix.room_id)}/messages?dir=b&limit=200")
    events = page["chunk"]
    assert isinstance(events, list)
    return sum(event["type"] == MATRIX_EVENT_TYPE for event in events)


async def test_a_message_of_half_a_megabyte_comes_through_both_networks(
    synapse: SynapseServer, xmpp: XmppServer, tmp_path: Path
) -> None:
    # The longest text there may be, of characters of four bytes: padded, its envelope has 512 KiB.
    there, back = "\N{TEACUP WITHOUT HANDLE}" * MAX_TEXT, "\N{SHORTCAKE}" * MAX_TEXT
    async with (
        linked_rooms(tmp_path, synapse, xmpp) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        await introduce(alice, carol)
        await alice.room.say(there)
        await carol.until_read([there])
        await carol.room.say(back)
        await alice.until_read([back])
    assert (carol.texts, alice.texts) == ([there], [back])


async def test_plaintext_is_shown_as_such_where_it_was_posted_and_never_relayed(
    synapse: SynapseServer, xmpp: XmppServer, tmp_path: Path
) -> None:
    async with (
        linked_rooms(tmp_path, synapse, xmpp, matrix=("alice", "bob"), muc=("carol", "dave")) as scene,
        scene.bridge(),
        scene.member("alice", create=True) as alice,
        scene.member("carol") as carol,
    ):
        await introduce(alice, carol)
        bob = scene.matrix.clients["bob"]
        bob.join(scene.matrix.room_id, synapse.name)
        dave = await scene.xmpp.raw(scene.xmpp.login("dave"), scene.muc, "dave")
        bob.send(scene.matrix.room_id, "Bob in clear")
        await dave.say(scene.muc, element(CLIENT, "body", "Dave in clear"))
        await alice.until(PlaintextShown, text="Bob in clear", account=scene.account("bob"))
        await carol.until(PlaintextShown, text="Dave in clear", account=scene.account("dave"))
        # What is said now comes behind it: had it been relayed, it would be there.
        await alice.room.say("one way")
        await carol.until(MessageArrived, text="one way")
        await carol.room.say("the other way")
        await alice.until(MessageArrived, text="the other way")
        page = bob.call("GET", f"{API}/rooms/{quote(scene.matrix.room_id)}/messages?dir=b&limit=200")
        assert "Bob in clear" in json.dumps(page)
        assert "Dave in clear" not in json.dumps(page)
        seen = "".join(serialised(stanza) for stanza in dave.heard)
        assert "Dave in clear" in seen
        assert "Bob in clear" not in seen
    assert [item.text for item in alice.told(PlaintextShown)] == ["Bob in clear"]
    assert [item.text for item in carol.told(PlaintextShown)] == ["Dave in clear"]
    assert (alice.texts, carol.texts) == (["the other way"], ["one way"])
