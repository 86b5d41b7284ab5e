"""The person's terminal: what happens scrolls by above, one line to type in stays whole below."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.text import Text

from bridge.content import harmless_line
from bridge.conversation import Conversation, Done, Leave, Quit, Request, RequestRefusedError, Said, Say
from bridge.terminal.answers import paint_answer, paint_done, paint_help
from bridge.terminal.commands import CommandError, Help, read
from bridge.terminal.painting import Painter

__all__ = ["NotATerminalError", "run_screen"]

PROMPT: Final = "> "
MAX_MESSAGE: Final = 500


class NotATerminalError(Exception):
    """Standard input or output is a file or a pipe; says what to do instead."""

    def __init__(self) -> None:
        super().__init__("this is not a terminal: for scripts and pipes, there is --json")


async def run_screen(conversation: Conversation) -> None:
    """Talk until the person ends it, or the conversation does.

    Raises `NotATerminalError`, and what ends the conversation.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NotATerminalError
    await _Screen(conversation).run()


class _Screen:
    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._painter = Painter(conversation.shown, now_ms=lambda: time.time_ns() // 1_000_000, zone=None)
        # No history file, and no editor: nothing of what is typed reaches the disk.
        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            bottom_toolbar=self._painter.bar,
            erase_when_done=True,
            key_bindings=_bindings(),
        )

    async def run(self) -> None:
        with patch_stdout(raw=True):
            self._greet()
            showing = asyncio.create_task(self._show())
            asking = asyncio.create_task(self._ask())
            try:
                await asyncio.wait({showing, asking}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (showing, asking):
                    task.cancel()
                results = await asyncio.gather(showing, asking, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    async def _show(self) -> None:
        """Print what happens; acknowledge it once it is printed."""
        async for told in self._conversation.happenings():
            self._print(self._painter.paint(told.what, self._width()))
            self._session.app.invalidate()
            if told.position is not None:
                await self._conversation.acknowledge(told.position)

    async def _ask(self) -> None:
        """Take one line after the other, until the person ends it."""
        while True:
            try:
                line = await self._session.prompt_async()
            except (EOFError, KeyboardInterrupt):
                return
            try:
                typed = read(line, self._painter.people, self._painter.transcript, self._painter.digits)
            except CommandError as error:
                self._notice(str(error), style="yellow")
                continue
            match typed:
                case None:
                    pass
                case Help():
                    self._print(paint_help(self._width()))
                case Quit():
                    return
                case _:
                    if await self._do(typed):
                        return

    async def _do(self, request: Request) -> bool:
        """Have the session do it, and show the answer. Returns whether that was the end."""
        try:
            answer = await self._conversation.do(request)
        except RequestRefusedError as error:
            self._notice(f"{error.what} {error.next_step}", style="yellow")
            return False
        match answer, request:
            case Said(id_), Say():
                self._print(self._painter.said(id_, request, self._width()))
            case ((Said() | Done()), _):
                self._print(paint_done(request, self._painter, self._width()))
            case _:
                self._print(paint_answer(answer, self._painter, self._width()))
        return isinstance(request, Leave)

    def _greet(self) -> None:
        shown = self._conversation.shown
        room = harmless_line(shown.name or shown.room, limit=80)
        account = harmless_line(shown.account, limit=80)
        self._notice(f"{room}, as {account}. /help lists the commands.")

    def _notice(self, text: str, *, style: str = "dim") -> None:
        self._print(self._painter.notice(harmless_line(text, limit=MAX_MESSAGE), self._width(), style=style))

    def _print(self, lines: list[Text]) -> None:
        """Print above the input line. Nothing in `lines` acts on the terminal but the colours that are put on here."""
        if lines:
            drawn = io.StringIO()
            console = Console(
                file=drawn, width=self._width(), force_terminal=True, highlight=False, legacy_windows=False
            )
            for line in lines:
                console.print(line, soft_wrap=True)
            sys.stdout.write(drawn.getvalue())
            sys.stdout.flush()

    def _width(self) -> int:
        return self._session.output.get_size().columns


def _bindings() -> KeyBindings:
    """Ctrl-C drops what is typed; on an empty line it ends, as Ctrl-D does."""
    bindings = KeyBindings()

    @bindings.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=EOFError())

    return bindings
