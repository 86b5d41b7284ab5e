"""`python -m tests.whole.killing`: the whole campaign, on servers of its own."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bridge.servers import Prosody, ServerError, Synapse
from tests.servers.fixtures import COMPONENTS
from tests.whole.killing.campaign import Campaign, Figures, Target
from tests.whole.killing.stage import set_stage
from tests.whole.killing.talker import Lagging

EXIT_FAILED = 1
EXIT_NOT_RUN = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run campaigns. Returns 0 if everything arrived once, 1 if not, 2 if it did not begin."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    held = True
    for target in map(Target, options.target or [target.value for target in Target]):
        folder = Path(tempfile.mkdtemp(prefix="mls-bridge-killing-"))
        console.print(f"{target.value}: {options.kills} kills, seed {options.seed}, everything in {folder}")
        try:
            figures = asyncio.run(_run(target, options.kills, options.seed, folder, console))
        except (ServerError, Lagging) as error:
            console.print(str(error), style="bold red")
            return EXIT_NOT_RUN
        except (KeyboardInterrupt, asyncio.CancelledError):
            return EXIT_INTERRUPTED
        held &= _report(target, figures, options.seed, console)
    return 0 if held else EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.whole.killing",
        description="Kill processes at random moments under traffic, and compare what everybody was told.",
    )
    targets = [target.value for target in Target]
    parser.add_argument(
        "--target", choices=targets, action="append", help="what is killed (default: one after another)"
    )
    parser.add_argument("--kills", type=int, default=50, help="how often (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is chosen (%(default)s)")
    return parser


async def _run(target: Target, kills: int, seed: int, folder: Path, console: Console) -> Figures:
    # Whoever ends the campaign ends its programs too.
    campaigning = asyncio.current_task()
    assert campaigning is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, campaigning.cancel)

    def say(text: str) -> None:
        console.print(f"  {text}")

    with (
        Synapse.install(say).start(folder / "synapse") as synapse,
        Prosody.install(say).start(folder / "prosody", components=COMPONENTS) as prosody,
    ):
        async with set_stage(folder, synapse, prosody, seed) as stage:
            campaign = Campaign(stage, target, kills=kills, seed=seed, scratch=folder / "scratch", say=say)
            return await campaign.run()


def _report(target: Target, figures: Figures, seed: int, console: Console) -> bool:
    console.print(f"{target.value}: {figures}")
    for fault in figures.faults:
        console.print(f"  {fault}", style="red")
    enough = figures.half_done * 2 >= figures.kills
    if not enough:
        console.print("  too few kills have hit something half-done", style="red")
    if figures.faults or not enough:
        console.print(f"seed {seed}: this did not hold", style="bold red")
        return False
    console.print("every message came once to everybody who should have it", style="green")
    return True


if __name__ == "__main__":
    sys.exit(main())
