"""How a seed becomes a story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.simulation.seeding import stream
from tests.simulation.story import BRIDGE, Action, Person, Place, Scene, Story, What
from transports.room import Network

__all__ = ["ELEMENTS", "Element", "tell"]

_PLACES: Final = {
    Place.LINKED: 4,
    Place.LINKED_FEDERATED: 3,
    Place.FEDERATED: 3,
    Place.MUC: 2,
    Place.ROOM: 2,
}
"""How often each comes."""

_SIZES: Final = ((2, 3, 100), (4, 6, 70), (7, 12, 20), (13, 25, 4), (26, 50, 1))
"""From how many to how many people, how often."""

_COMING: Final = 25_000
"""Milliseconds within which the first people come."""


@dataclass(frozen=True, slots=True)
class Element:
    """What stories are made of: one kind of thing, how often it comes, and where it can."""

    what: What
    weight: int
    amount: Callable[[Random], int] = lambda _: 0
    bridge_too: bool = False
    """Whether it can happen to the bridge as to anybody."""
    has_other: bool = False
    needs_federation: bool = False
    needs_bridge_order: bool = False
    """Whether it makes no sense where the room itself is the order."""


def _pause(random: Random) -> int:
    """Return milliseconds: mostly some seconds, sometimes minutes."""
    return random.choice((500, 2_000, 8_000, 8_000, 30_000, 90_000)) + random.randrange(1_000)


ELEMENTS: Final = (
    Element(What.SAY, 50),
    Element(What.REMOVE, 4, has_other=True),
    Element(What.LEAVE, 2),
    Element(What.RETURN, 3),
    Element(What.STOP, 3, amount=_pause, bridge_too=True),
    Element(What.KILL, 4, amount=_pause, bridge_too=True),
    Element(What.KILL_AT_WRITE, 6, amount=lambda random: random.randrange(1, 40), bridge_too=True),
    Element(What.FILL_DISK, 1, amount=_pause, bridge_too=True),
    Element(What.DISCONNECT, 5, amount=_pause, bridge_too=True),
    Element(What.LOSE_ANSWERS, 2, amount=_pause, bridge_too=True),
    Element(What.PART, 4, amount=_pause, needs_federation=True),
    Element(What.REPEAT, 3, amount=lambda random: random.randrange(12)),
    Element(What.JUNK, 3, amount=lambda random: random.randrange(6)),
    Element(What.FORGE_SEAL, 2, amount=lambda random: random.randrange(2), needs_bridge_order=True),
    Element(What.SPOIL, 3, amount=lambda random: random.randrange(1, 64)),
    Element(What.PUT_BACK, 1, amount=_pause),
    Element(What.LIE, 2, amount=lambda random: random.randrange(4)),
    Element(What.SET_CLOCK, 1, amount=lambda random: random.choice((-120_000, -5_000, 5_000, 120_000))),
    Element(What.REDACT, 6, amount=lambda random: random.choice((0, 0, 1, 2, 3, 5, 8, 11)), needs_bridge_order=True),
    Element(What.TRIM, 2, amount=lambda random: random.randrange(12), needs_bridge_order=True),
)
"""What happens after people have come."""


def tell(seed: int) -> Story:
    """Return the seed's story."""
    random = stream(seed, "story")
    place = random.choices(list(_PLACES), list(_PLACES.values()))[0]
    people = _people(random, place)
    scene = Scene(
        place,
        people,
        posting=random.choice((5, 50, 400)),
        federation=random.choice((60, 400, 3_000)),
        overtakes=random.random() < 0.5,
        gap_events=random.choice((3, 20, 100)),
        update_messages=random.choice((3, 10, 500)),
        stagger=random.choice((200, 1_000, 3_000)),
    )
    actions = [*_arrivals(random, people), *_events(random, scene)]
    return Story(seed, scene, tuple(sorted(actions, key=lambda action: action.at)))


def _people(random: Random, place: Place) -> tuple[Person, ...]:
    least, most, _ = random.choices(_SIZES, [weight for *_, weight in _SIZES])[0]
    count = random.randint(least, most)
    homes = {
        Place.LINKED: [(Network.MATRIX, "one"), (Network.XMPP, "three")],
        Place.LINKED_FEDERATED: [(Network.MATRIX, "one"), (Network.MATRIX, "two"), (Network.XMPP, "three")],
        Place.FEDERATED: [(Network.MATRIX, "one"), (Network.MATRIX, "two")],
        Place.MUC: [(Network.XMPP, "three")],
        Place.ROOM: [(Network.XMPP, "three")],
    }[place]
    return tuple(Person(f"p{number}", *(homes[0] if number == 0 else random.choice(homes))) for number in range(count))


def _arrivals(random: Random, people: tuple[Person, ...]) -> list[Action]:
    """Return how people come: the founder first, most of the others soon, a few in the middle of it all."""
    times = {people[0].name: 0}
    for person in people[1:]:
        late = random.random() < 0.15
        times[person.name] = random.randrange(_COMING, 4 * _COMING) if late else random.randrange(_COMING)
    return [Action(at, What.COME, who) for who, at in sorted(times.items(), key=lambda item: item[1])]


def _events(random: Random, scene: Scene) -> list[Action]:
    names = [person.name for person in scene.people]
    is_federated = scene.place in {Place.FEDERATED, Place.LINKED_FEDERATED}
    has_bridge = scene.place is not Place.ROOM
    usable = [
        element
        for element in ELEMENTS
        if (is_federated or not element.needs_federation) and (has_bridge or not element.needs_bridge_order)
    ]
    count = max(8, random.randint(10, 50) * 6 // (4 + len(names)))
    at = random.randrange(_COMING // 2, 2 * _COMING)
    actions = []
    for _ in range(count):
        # Things that come at once are what races are made of.
        at += random.choice((0, 1, 20, 300, 2_000, 10_000, 10_000, 40_000))
        element = random.choices(usable, [one.weight for one in usable])[0]
        who = random.choice(names)
        if element.bridge_too and has_bridge and random.random() < 0.4:
            who = BRIDGE
        other = random.choice([name for name in names if name != who] or names) if element.has_other else ""
        actions.append(Action(at, element.what, who, other, element.amount(random)))
    return actions
