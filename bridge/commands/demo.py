"""`mls-bridge demo`: the main job, on real servers, on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bridge.service.process import stopping_on_signals

__all__ = ["run"]

EXIT_FAILED = 1

OnceOption = Annotated[bool, typer.Option("--once", envvar="ONCE", help="End after the story, instead of staying up.")]
FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="Keep all files in this new folder (else in one that is removed).")
]


def run(*, once: OnceOption = False, folder: FolderOption = None) -> None:
    """Watch three people on two networks talk through a bridge that cannot read them.

    Starts a real Synapse and a real Prosody on this machine (they are installed into your cache if they are not
    there, without root), makes accounts and a room on each, runs the bridge in a process of its own, and lets Alice
    and Bob on Matrix and Carol on XMPP talk. Then everything is searched for what they said and for their keys.

    Exit codes: 0 all of it held, 1 something did not.
    """
    console = Console()
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mls-bridge-demo-")))
        else:
            folder.mkdir(parents=True)
        raise typer.Exit(0 if asyncio.run(_demo(folder.resolve(), console, once=once)) else EXIT_FAILED)


async def _demo(folder: Path, console: Console, *, once: bool) -> bool:
    from bridge.demo.people import DemoError  # noqa: PLC0415 - loads client libraries, which other commands need not
    from bridge.demo.playing import play, show_how_to_join  # noqa: PLC0415 - the same
    from bridge.demo.stage import set_stage  # noqa: PLC0415 - the same
    from bridge.servers.errors import ServerError  # noqa: PLC0415 - the same

    done = asyncio.Event()
    try:
        with stopping_on_signals(done.set):
            async with set_stage(folder, lambda text: console.print(f"· {text}", style="dim", markup=False)) as stage:
                held = await play(stage, console)
                if not once:
                    show_how_to_join(stage, "mls-bridge", console)
                    await done.wait()
                return held
    except (DemoError, ServerError) as error:
        console.print(str(error), style="red", markup=False)
        return False
