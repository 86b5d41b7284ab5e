"""The plugin in a slixmpp bot of its own, without the transport."""

from __future__ import annotations

import asyncio

import pytest
from slixmpp import JID, ClientXMPP, ComponentXMPP
from slixmpp.stanza import Message

import transports.xmpp.plugin
from tests.transports.xmpp.scene import PASSWORD, Scene
from transports.carriers import XMPP_MAX_ENVELOPE, XMPP_NAMESPACE
from transports.errors import TooLargeError
from transports.room import EnvelopeSeen, PlaintextSeen
from transports.xmpp.elements import children, element

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

PLUGIN = transports.xmpp.plugin.EnvelopePlugin.name


async def test_a_bot_talks_with_a_transport(scene: Scene) -> None:
    await scene.register("alice", "bot")
    room = await scene.room(members=["alice", "bot"])
    alice = await scene.transport("alice")
    joined = await alice.join(room)
    heard = scene.listen(alice)
    bot = ClientXMPP(scene.jid("bot"), PASSWORD)
    bot.enable_plaintext, bot.enable_starttls, bot.enable_direct_tls = True, False, False
    bot.plugin["feature_mechanisms"].unencrypted_scram = True
    bot.register_plugin("xep_0045")
    bot.register_plugin(PLUGIN)
    envelopes: list[bytes] = []
    malformed: list[Message] = []
    bot.add_event_handler(PLUGIN, lambda message: envelopes.append(message[PLUGIN]["data"]))
    bot.add_event_handler("mls_bridge_malformed", malformed.append)
    arrived = asyncio.Event()
    bot.add_event_handler("mls_bridge_malformed", lambda _: arrived.set())
    try:
        bot.connect("127.0.0.1", scene.server.c2s_port)
        await bot.wait_until("session_start", 15)
        await bot.plugin["xep_0045"].join_muc_wait(JID(room), "bot", timeout=15)
        plugin = bot.get(PLUGIN)
        transaction = plugin.send_envelope(room, b"from the bot")
        await heard.hear(1)
        await alice.publish(joined.address, b"to the bot", transaction="t1", fallback="a body as well")
        await scene.owner.say(room, element(XMPP_NAMESPACE, "envelope", "not base64", v="1"))
        await asyncio.wait_for(arrived.wait(), 15)
        assert envelopes == [b"from the bot", b"to the bot"]
        assert [(each.envelope, each.transaction) for each in heard.of(EnvelopeSeen)] == [
            (b"from the bot", None),
            (b"to the bot", "t1"),
        ]
        assert len(transaction) == 32
        assert heard.of(PlaintextSeen) == []
        info = await bot.plugin["xep_0030"].get_info(jid=bot.boundjid, local=True)
        assert XMPP_NAMESPACE in info["features"]
        with pytest.raises(TooLargeError):
            plugin.send_envelope(room, bytes(XMPP_MAX_ENVELOPE + 1))
        bot.plugin.disable(PLUGIN)  # type: ignore[attr-defined]  # slixmpp types the manager as a dictionary
        await alice.publish(joined.address, b"unheard", transaction="t2")
        await heard.hear(3)
        assert len(envelopes) == 2
    finally:
        await bot.disconnect(wait=1)
        sending = bot._run_out_filters
        if sending is not None:
            sending.cancel()
            await asyncio.wait({sending})


async def test_a_component_sends_in_its_own_namespace() -> None:
    component = ComponentXMPP("bridge.localhost", "secret")  # type: ignore[no-untyped-call]
    component.register_plugin(PLUGIN)
    message = component.get(PLUGIN).make_envelope("tea@muc.example.org", b"x", transaction="t", body="hello")
    assert (message["id"], message["body"], message[PLUGIN]["data"]) == ("t", "hello", b"x")
    assert message.xml.tag == "{jabber:component:accept}message"
    assert len(list(children(message.xml, XMPP_NAMESPACE, "envelope"))) == 1
