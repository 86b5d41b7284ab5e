"""The plan of a walk: every choice, made from a seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.interop.scripts import (
    Agree,
    CannotUnprotect,
    CreateGroup,
    ExternalJoin,
    InstallExternalPSK,
    Protect,
    Unprotect,
)
from tests.interop.walks.changing import LARGEST, Change
from tests.interop.walks.features import Feature
from tests.interop.walks.membership import Membership
from tests.interop.walks.walk import Walk, WalkWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.interop.parts import Actor
    from tests.interop.walks.features import Offer

__all__ = ["STEPS", "plan"]

STEPS = 200

MOST_SPEAKERS = 3

LABELS = ("", "a", "export", "MLS 1.0 ?")
LENGTHS = (1, 16, 32, 64)
CONTEXTS = (b"", b"\0", b"context", bytes(300))
DATA = ("", "hello", "x" * 1000)
AUTHENTICATED_DATA = ("", "in the clear")


def plan(seed: int, offers: Mapping[str, Offer], steps: int = STEPS) -> Walk:
    """Return the walk that a seed makes of some seats, each with what it offers. The same seed, the same walk."""
    return _Planner(seed, offers).plan(steps)


class _Planner:
    def __init__(self, seed: int, offers: Mapping[str, Offer]) -> None:
        self._seed = seed
        self._random = Random(f"walk {seed}")
        self._group = Membership(offers)
        self._writer = WalkWriter()

    def plan(self, steps: int) -> Walk:
        self._found()
        weights = {
            self._commit: 12,
            self._discard: 2,
            self._speak: 6,
            self._join_externally: 2,
            self._resync: 1,
        }
        while self._writer.steps < steps:
            (action,) = self._random.choices(list(weights), list(weights.values()))
            if action():
                self._end_step()
        return self._writer.walk(f"walk/{self._seed}", self._seed, self._group.seats)

    def _end_step(self) -> None:
        self._writer.do(
            Agree(
                members=tuple(self._group.members),
                label=self._random.choice(LABELS),
                context=self._random.choice(CONTEXTS),
                length=self._random.choice(LENGTHS),
            )
        )
        self._writer.end_step()

    def _found(self) -> None:
        """Create the group, and bring every seat into it."""
        seats = list(self._group.offers)
        self._random.shuffle(seats)
        founder = self._group.newcomer(seats[0])
        self._writer.do(CreateGroup(actor=founder), f"{founder} creates the group")
        self._group.since[founder] = 0
        first = Change(self._group, self._writer, self._random)
        for seat in (*seats[1:], *self._random.choices(seats, k=2)):
            first.add(seat)
        first.commit()
        self._end_step()

    # Steps. Each says whether there was something to do.

    def _commit(self) -> bool:
        change = Change(self._group, self._writer, self._random)
        change.propose()
        change.commit()
        return True

    def _discard(self) -> bool:
        """Let somebody give up its Commit. Others' proposals would go on waiting, and hinder whoever knows them."""
        change = Change(self._group, self._writer, self._random, by_value=True)
        if not change.can_be_discarded():
            return False
        change.propose()
        change.discard()
        return True

    def _join_externally(self) -> bool:
        seats = [seat for seat, offer in self._group.offers.items() if Feature.EXTERNAL_JOIN in offer.acts]
        if not seats or len(self._group.since) >= LARGEST:
            return False
        joiner = self._group.newcomer(self._random.choice(seats))
        return self._enter(joiner, Feature.EXTERNAL_JOIN)

    def _resync(self) -> bool:
        return self._enter(self._random.choice(self._group.members), Feature.RESYNC)

    def _enter(self, joiner: Actor, feature: Feature) -> bool:
        """Let somebody in by its own Commit, which removes its former self if it is a member already."""
        group, random = self._group, self._random
        if not group.can(feature, joiner):
            return False
        is_member = joiner in group.since
        via = random.choice(group.others(joiner))
        psks: tuple[int, ...] = ()
        if random.random() < 0.3 and group.can(Feature.EXTERNAL_JOIN_PSK, joiner):
            psks = (self._writer.do(InstallExternalPSK(clients=tuple(group.members))),)
        action = ExternalJoin(
            actor=via,
            joiner=joiner,
            members=tuple(group.others(joiner, via)),
            external_tree=random.random() < 0.3 and group.can(Feature.EXTERNAL_TREE, via),
            remove_prior=is_member,
            psks=psks,
        )
        how = ", its former self removed" if is_member else ""
        how += ", with a PSK" if psks else ""
        self._writer.do(action, f"{joiner} joins by {via}'s GroupInfo{how}")
        group.enter_epoch({joiner} if is_member else set(), [joiner])
        return True

    def _speak(self) -> bool:
        """Let some talk, and some listen: to what is new, and to what has waited, in any order."""
        random = self._random
        speakers = [member for member in self._group.members if self._group.may_speak(member)]
        for sender in random.choices(speakers, k=random.randint(1, MOST_SPEAKERS)) if speakers else ():
            if self._group.may_speak(sender):
                action = Protect(
                    actor=sender,
                    plaintext=random.choice(DATA),
                    authenticated_data=random.choice(AUTHENTICATED_DATA),
                )
                step = self._writer.do(action)
                self._writer.tell(f"{sender} says {step}")
                self._group.speaks(step, sender)
        opened = [self._listen(receiver) for receiver in self._group.members]
        return any(opened)

    def _listen(self, receiver: Actor) -> bool:
        """Let somebody open messages. Whoever cannot do otherwise opens all, in order, as long as they are fresh."""
        random = self._random
        offer = self._group.offers[self._group.seats[receiver]].follows
        unread = [
            message
            for message in self._group.said
            if receiver in message.unread_by and (Feature.DEPARTED in offer or self._group.is_there(message))
        ]
        if {Feature.OUT_OF_ORDER, Feature.PAST_EPOCHS} <= offer:
            unread = [message for message in unread if random.random() < 0.75]
            random.shuffle(unread)
        elif Feature.OUT_OF_ORDER in offer:
            random.shuffle(unread)
        for message in unread:
            message.unread_by.remove(receiver)
            self._writer.do(Unprotect(actor=receiver, ciphertext=message.step))
        if unread:
            self._writer.tell(f"{receiver} opens {', '.join(str(message.step) for message in unread)}")
            if random.random() < 0.1:
                again = random.choice(unread).step
                self._writer.do(
                    CannotUnprotect(actor=receiver, ciphertext=again), f"{receiver} cannot open {again} again"
                )
        return bool(unread)
