"""A story: who there is, and what happens when. A value, so that it can be told, kept, and made shorter."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from transports.room import Account, Network

__all__ = ["BRIDGE", "Action", "Person", "Place", "Scene", "Story", "What"]

BRIDGE: Final = "bridge"


class Place(StrEnum):
    """What rooms there are, and who orders."""

    LINKED = "linked"
    """A Matrix room and a MUC, linked by a bridge, which seals in the Matrix room."""
    FEDERATED = "federated"
    """A Matrix room on two homeservers whose orders differ, and a sequencer."""
    LINKED_FEDERATED = "linked federated"
    """Both."""
    MUC = "muc"
    """A MUC, and a sequencer."""
    ROOM = "room"
    """A MUC whose own order is the group's: no bridge."""


class What(StrEnum):
    """What can happen."""

    COME = "come"
    """Somebody's program starts for the first time, and asks to be let in."""
    SAY = "say"
    REMOVE = "remove"
    LEAVE = "leave"
    RETURN = "return"
    """Who was removed, or has left, asks to be let in again, and people want them."""
    STOP = "stop"
    """A program ends cleanly, and is started again after `amount` milliseconds."""
    KILL = "kill"
    """A program dies at once, and is started again after `amount` milliseconds."""
    KILL_AT_WRITE = "kill at write"
    """A program dies at the database call that is `amount` calls away."""
    FILL_DISK = "fill disk"
    """For `amount` milliseconds there is no room on a program's disk."""
    DISCONNECT = "disconnect"
    """For `amount` milliseconds an account has no connection."""
    LOSE_ANSWERS = "lose answers"
    """For `amount` milliseconds what an account posts arrives, and the answers do not."""
    PART = "part"
    """For `amount` milliseconds the two homeservers do not hear of each other."""
    REDACT = "redact"
    """The envelope that stands `amount` places before the newest is taken out of the archives."""
    TRIM = "trim"
    """The archives forget all but the newest `amount` events."""
    REPEAT = "repeat"
    """The event that stands `amount` places before the newest is told again."""
    JUNK = "junk"
    """Somebody posts bytes that mean nothing: `amount` says of which kind."""
    FORGE_SEAL = "forge seal"
    """Somebody who is not the sequencer posts a seal that follows on the newest one."""
    SPOIL = "spoil"
    """The next Commit with a path carries garbage for some of the members: the bits of `amount` say for whom."""
    LIE = "lie"
    """The relay's account posts a KeyPackage of its own in another's name: `amount` says in whose."""
    PUT_BACK = "put back"
    """After `amount` milliseconds somebody puts the database of now in the place of what it has become."""
    SET_CLOCK = "set clock"
    """A program's clock jumps by `amount` milliseconds."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account, and a program."""

    name: str
    network: Network
    server: str

    @property
    def account(self) -> Account:
        """The account's URI."""
        if self.network is Network.MATRIX:
            return Account(f"matrix:u/{self.name}:{self.server}")
        return Account(f"xmpp:{self.name}@{self.server}")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it happens. The first of the people founds the group."""

    place: Place
    people: tuple[Person, ...]
    posting: int
    """The longest time that a post takes to its server: milliseconds."""
    federation: int
    """The same between homeservers."""
    overtakes: bool
    """Whether events overtake each other between homeservers."""
    gap_events: int
    """Who missed more events than this is told them in the archive's order."""
    update_messages: int
    """After how many messages a member refreshes its keys."""
    stagger: int

    def person(self, name: str) -> Person | None:
        """Return somebody by name."""
        return next((person for person in self.people if person.name == name), None)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that happens, `at` milliseconds after the beginning."""

    at: int
    what: What
    who: str = ""
    other: str = ""
    amount: int = 0

    def __str__(self) -> str:
        words = [f"{self.at / 1000:10.3f} s", self.who, self.what.value, self.other]
        if self.amount:
            words.append(f"({self.amount})")
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Story:
    """All of one run."""

    seed: int
    scene: Scene
    actions: tuple[Action, ...]

    @property
    def end(self) -> int:
        """When the last thing happens."""
        return max((action.at for action in self.actions), default=0)

    def only(self, actions: Collection[Action]) -> Story:
        """Return the same story with these actions alone."""
        return replace(self, actions=tuple(actions))

    def without(self, names: Collection[str]) -> Story:
        """Return the same story without some people, and what they do or suffer."""
        people = tuple(person for person in self.scene.people if person.name not in names)
        kept = tuple(action for action in self.actions if action.who not in names and action.other not in names)
        return Story(self.seed, replace(self.scene, people=people), kept)

    def __str__(self) -> str:
        people = ", ".join(f"{person.name} ({person.network} {person.server})" for person in self.scene.people)
        place = f"{self.scene.place}: {people}; posting {self.scene.posting} ms, federation {self.scene.federation} ms"
        return "\n".join([f"seed {self.seed}, {place}", *map(str, self.actions)])
