"""Who is in a room behind which nickname, by the presence that the room sends. Pure.

The room alone writes presence in its name, and `<x xmlns='…muc#user'>` in it: Prosody and ejabberd remove a client's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from transports.room import Account, RoomAddress
from transports.xmpp.elements import CLIENT, MUC_USER, Element, bare_and_resource, child, children, error_of
from transports.xmpp.uris import account_of, room_named

__all__ = [
    "AFFILIATIONS",
    "AffiliationTold",
    "Destroyed",
    "Entered",
    "EntryRefused",
    "Kicked",
    "Left",
    "Occupants",
    "Told",
]

AFFILIATIONS: Final = {"owner": 100, "admin": 50, "member": 0}
"""The affiliations of members, with their power."""

_KNOWN: Final = frozenset({*AFFILIATIONS, "none", "outcast"})
_MOST_OCCUPANTS: Final = 20_000
_CREATED, _SELF, _NICK_CHANGED, _BANNED, _KICKED, _TECHNICAL = "201", "110", "303", "301", "307", "333"
_AFFILIATION_CHANGED, _MEMBERS_ONLY, _SHUTDOWN = "321", "322", "332"


@dataclass(frozen=True, slots=True)
class Entered:
    """We are in."""

    nickname: str
    affiliation: str
    """Our own; empty where the room does not tell."""
    created: bool
    """Whether the room did not exist before, and does now."""


@dataclass(frozen=True, slots=True)
class EntryRefused:
    """The room did not let us in."""

    condition: str
    text: str
    instead: str = ""
    """The address that is named in place of the room's."""


@dataclass(frozen=True, slots=True)
class Left:
    """We are out of the room, but may come back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Kicked:
    """Somebody was put out of the room; a member stays a member."""

    account: Account
    actor: Account | None


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The room is no more."""

    successor: RoomAddress | None = None
    """The room that was named in its place."""


@dataclass(frozen=True, slots=True)
class AffiliationTold:
    """The affiliation that an account has now, changed or not."""

    account: Account
    affiliation: str
    actor: Account | None = None


Told = Entered | EntryRefused | Left | Kicked | Destroyed | AffiliationTold


@dataclass(slots=True)
class Occupants:
    """The occupants of one room, from the moment on that we enter it."""

    own_nickname: str
    is_inside: bool = False
    _accounts: dict[str, Account] = field(default_factory=dict)

    def account(self, nickname: str) -> Account | None:
        """Who is behind a nickname."""
        return self._accounts.get(nickname)

    def nickname(self, account: Account) -> str:
        """A nickname of an account; empty where it is not in the room."""
        return next((name for name, each in self._accounts.items() if each == account), "")

    def on_presence(self, presence: Element) -> list[Told]:
        """Take what the room says about somebody, and return what that means."""
        nickname = bare_and_resource(presence.get("from"))[1]
        match presence.get("type"):
            case "error":
                return [] if self.is_inside else [EntryRefused(*error_of(presence))]
            case None:
                return self._on_available(nickname, child(presence, MUC_USER, "x"))
            case "unavailable":
                return self._on_unavailable(nickname, child(presence, MUC_USER, "x"))
            case _:
                return []

    def on_affiliation(self, message: Element) -> list[Told]:
        """Take what the room says about somebody who is not in it (XEP-0045, section 9.3 and others)."""
        if child(message, CLIENT, "body") is not None:
            return []
        return _affiliations(child(message, MUC_USER, "x"))

    def _on_available(self, nickname: str, x: Element | None) -> list[Told]:
        codes = _codes(x)
        told = _affiliations(x)
        account = next((each.account for each in told if isinstance(each, AffiliationTold)), None)
        if account is not None and (nickname in self._accounts or len(self._accounts) < _MOST_OCCUPANTS):
            self._accounts[nickname] = account
        else:
            self._accounts.pop(nickname, None)
        if _SELF in codes and not self.is_inside:
            # The server may have given us another nickname than we asked for (status 210).
            self.own_nickname, self.is_inside = nickname, True
            affiliation = next((each.affiliation for each in told if isinstance(each, AffiliationTold)), "")
            told.append(Entered(nickname, affiliation, _CREATED in codes))
        return told

    def _on_unavailable(self, nickname: str, x: Element | None) -> list[Told]:
        codes = _codes(x)
        account = self._accounts.pop(nickname, None)
        told = _affiliations(x)
        if _NICK_CHANGED in codes:
            return self._on_renamed(nickname, account, x, told)
        subject = next((each for each in told if isinstance(each, AffiliationTold)), None)
        if _KICKED in codes and _TECHNICAL not in codes and subject is not None:
            told.append(Kicked(subject.account, subject.actor))
        if _SELF in codes or nickname == self.own_nickname:
            was_inside, self.is_inside = self.is_inside, False
            self._accounts.clear()
            if (destroy := child(x, MUC_USER, "destroy")) is not None:
                told.append(Destroyed(room_named(destroy.get("jid"))))
            elif was_inside:
                told.append(Left(_why(codes)))
        return told

    def _on_renamed(self, nickname: str, account: Account | None, x: Element | None, told: list[Told]) -> list[Told]:
        new = next((item.get("nick") for item in children(x, MUC_USER, "item")), None)
        if new and account is not None:
            self._accounts[new] = account
        if nickname == self.own_nickname and new:
            self.own_nickname = new
        return told


def _affiliations(x: Element | None) -> list[Told]:
    told: list[Told] = []
    for item in children(x, MUC_USER, "item"):
        account, affiliation = account_of(item.get("jid")), item.get("affiliation")
        if account is not None and affiliation in _KNOWN:
            actor = child(item, MUC_USER, "actor")
            told.append(AffiliationTold(account, affiliation, None if actor is None else account_of(actor.get("jid"))))
    return told


def _codes(x: Element | None) -> frozenset[str]:
    return frozenset(status.get("code", "") for status in children(x, MUC_USER, "status"))


def _why(codes: frozenset[str]) -> str:
    reasons = {
        _BANNED: "banned",
        _AFFILIATION_CHANGED: "no longer a member",
        _MEMBERS_ONLY: "not a member, and the room takes members only now",
        _SHUTDOWN: "the chat service shuts down",
        _TECHNICAL: "the server lost us",
        _KICKED: "kicked",
    }
    return next((reason for code, reason in reasons.items() if code in codes), "out of the room")
