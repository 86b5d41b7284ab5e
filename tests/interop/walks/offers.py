"""What an implementation offers to a walk: found out by trying each feature alone, in the shortest script with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.interpreter import play
from tests.interop.parsing import parse
from tests.interop.stage import Result
from tests.interop.walks.features import Feature, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.interop.scripts import Script
    from tests.interop.seats import Seat

__all__ = ["examples", "offer_of"]

SECONDS = 30

ACTING = frozenset({"alice", "alice's signer"})
FOLLOWING = frozenset({"bob"})

ANNOUNCED = frozenset({Feature.SELF_REMOVE})
"""What nobody may do unless all leaves say that they understand it: who cannot do it does not say so."""


@cache
def examples() -> Mapping[Feature, Script]:
    """Return the shortest script with each feature. Alice does it, bob follows, the others are there for company."""
    path = Path(__file__).with_name("examples.json")
    scripts = {script.name: script for script in parse("example", path.read_bytes())}
    return {feature: scripts[f"example/{feature}"] for feature in Feature}


def offer_of(peer: Seat, ours: Seat, suite: int) -> Offer:
    """Return what a peer offers in one suite, in company that offers everything.

    What it says it does not offer, walks do without. What it offers and gets wrong stays in: they are to fail.
    """
    acts = _offered(peer, ours, suite, ACTING)
    return Offer(acts, _offered(peer, ours, suite, FOLLOWING) - (ANNOUNCED - acts))


def _offered(peer: Seat, ours: Seat, suite: int, played: frozenset[str]) -> frozenset[Feature]:
    """Return the features that a peer offers when it plays certain actors."""
    offered = set()
    for feature, script in examples().items():
        casting = {actor: peer if actor in played else ours for actor in script.actors}
        outcome = play(script, casting, suite=suite, encrypt_handshake=False, seed=0, seconds=SECONDS)
        if outcome.result is not Result.NOT_OFFERED or outcome.at_fault != peer.name:
            offered.add(feature)
    return frozenset(offered)
