"""`mls-bridge chat --json`: a conversation as JSON lines on standard output and input, for scripts and bots.

What is written is described by `lines.schema.json` in this package, and explained in `docs/json-lines.md`. Nothing that
comes in can stop it but the end of the input: what is no request is answered by an error with the number of its line.
"""

from __future__ import annotations

import asyncio
import sys

from bridge.conversation import Conversation, Done, Leave, MessageArrived, Quit, RequestRefusedError
from bridge.terminal.line_format import Object, answer_object, error_object, happening_object, hello_object, to_line
from bridge.terminal.line_requests import Acknowledge, Asking, LineError, read_request
from bridge.terminal.pipes import MAX_LINE, LineReader, LineWriter, TooLong
from bridge.terminal.transcript import Authorship, Transcript

__all__ = ["run_lines"]


async def run_lines(conversation: Conversation) -> None:
    """Talk until the input ends, `quit` or `leave` is asked for, or the conversation ends.

    Raises what ends the conversation, and `OSError` (as a rule `BrokenPipeError`) when nobody reads any more.
    """
    writer = LineWriter(sys.stdout.fileno())
    lines = _Lines(conversation, writer)
    try:
        await lines.run(LineReader(sys.stdin.fileno()))
    finally:
        writer.close()


class _Lines:
    def __init__(self, conversation: Conversation, writer: LineWriter) -> None:
        self._conversation = conversation
        self._writer = writer
        self._transcript = Transcript()

    async def run(self, reader: LineReader) -> None:
        await self._write(hello_object(self._conversation.shown))
        telling = asyncio.create_task(self._tell())
        answering = asyncio.create_task(self._answer_all(reader))
        try:
            await asyncio.wait({telling, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            answering.cancel()
            results = await asyncio.gather(telling, answering, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    async def _tell(self) -> None:
        """Write what happens, each thing once. It is for the reader to acknowledge it."""
        async for told in self._conversation.happenings():
            authorship = Authorship.UNKNOWN
            if isinstance(told.what, MessageArrived):
                authorship = self._transcript.authorship(told.what)
                self._transcript.remember(told.what.id, told.what.sender_account, "")
            await self._write(happening_object(told, authorship))

    async def _answer_all(self, reader: LineReader) -> None:
        """Answer one line after the other, in order."""
        number = 0
        async for line in reader.lines():
            number += 1
            if not isinstance(line, TooLong) and not line.strip():
                continue
            answer, is_last = await self._answer(line, number)
            await self._write(answer)
            if is_last:
                return

    async def _answer(self, line: bytes | TooLong, number: int) -> tuple[Object, bool]:
        """Return what to answer, and whether that is the end."""
        try:
            asking = _read(line)
        except LineError as error:
            return error_object(error, line=number, id_=error.request), False
        try:
            return await self._do(asking), isinstance(asking.request, Quit | Leave)
        except RequestRefusedError as error:
            return error_object(error, line=number, id_=asking.id), False

    async def _do(self, asking: Asking) -> Object:
        match asking.request:
            case Acknowledge(position):
                await self._conversation.acknowledge(position)
                return answer_object(asking.id, Done())
            case Quit():
                return answer_object(asking.id, Done())
            case request:
                return answer_object(asking.id, await self._conversation.do(request))

    async def _write(self, fields: Object) -> None:
        await self._writer.write(to_line(fields))


def _read(line: bytes | TooLong) -> Asking:
    if isinstance(line, TooLong):
        raise LineError(f"the line has more than {MAX_LINE:,} bytes")
    return read_request(line)
