"""The group as a plan knows it: who is a member since when, and what each may still do in this epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.interop.parts import Actor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.interop.walks.features import Feature, Offer

__all__ = ["PAST_EPOCHS", "Membership", "Said"]

PAST_EPOCHS = 5
"""For how many epochs a message, or a resumption PSK, stays usable: what all implementations are asked to keep."""

OVERTAKING = 4
"""How many messages of one sender may overtake another one of its own in an epoch."""


@dataclass
class Said:
    """An application message that not everybody has opened."""

    step: int
    """Of the script, that made it."""
    sender: Actor
    epoch: int
    unread_by: list[Actor]


@dataclass
class Membership:
    """Changes with every step that is planned."""

    offers: Mapping[str, Offer]
    """Of every seat."""
    seats: dict[Actor, str] = field(default_factory=dict)
    """Of everybody who has ever been there."""
    since: dict[Actor, int] = field(default_factory=dict)
    """The members, each with the epoch of its leaf's beginning."""
    epoch: int = 0
    said: list[Said] = field(default_factory=list)
    spoken: dict[Actor, list[int]] = field(default_factory=dict)
    """In this epoch: the steps of the script that made each member's messages."""
    signer: Actor | None = None
    """The external sender that the group's extensions name."""
    has_had_signer: bool = False

    @property
    def members(self) -> list[Actor]:
        return list(self.since)

    def others(self, *actors: Actor | None) -> list[Actor]:
        """Return the members but for some."""
        return [member for member in self.since if member not in actors]

    def newcomer(self, seat: str, title: str = "") -> Actor:
        """Return somebody who has never been there, and gets this seat; its name is the title, or a number."""
        actor = Actor(f"{seat} {title or 1 + sum(taken == seat for taken in self.seats.values())}")
        self.seats[actor] = seat
        return actor

    def can(self, feature: Feature, actor: Actor) -> bool:
        """Whether somebody can do this, so that everybody else understands it."""
        offer = self.offers[self.seats[actor]]
        return feature in offer.acts and all(feature in self.offers[seat].follows for seat in self._taken())

    def _taken(self) -> set[str]:
        return {self.seats[member] for member in self.since}

    def is_last(self, actor: Actor, gone: set[Actor]) -> bool:
        """Whether nobody else is left in its seat when some are gone."""
        seat = self.seats[actor]
        return not any(self.seats[member] == seat for member in self.since if member not in {actor, *gone})

    # What follows a Commit

    def enter_epoch(self, gone: set[Actor], joined: list[Actor]) -> None:
        """Take note of a Commit."""
        self.epoch += 1
        self.spoken.clear()
        for actor in gone:
            del self.since[actor]
        for actor in joined:
            self.since[actor] = self.epoch
        for message in self.said:
            message.unread_by = [actor for actor in message.unread_by if self._can_open(actor, message)]
        self.said = [message for message in self.said if message.unread_by]

    def _can_open(self, actor: Actor, message: Said) -> bool:
        was_there = actor in self.since and self.since[actor] <= message.epoch
        return was_there and self.epoch - message.epoch <= PAST_EPOCHS

    # Messages

    def speaks(self, step: int, sender: Actor) -> None:
        """Take note of a message that a member has sent."""
        self.spoken.setdefault(sender, []).append(step)
        self.said.append(Said(step, sender, self.epoch, self.others(sender)))

    def may_speak(self, sender: Actor) -> bool:
        """Whether another message leaves those before it within everybody's reach."""
        waiting = {message.step for message in self.said}
        spoken = self.spoken.get(sender, [])
        overtaking = next((len(spoken) - number for number, step in enumerate(spoken) if step in waiting), 0)
        return overtaking < OVERTAKING

    def is_there(self, message: Said) -> bool:
        """Whether the sender of a message has still the leaf that it had then."""
        return self.since.get(message.sender, self.epoch + 1) <= message.epoch

    # PSKs

    def common_epochs(self) -> list[int]:
        """Return the epochs whose resumption PSK all members have."""
        return list(range(max(*self.since.values(), self.epoch - PAST_EPOCHS, 0), self.epoch + 1))
