"""What people do by themselves: they compare numbers with whoever asks to be let in, and say yes to who is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.conversation import Add, Asked, Confirm, Happening, NumbersShown, RequestRefusedError, Verify

if TYPE_CHECKING:
    from tests.simulation.programs import MemberProgram
    from tests.simulation.world import World

__all__ = ["decide"]

_LOOKS_AGAIN = 3_000
_TRIES = 60


def decide(world: World, program: MemberProgram, what: Happening) -> None:
    """Let a person act on what their program has told them, in their own time."""
    if isinstance(what, Asked):
        world.spawn(_let_in(world, program, what))


async def _let_in(world: World, program: MemberProgram, asked: Asked) -> None:
    other = world.member_of(asked.account)
    if other is None:
        world.watch.count("people", "nobody is there who could have asked")
        return
    for _ in range(_TRIES):
        await world.pause(_LOOKS_AGAIN)
        if other.name in world.left:
            return
        try:
            if await (_compare(world, program, other) if asked.digits else _agree(program, other)):
                return
        except RequestRefusedError as error:
            world.watch.count("person refused", error.what[:60])


async def _agree(program: MemberProgram, other: MemberProgram) -> bool:
    return await program.ask(Add(other.account)) is not None


async def _compare(world: World, program: MemberProgram, other: MemberProgram) -> bool:
    """Let two people read their numbers to each other. Returns whether that is done."""
    here = await program.ask(Verify(other.account))
    there = await other.ask(Verify(program.account))
    if not isinstance(here, NumbersShown) or not isinstance(there, NumbersShown):
        return False
    if here.digits != there.digits:
        world.watch.count("people", "numbers differ")
        return False
    return await program.ask(Confirm(other.account, here.digits)) is not None
