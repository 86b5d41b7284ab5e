"""From what a room told to events and the place behind them. Pure: the same place and items give the same events.

Affiliations have no id on the network. They are numbered from the place on, so that a batch which is told again, after
a crash before it was stored, tells the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from transports.room import (
    Account,
    Membership,
    MembershipSeen,
    Origin,
    RoomAddress,
    RoomEnded,
    RoomEvent,
)
from transports.xmpp.cursor import Place
from transports.xmpp.events import Heard
from transports.xmpp.feed import Item
from transports.xmpp.occupants import AFFILIATIONS, AffiliationTold, Destroyed, Kicked

__all__ = ["changes_since", "tell"]


def tell(items: Iterable[Item], *, address: RoomAddress, place: Place, now: Callable[[], int]) -> list[RoomEvent]:
    """The events that the items are, with `place` moved behind them."""
    events: list[RoomEvent] = []
    for item in items:
        match item:
            case Heard(archive_id=archive_id, event=event):
                if archive_id is not None:
                    place.last = archive_id
                if event is not None:
                    events.append(event)
            case AffiliationTold():
                membership = _change(item, place)
                if membership is not None:
                    events.append(_membership(item.account, membership, item.actor, address, place, now()))
            case Kicked():
                events.append(_membership(item.account, Membership.KICKED, item.actor, address, place, now()))
            case Destroyed(successor=successor):
                events.append(RoomEnded(address, "it was destroyed", successor))
    return events


def changes_since(place: Place, members: Mapping[Account, str]) -> list[AffiliationTold]:
    """What must have happened since `place` for the members to be these."""
    known = place.members or {}
    gone = [AffiliationTold(account, "none") for account in sorted(known.keys() - members.keys())]
    return gone + [AffiliationTold(account, members[account]) for account in sorted(members)]


def _change(told: AffiliationTold, place: Place) -> Membership | None:
    """What an affiliation means against those that were told before; `None` if it is no news."""
    place.members = place.members if place.members is not None else {}
    was_member = told.account in place.members
    if told.affiliation in AFFILIATIONS:
        place.members[told.account] = told.affiliation
        return None if was_member else Membership.JOINED
    place.members.pop(told.account, None)
    if told.affiliation == "outcast":
        return Membership.BANNED if was_member else None
    return Membership.LEFT if was_member else None


def _membership(
    account: Account, membership: Membership, actor: Account | None, address: RoomAddress, place: Place, at: int
) -> MembershipSeen:
    place.told += 1
    return MembershipSeen(Origin(address, f"affiliation-{place.told}", actor, at), account, membership)
