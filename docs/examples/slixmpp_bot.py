"""An echo bot on XMPP, by slixmpp, that answers in a MUC's encrypted group as well. See docs/bots.md.

    BOT_PASSWORD=... python slixmpp_bot.py echo@example.org tea@muc.example.org [HOST:PORT]

The encryption is `talk_encrypted`, the line that calls it, and the one in `echo` that leaves it alone. `bot.key` holds
64 hexadecimal digits, made once: `(umask 077; openssl rand -hex 32 > bot.key)`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import slixmpp

from bridge.library import Kind, open_room
from transports.xmpp import ClientLogin, XmppTransport

KEY = bytes.fromhex(Path("bot.key").read_text())


async def talk_encrypted(bot: EchoBot) -> None:
    """Answer what is said in the room's MLS group."""
    login = ClientLogin(bot.boundjid.bare, bot.password, *bot.where)
    transport = XmppTransport(login, nickname=bot.nickname)
    async with open_room(transport, str(bot.room), store="bot.db", key=KEY) as room:
        async for message in room.messages():
            if message.kind is Kind.MESSAGE:
                await room.reply(message, f"You said: {message.text}")


class EchoBot(slixmpp.ClientXMPP):
    """What the bot did before: it answers what is said in clear."""

    nickname = "echo"

    def __init__(self, jid: str, room: str, where: tuple[str, int] | tuple[()]) -> None:
        super().__init__(jid, os.environ["BOT_PASSWORD"])
        self.room = slixmpp.JID(room)
        self.where = where
        self.register_plugin("xep_0045")
        self.register_plugin("xep_0199", {"keepalive": True})
        self.add_event_handler("session_start", self.enter)
        self.add_event_handler("groupchat_message", self.echo)

    async def enter(self, _: object) -> None:
        """Enter the room, without its history."""
        self.send_presence()
        await self.plugin["xep_0045"].join_muc_wait(self.room, self.nickname, maxstanzas=0)

    def echo(self, message: slixmpp.Message) -> None:
        """Answer, unless it is the bot's own, or encrypted: its body is then a word to clients that know no MLS."""
        is_encrypted = message.xml.find("{urn:xmpp:eme:0}encryption") is not None
        if message["body"] and message["mucnick"] != self.nickname and not is_encrypted:
            self.send_message(self.room, f"In clear, you said: {message['body']}", mtype="groupchat")


async def main(jid: str, room: str, server: str = "") -> None:
    """Connect, and answer, in clear and encrypted."""
    host, _, port = server.rpartition(":")
    bot = EchoBot(jid, room, (host, int(port)) if server else ())
    bot.connect(*bot.where)
    try:
        await talk_encrypted(bot)
    finally:
        await bot.disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
