"""A program around a front end, whose conversation is led from outside: by the test, over two pipes.

`python -m tests.bridge.terminal.program screen|lines IN OUT`, where IN and OUT are file descriptors. Its standard
streams are the front end's alone; what the front end raises goes to OUT.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from bridge.conversation import Answer, Request, RequestRefusedError, RoomShown, Told
from bridge.terminal.lines import run_lines
from bridge.terminal.screen import run_screen
from tests.bridge.terminal.channel import Channel, End, Failed, Refused

ROOM = RoomShown("xmpp:tea@muc.example.org", "Tea", "xmpp:alice@example.org", "Alice")


class LedConversation:
    """Tells what the test says, and asks it for answers."""

    shown = ROOM

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._told: asyncio.Queue[Told | End] = asyncio.Queue()
        self._answers: asyncio.Queue[Answer | Refused] = asyncio.Queue()

    async def listen(self) -> None:
        while True:
            item = await asyncio.to_thread(self._channel.receive)
            match item:
                case None:
                    return
                case Told() | End():
                    self._told.put_nowait(item)
                case _:
                    self._answers.put_nowait(item)

    async def happenings(self) -> AsyncIterator[Told]:
        while not isinstance(told := await self._told.get(), End):
            yield told
        if told.error:
            raise RuntimeError(told.error)

    async def acknowledge(self, position: int) -> None:
        self._channel.send(position)

    async def do(self, request: Request) -> Answer:
        self._channel.send(request)
        answer = await self._answers.get()
        if isinstance(answer, Refused):
            raise RequestRefusedError(answer.what, next_step=answer.next_step)
        return answer


async def main(mode: str, channel: Channel) -> None:
    conversation = LedConversation(channel)
    listening = asyncio.create_task(conversation.listen())
    try:
        await (run_screen(conversation) if mode == "screen" else run_lines(conversation))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the test wants to know
        channel.send(Failed(type(error).__name__, str(error)))
    finally:
        channel.send(End())  # the test closes its side, and the thread that reads there ends
        await listening


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Channel(int(sys.argv[2]), int(sys.argv[3]))))
