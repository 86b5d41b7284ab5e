"""What must hold, by name. What can be seen while it goes is seen by `tests.simulation.watching`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from bridge.conversation import DeliveryChanged, DeliveryState, Leave, Notice, Remove
from bridge.protocol.envelope import Envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from tests.simulation.story import What
from transports.room import EnvelopeSeen

if TYPE_CHECKING:
    from bridge.member.state import Session
    from tests.simulation.programs import MemberProgram
    from tests.simulation.watching import Encryption
    from tests.simulation.world import World
    from transports.room import Account

__all__ = ["PROPERTIES", "check_at_the_end"]

PROPERTIES: Final = {
    "one history": "never two Commits applied for one epoch: who is in it shares roster and authenticator",
    "convergence": "in the end all who are in the group and can reach each other are in one epoch of it",
    "nobody is stuck": "in the end nobody has stopped, misses a part of the order, or waits for something",
    "everybody is in": "who wants to be in the group is, and who was removed or has left is not",
    "delivered once": "no message is told twice to anybody",
    "delivered": "each message is told to each member who was in its epoch, or there is a reason on record",
    "entitled alone": "nobody is told what was encrypted for an epoch without them",
    "ciphertext alone": "no text of anybody stands in a room or in a file of the bridge",
    "keys once": "no key encrypts two different things that were posted",
    "real people alone": "who is in the group has an account, and the key is theirs",
    "intents kept": "what a program has promised its person to do is done in the end, or reported",
    "programs run": "no program ends by itself",
    "no fault of ours": "no step fails for a reason that nobody thought of",
    "it ends": "everything comes to rest",
}


def check_at_the_end(world: World) -> None:
    """Check everything that holds once all has come to rest."""
    sessions = {
        name: member.room.role.session
        for name, member in world.members.items()
        if member.is_running and member.room is not None and member.room.role.has_started
    }
    _check_running(world)
    _check_convergence(world, sessions)
    _check_rest(world, sessions)
    _check_roster(world, sessions)
    _check_delivery(world, sessions)
    _check_wishes(world, sessions)
    _check_bridge(world)
    world.watch.check_keys()


def _check_running(world: World) -> None:
    for program in [*world.members.values(), *([world.bridge] if world.bridge else [])]:
        if program.lives and not program.is_running:
            world.watch.violated("programs run", f"{program.name} does not run")


def _check_convergence(world: World, sessions: dict[str, Session]) -> None:
    places: dict[tuple[bytes, int, bytes], list[str]] = {}
    for name, session in sessions.items():
        if session.group is not None and session.is_active and not session.obstacle:
            group = session.group
            places.setdefault((group.group_id, group.epoch, group.epoch_authenticator), []).append(name)
    if len(places) > 1:
        shown = "; ".join(f"epoch {key[1]}: {', '.join(names)}" for key, names in places.items())
        world.watch.violated("convergence", shown)


def _check_rest(world: World, sessions: dict[str, Session]) -> None:
    for name, session in sessions.items():
        memory, log = session.memory, session.memory.log
        if name in world.left | world.uncertain | world.put_back and not _is_in(session, sessions):
            continue  # it was removed meanwhile, and nobody can tell it; or nobody is left who could help it back
        if session.obstacle:
            world.watch.violated("nobody is stuck", f"{name}: {session.obstacle}")
        elif session.is_active:
            if log is not None and (log.has_gap or log.next_entry is not None):
                world.watch.violated("nobody is stuck", f"{name} misses a part of the order")
            if session.standing.unsettled is not None:
                world.watch.violated("nobody is stuck", f"{name} waits for a verdict")
            if memory.in_flight is not None:
                world.watch.violated("nobody is stuck", f"{name} waits for the place of its Commit")
            if memory.outgoing:
                world.watch.violated("nobody is stuck", f"{name} has {len(memory.outgoing)} messages to encrypt")


def _is_in(session: Session, sessions: dict[str, Session]) -> bool:
    """Whether this member is in the group, with somebody whom it knows."""
    known = {identity for _, identity, _ in session.members()}
    others = (other for other in sessions.values() if other.is_active and other.identity in known)
    return any(other.leaf_of(session.identity) is not None for other in others) or session.is_active


def _check_roster(world: World, sessions: dict[str, Session]) -> None:
    active = {name: session for name, session in sessions.items() if session.is_active}
    for name, session in active.items():
        for _, identity, key in session.members():
            other = world.member_of(identity.account)
            if other is None:
                world.watch.violated("real people alone", f"{name} has {identity.account} in the group")
            elif (
                other.name in sessions.keys() - world.put_back
                and sessions[other.name].client.signature_key.public_key != key
            ):
                world.watch.violated("real people alone", f"{name} has another key of {other.name}")
    founder = next(iter(world.members))
    if founder not in active:
        return  # who is removed or let in is for those who are left to decide
    inside = {world.member_of(identity.account) for _, identity, _ in active[founder].members()}
    for name, session in sessions.items():
        is_in = world.members[name] in inside
        if name in world.left and is_in and _was_out(world, session.account):
            world.watch.violated("everybody is in", f"{name} is in the group again, and nobody wanted it")
        is_heard = _is_heard(world, sessions[founder], session)
        if name not in world.left | world.uncertain and not is_in and _was_asked(world) and is_heard:
            world.watch.violated("everybody is in", f"{name} is not in the group, and should be")


def _was_out(world: World, account: Account) -> bool:
    """Whether a wish has put somebody out, who has not asked to come back."""
    last = max((wish.at for wish in world.watch.wishes if wish.subject == account), default=None)
    return last is not None and _is_out_after(world, account, last)


def _is_out_after(world: World, account: Account, at: int) -> bool:
    """Whether somebody has entered an epoch without that account, then or later."""
    return any(
        when >= at and account not in world.watch.epochs[group_id, epoch].accounts
        for history in world.watch.entered.values()
        for when, group_id, epoch in history
    )


def _is_heard(world: World, founder: Session, session: Session) -> bool:
    """Whether the room has not lost somebody's wish before the founder read it: it is said again after 30 days."""
    if all(action.what not in {What.REDACT, What.TRIM} for action in world.story.actions):
        return True
    seen = founder.people.get(session.identity)
    return seen is not None and seen.reference in {bundle.reference for bundle in session.bundles}


def _was_asked(world: World) -> bool:
    """Whether there was somebody, all the time, who could let others in."""
    return not world.left


def _check_delivery(world: World, sessions: dict[str, Session]) -> None:
    watch = world.watch
    for text, encryptions in watch.encryptions.items():
        out = [made for made in encryptions if made.ciphertext in watch.posted]
        readers = {account for made in encryptions for account in made.accounts}
        for name, member in world.members.items():
            arrived = watch.arrived[name][text]
            if arrived and member.account not in readers:
                watch.violated("entitled alone", f"{name} was told {text}")
            is_sender = any(made.sender == name for made in encryptions)
            if is_sender or not any(member.account in made.accounts for made in out):
                continue
            watch.count("delivery", "told" if arrived else "not told")
            is_gone = any(made.ciphertext in watch.taken_out for made in out) or _never_crossed(world, member, out)
            if not arrived and not is_gone and not _has_reason(world, name) and not _has_failed(world, text):
                watch.violated("delivered", f"{name} was not told {text}")
    for text, (name, _) in watch.said.items():
        if any(made.ciphertext in watch.posted for made in watch.encryptions[text]):
            continue
        session = sessions.get(name)
        is_out = session is not None and session.is_returning and not _is_in(session, sessions)
        if not _has_failed(world, text) and name not in world.put_back and not is_out:
            watch.violated("delivered", f"what {name} said was never posted, and nobody said so: {text}")


def _never_crossed(world: World, member: MemberProgram, out: list[Encryption]) -> bool:
    """Whether an archive had forgotten a message before the relay read it: nothing tells the others of that yet."""
    if all(action.what is not What.TRIM for action in world.story.actions):
        return False
    is_there = next(room for room in world.rooms.values() if room.is_in(member.account))
    bodies = [event.envelope for event in is_there.events() if isinstance(event, EnvelopeSeen)]
    there = {hashlib.sha256(opened.body).digest() for body in bodies if (opened := _opened(body)) is not None}
    return not any(made.ciphertext in there for made in out)


def _opened(data: bytes) -> Envelope | None:
    try:
        return open_envelope(data)
    except ProtocolError:
        return None


def _has_failed(world: World, text: str) -> bool:
    """Whether who said something was told that it has not gone out."""
    name, identifier = world.watch.said.get(text, ("", b""))
    changes = (told.what for told in world.watch.told[name] if isinstance(told.what, DeliveryChanged))
    return any(one.id == identifier and one.state is DeliveryState.FAILED for one in changes)


def _has_reason(world: World, name: str) -> bool:
    """Whether the member's person was told that a message could not be opened, or that they are out."""
    session = world.members[name].room
    if session is None or not session.role.session.is_active:
        return True
    notices = [told.what.text for told in world.watch.told[name] if isinstance(told.what, Notice)]
    reasons = ("cannot be opened", "could not be opened", "cannot be read here", "Something may be missing here")
    return any(reason in text for text in notices for reason in reasons)


def _check_wishes(world: World, sessions: dict[str, Session]) -> None:
    for wish in world.watch.wishes:
        session = sessions.get(wish.by)
        if session is None or not session.is_active or wish.subject is None or wish.by in world.put_back:
            continue
        reported = any(
            isinstance(told.what, Notice)
            and any(words in told.what.text for words in ("not possible", "You are alone"))
            for told in world.watch.told[wish.by]
        )
        match wish.request:
            case Remove() | Leave():
                came_true = _is_out_after(world, wish.subject, wish.at)
                if not came_true and not reported:
                    world.watch.violated("intents kept", f"{wish.by} wanted {wish.request}")
            case _:
                pass


def _check_bridge(world: World) -> None:
    if world.bridge is None:
        return
    for path in sorted(world.bridge.folder.glob("*")):
        if b" of this story" in path.read_bytes():
            world.watch.violated("ciphertext alone", f"the bridge's {path.name} holds a text")
