"""Which peers there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.interop.building.recipes import Cargo, Npm, Recipe
from tests.interop.building.tools import Tool

__all__ = ["PEERS", "Peer"]

SOURCES = Path(__file__).parents[1] / "peers"


@dataclass(frozen=True)
class Peer:
    """Another implementation, with a program of ours around it."""

    name: str
    """As on the command line, and in a casting."""
    sources: Path
    recipe: type[Recipe]
    tools: tuple[Tool, ...] = ()
    """What its dependencies need beyond the recipe."""


PEERS = {
    peer.name: peer
    for peer in (
        Peer("openmls", SOURCES / "openmls", Cargo),
        Peer("mls-rs", SOURCES / "mls_rs", Cargo, (Tool("make", "the package make"), Tool("perl", "the package perl"))),
        Peer("ts-mls", SOURCES / "ts_mls", Npm),
    )
}
"""All peers, by name."""
