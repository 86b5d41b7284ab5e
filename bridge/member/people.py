"""Who published a KeyPackage in the room, what vouches for them, and the numbers that settle it.

A KeyPackage says who it is for; anybody can post one that says so. What our own server shows an account of our own
network posting, that network vouches for. What comes by a relay is a relay's word: it lets nobody in, until a person
has compared numbers (design, section 6).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.conversation import Asked, Notice, RequestRefusedError, Verification
from bridge.conversation.naming import HOW_TO_NAME, account_meant, is_account
from bridge.member import committing
from bridge.member.memory import IntentKind
from bridge.member.rights import may_commit
from bridge.member.settings import AddPolicy
from bridge.member.state import Person
from bridge.protocol.bodies import KeyPackagePurpose, PublishedKeyPackage, open_body
from bridge.protocol.code_points import HASH_SIZE, Introductions
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import Identity, identity_of_credential
from bridge.protocol.numbers import pair_number
from mls import DecodeError
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage, wrap
from mls.wire.proposals import Add

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step
    from bridge.protocol.envelope import Envelope
    from transports.room import Account, Origin

__all__ = [
    "ask_again",
    "came_in",
    "digits_with",
    "find",
    "is_vouched_for",
    "name_of",
    "reconsider",
    "take_key_package",
    "verification",
    "vouch",
    "was_removed",
    "was_welcomed",
]

_MAX_PEOPLE = 2_000
"""How many who are not in the group are kept; the longest known is forgotten first."""

_HOW_TO_BE_SEEN = "They must be in the room, and their program must have posted a key package: it asks to be let in."

_MAX_WELCOMED = 1_000
"""Of how many KeyPackages it is kept that a Welcome has answered them."""

_MAX_REMOVED = 1_000
"""Of how many removed accounts it is kept that they were."""


def name_of(account: str) -> str:
    """Return a short name of an account, for people: `alice` for `matrix:u/alice:example.org`."""
    rest = account.partition(":")[2].removeprefix("u/")
    return rest.partition("@")[0].partition(":")[0] or account


def take_key_package(step: Step, origin: Origin, sealed: Envelope) -> None:
    """Take in a published KeyPackage. Raises `ProtocolError` for one that is none."""
    published = open_body(PublishedKeyPackage, sealed)
    package = _key_package(published.key_package)
    identity = identity_of_credential(package.leaf_node.credential)
    if identity == step.session.identity:
        return
    seen_by = _seen_by(step.session, origin, identity)
    if seen_by is Verification.NETWORK:
        step.trust(identity.account, package.leaf_node.signature_key, seen_by)
    person = Person(identity, package, seen_by, published.purpose is KeyPackagePurpose.ASK, step.now)
    # Servers that federate show things in orders of their own: a Welcome before what it answers.
    asks = person.asks and person.reference not in step.session.welcomed
    _make_room(step)
    step.know(replace(person, asks=asks))
    if asks and step.session.is_active and _is_of_this_group(step.session, published):
        _consider(step, identity)


def reconsider(step: Step, *, quietly: bool = True) -> None:
    """Look again at everybody who asks: the group, one's rights or what vouches for them may have changed.

    `quietly` puts nobody before the person: they were put there when they asked.
    """
    for identity, person in step.session.people.items():
        if person.asks:
            _consider(step, identity, quietly=quietly)


def vouch(step: Step, account: Account, digits: str) -> None:
    """Record that a person has compared the numbers, and let in whoever waited for that.

    Raises `RequestRefusedError` where the digits are not those of that account's key.
    """
    person_key = _key_of(step.session, account)
    if digits_with(step.session, account) != digits:
        raise RequestRefusedError(
            f"these are not the digits of {account}: its key has changed since they were shown.",
            next_step="Compare again.",
        )
    step.trust(account, person_key[1], Verification.COMPARED)
    for identity, person in step.session.people.items():
        if identity.account == account and person.asks:
            _consider(step, identity, at_once=True)


def came_in(step: Step, identity: Identity) -> None:
    """Take note that somebody is in the group: they no longer ask, and were not removed."""
    person = step.session.people.get(identity)
    if person is not None and person.asks:
        step.know(replace(person, asks=False))
    name = identity.account.encode()
    step.remember(removed=tuple(other for other in step.session.memory.removed if other != name))


def was_welcomed(step: Step, references: Collection[bytes]) -> None:
    """Take note that KeyPackages stood in a Welcome: each is used once, whoever reads of it only now."""
    new = tuple(sorted(reference for reference in references if len(reference) == HASH_SIZE))
    others = tuple(known for known in step.session.welcomed if known not in references)
    step.session = replace(step.session, welcomed=(*new, *others)[:_MAX_WELCOMED])
    for person in list(step.session.people.values()):
        if person.asks and person.reference in references:
            step.know(replace(person, asks=False))


def ask_again(step: Step, identities: Collection[Identity]) -> None:
    """Take note that these still ask: what had let them in does not count."""
    for identity in identities:
        person = step.session.people.get(identity)
        if person is not None:
            step.know(replace(person, asks=True))


def was_removed(step: Step, identity: Identity) -> None:
    """Take note that somebody was removed: they come back by a person's decision alone."""
    name = identity.account.encode()
    others = tuple(other for other in step.session.memory.removed if other != name)
    step.remember(removed=(name, *others)[:_MAX_REMOVED])


def digits_with(session: Session, account: Account) -> str:
    """Return the 60 digits to compare with somebody. Raises `RequestRefusedError` for who has no key here."""
    own = (session.identity.encode(), session.client.signature_key.public_key)
    return pair_number(own, _key_of(session, account))


def find(session: Session, who: str) -> Account:
    """Return the account that a person means: in full, or by a short name that one account alone has."""
    known = {identity.account for _, identity, _ in session.members()}
    known |= {identity.account for identity in session.people}
    wanted = account_meant(who.strip())
    meant = {account for account in known if account == wanted}
    if not meant and not is_account(wanted):
        meant = {account for account in known if name_of(account).casefold() == wanted.casefold()}
    match len(meant):
        case 1:
            return meant.pop()
        case 0 if is_account(wanted):
            raise RequestRefusedError(f"No key of {wanted} has been seen here.", next_step=_HOW_TO_BE_SEEN)
        case 0:
            raise RequestRefusedError(
                f"Nobody is known here as {wanted}.",
                next_step=f"{HOW_TO_NAME}. {_HOW_TO_BE_SEEN} Who is in the group",
                command="members",
            )
        case _:
            raise RequestRefusedError(f"{wanted} could be {' or '.join(sorted(meant))}.", next_step=f"{HOW_TO_NAME}.")


def verification(session: Session, account: Account, key: bytes) -> Verification:
    """Return what vouches for somebody's key, here."""
    return session.trust.get((account, key), Verification.FIRST_USE)


def is_vouched_for(session: Session, person: Person) -> bool:
    """Return whether a person's key may go into the group: their network or a person vouches for it."""
    level = session.trust.get((person.identity.account, person.key_package.leaf_node.signature_key))
    if level is Verification.COMPARED:
        return True
    if person.identity.network == session.identity.network:
        return person.seen_by is Verification.NETWORK
    return session.order.introductions is Introductions.BRIDGE


def _consider(step: Step, identity: Identity, *, quietly: bool = False, at_once: bool = False) -> None:
    """Add whoever asks where that is this member's to decide, or put it before the person who has the right."""
    session = step.session
    person = session.people[identity]
    if not session.is_active or session.leaf_of(identity) is not None:
        return
    is_sure = is_vouched_for(session, person)
    may = may_commit(session.order, session.identity, Add(person.key_package), identity) is None
    if not may or session.settings.add is AddPolicy.NOBODY:
        return
    was_removed = identity.account.encode() in session.memory.removed
    if is_sure and (at_once or (session.settings.add is AddPolicy.OWN_NETWORK and not was_removed)):
        package = wrap(person.key_package).encode()
        committing.want(step, IntentKind.ADD, identity, key_package=package, at_once=at_once)
    elif not quietly:
        digits = None if is_sure else digits_with(session, identity.account)
        step.is_to_be_compared |= digits is not None
        by_relay = person.seen_by is Verification.BRIDGE
        step.tell(Asked(identity.account, name_of(identity.account), identity.network.value, digits, by_relay))


def _seen_by(session: Session, origin: Origin, identity: Identity) -> Verification:
    """Return whose word it is that a KeyPackage is its account's. Raises `ProtocolError` where it is nobody's."""
    if origin.sender == identity.account:
        return Verification.NETWORK
    if identity.network == session.identity.network and origin.room == session.room:
        known = session.people.get(identity)
        if known is not None and known.seen_by is Verification.NETWORK:
            raise ProtocolError("somebody else posted a KeyPackage in the name of a member of this room")
        # The rooms of one network can be linked too: then it is a relay's word, as between networks.
    return Verification.BRIDGE


def _is_of_this_group(session: Session, published: PublishedKeyPackage) -> bool:
    return published.room in session.order.rooms


def _key_of(session: Session, account: Account) -> tuple[bytes, bytes]:
    """Return identity and signature key of an account: the member's, else of the KeyPackage seen last."""
    for _, identity, key in session.members():
        if identity.account == account and identity != session.identity:
            return identity.encode(), key
    people = [person for identity, person in session.people.items() if identity.account == account]
    if not people:
        raise RequestRefusedError(f"No key of {account} has been seen here.", next_step=_HOW_TO_BE_SEEN)
    newest = max(people, key=lambda person: person.at)
    return newest.identity.encode(), newest.key_package.leaf_node.signature_key


def _key_package(data: bytes) -> KeyPackage:
    try:
        message = MLSMessage.decode(data).message
    except DecodeError as error:
        raise ProtocolError(f"not a KeyPackage: {error}") from error
    if not isinstance(message, KeyPackage):
        raise ProtocolError(f"a {type(message).__name__} where a KeyPackage should be")
    return message


def _make_room(step: Step) -> None:
    people = step.session.people
    if len(people) >= _MAX_PEOPLE:
        oldest = min(people, key=lambda identity: people[identity].at)
        step.session = replace(step.session, people={who: what for who, what in people.items() if who != oldest})
        step.tell(Notice(f"more than {_MAX_PEOPLE} people published keys here: the oldest are forgotten"))
