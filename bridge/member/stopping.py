"""When a member can no longer tell where its group stands, it stops, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.conversation import Alarm

if TYPE_CHECKING:
    from bridge.member.step import Step

__all__ = ["stop"]


def stop(step: Step, why: str) -> None:
    """Follow the group no further, and send nothing more. The first reason stays, but for one to come back."""
    if step.session.is_returning:
        step.recover(returning=None)
        step.forget_coming()
        step.flag(stuck=b"")
    if not step.session.memory.flags.stuck:
        step.flag(stuck=why.encode())
        what = f"Stopped: {why}. Nothing is sent any more."
        step.tell(Alarm(what, "Find out why; then take the group anew from its other members: /resync"))
