"""All scripts: the official ones, and ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.interop.official import SUMS, official_configs
from tests.interop.parsing import parse
from tests.interop.scripts import Script

__all__ = ["LONG", "all_scripts", "official_scripts", "scripts_of_ours"]

OURS = Path(__file__).with_name("scripts_of_ours")

LONG = "deep_random/random"
"""The one script with hundreds of actors: 90 Commits, and minutes of work."""


@cache
def official_scripts() -> tuple[Script, ...]:
    """The scripts of the MLS working group's test runner. Raises `ScriptError`."""
    directory = official_configs()
    return tuple(
        script for name in SUMS for script in parse(name.removesuffix(".json"), (directory / name).read_bytes())
    )


@cache
def scripts_of_ours() -> tuple[Script, ...]:
    """The scripts beyond the official ones. Raises `ScriptError`."""
    return tuple(script for path in sorted(OURS.glob("*.json")) for script in parse(path.stem, path.read_bytes()))


def all_scripts() -> tuple[Script, ...]:
    """All scripts. Raises `ScriptError`."""
    return official_scripts() + scripts_of_ours()
