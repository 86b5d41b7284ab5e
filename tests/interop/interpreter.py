"""Plays a script: one step after the other, until all is done or something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.interop.actions import perform
from tests.interop.stage import Fault, Result, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.interop.parts import Actor
    from tests.interop.scripts import Script
    from tests.interop.seats import Seat
    from tests.interop.transcript import Call

__all__ = ["Outcome", "Result", "play"]


@dataclass(frozen=True)
class Outcome:
    """What came of a script."""

    result: Result
    calls: int
    """How many calls it took."""
    reason: str = ""
    """Why it did not pass; begins with the step."""
    at_fault: str | None = None
    """The seat that did not do what it was asked, or does not offer it; in a disagreement, the one that must be wrong.

    `None` if what is known does not show it, as when two seats disagree. A seat that refuses a message is named, though
    the message may be to blame: the transcript has both.
    """
    transcript: tuple[Call, ...] = ()
    """Of what did not pass: the last calls."""


def play(
    script: Script,
    casting: Mapping[Actor, Seat],
    *,
    suite: int,
    encrypt_handshake: bool,
    seed: int,
    seconds: float,
) -> Outcome:
    """Play a script, with every actor in the seat that the casting gives it.

    `seed` decides whatever the script leaves open, so that the same call asks the same. After `seconds` nothing more is
    asked; the last call may take as long as its seat lets it. Raises `ScriptError` if the script makes no sense.
    """
    stage = Stage(
        casting,
        suite=suite,
        encrypt_handshake=encrypt_handshake,
        random=Random(f"{seed} {script.name}"),
        seconds=seconds,
    )
    try:
        for stage.step, step in enumerate(script.steps):
            perform(stage, step)
            stage.settle()
    except Fault as fault:
        reason = f"step {stage.step}: {fault.reason}"
        return Outcome(fault.result, stage.transcript.count, reason, fault.at_fault, tuple(stage.transcript.calls()))
    finally:
        stage.free()
    return Outcome(Result.PASSED, stage.transcript.count)
