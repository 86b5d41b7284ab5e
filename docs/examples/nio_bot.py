"""An echo bot on Matrix, by matrix-nio, that answers in a room's encrypted group as well. See docs/bots.md.

    BOT_TOKEN=... python nio_bot.py https://matrix.example.org @echo:example.org '#tea:example.org'

The encryption is `talk_encrypted`, and the line that calls it. `bot.key` holds 64 hexadecimal digits, made once:
`(umask 077; openssl rand -hex 32 > bot.key)`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import nio

from bridge.library import Kind, open_room
from transports.matrix import MatrixTransport, TokenLogin

KEY = bytes.fromhex(Path("bot.key").read_text())


async def talk_encrypted(client: nio.AsyncClient, room_address: str) -> None:
    """Answer what is said in the room's MLS group."""
    transport = MatrixTransport(client.homeserver, TokenLogin(client.access_token))
    async with open_room(transport, room_address, store="bot.db", key=KEY) as room:
        async for message in room.messages():
            if message.kind is Kind.MESSAGE:
                await room.reply(message, f"You said: {message.text}")


async def main(homeserver: str, user_id: str, room_address: str) -> None:
    """Log in, and answer what is said in clear: what the bot did before, but for the second task."""
    client = nio.AsyncClient(homeserver, user_id)
    client.access_token = os.environ["BOT_TOKEN"]

    async def echo(room: nio.MatrixRoom, event: nio.RoomMessageText) -> None:
        if event.sender != user_id:
            content = {"msgtype": "m.notice", "body": f"In clear, you said: {event.body}"}
            await client.room_send(room.room_id, "m.room.message", content)

    await client.join(room_address)
    await client.sync(full_state=True)  # what was said before is not answered
    client.add_event_callback(echo, nio.RoomMessageText)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(client.sync_forever(timeout=30_000))
            tasks.create_task(talk_encrypted(client, room_address))
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
