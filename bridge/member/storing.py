"""A member's session in the store: what a step changed is written, in the transaction of the step.

============================  ====================================================================================
where                         what
============================  ====================================================================================
`groups`                      the engine's state, in its parts; apart from it, what leads back to the epoch before, and
                              the state behind an external Commit of one's own
record space `member`         `Memory`, one record for each member
record space `standing`       `Standing`, one record for each member: how firmly the epoch stands
record space `held NAME`      envelopes that wait, by identity
record space `people NAME`    whoever published a KeyPackage here, by credential identity
record space `recovery`       `Recovery`, one record for each member
record space `welcomed`       references of the KeyPackages that Welcomes have answered, one record for each member
record space `identity`       the client's signature key, by account and device
record space `restored`       the group that a member was in when it was backed up (`bridge.member.restored`)
`key_packages`                KeyPackages of one's own that are out, with their private keys
`trust`                       what vouches for whose key, append-only
`inbox`                       what is to be told and has not been acknowledged
`log`, under NAME             what is kept of the order for those who miss it (`bridge.member.keeping`)
`outbox`                      envelopes on their way into the room
============================  ====================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import mls
from bridge.conversation import Verification
from bridge.member import keeping, restored
from bridge.member.environment import capabilities
from bridge.member.memory import Memory, empty_memory
from bridge.member.recovery import Recovery, nothing_lost
from bridge.member.standing import Standing, firm
from bridge.member.state import Held, Person, Session
from bridge.protocol.code_points import HASH_SIZE
from bridge.protocol.identity import Identity
from bridge.store import OutboxEntry
from bridge.store.key_packages import StoredKeyPackage
from mls.codec import Opaque, Struct, UInt8, UInt64, struct
from mls.persistence import changes, decode_key_package_bundle, encode_key_package_bundle
from mls.wire.key_package import KeyPackage
from mls.wire.leaf_node import KeyPackageSource
from transports.room import Account, RoomAddress

if TYPE_CHECKING:
    from bridge.member.settings import MemberSettings
    from bridge.member.step import Step
    from bridge.store.member import MemberTransaction
    from mls.crypto.random import Random

__all__ = ["IDENTITY", "MEMBER", "Names", "load", "load_client", "owner_of", "save", "save_client"]

MEMBER = "member"
"""The space of members' memories."""
STANDING = "standing"
"""The space of what is kept until a Commit is settled."""
RECOVERY = "recovery"
"""The space of what is kept on the way back."""
WELCOMED = "welcomed"
"""The space of the KeyPackages that are used up."""
IDENTITY = "identity"
"""The space of clients' signature keys."""
_SUITE = 1
_BEFORE, _COMING = "before", "coming"
"""Under what other states of a group are kept: of the epoch before, and behind an external Commit."""


@dataclass(frozen=True, slots=True)
class Names:
    """Under which names a member's things are stored."""

    member: str

    @classmethod
    def of(cls, scope: str) -> Names:
        """Return the names of the member at a side of a room, by that side's scope."""
        return cls(f"member {scope}")

    @property
    def key(self) -> bytes:
        """The key of the member's record."""
        return self.member.encode()

    @property
    def held(self) -> str:
        """The space of the envelopes that wait."""
        return f"held {self.member}"

    @property
    def people(self) -> str:
        """The space of the directory."""
        return f"people {self.member}"


@struct()
class StoredClient(Struct):
    """A client's signature key, and the number of its suite."""

    suite: UInt8
    signature_key: Opaque


@struct()
class StoredPerson(Struct):
    """A `Person`."""

    key_package: KeyPackage
    seen_by: Opaque
    asks: UInt8
    at: UInt64


async def load(
    tx: MemberTransaction, names: Names, account: Account, room: RoomAddress, settings: MemberSettings, random: Random
) -> Session:
    """Read a member's session; at the first time, make its signature key, and store it."""
    identity = Identity(account, settings.device)
    client = await load_client(tx, identity, random)
    if client is None:
        client = capabilities(mls.Client.basic(identity.encode(), random, suite=_SUITE))
        await save_client(tx, identity, client)
    record = await tx.records.get(MEMBER, names.key)
    memory = empty_memory() if record is None else Memory.decode(record)
    held = {key: Held.decode(value) for key, value in await tx.records.items(names.held)}
    people = [_person(key, value) for key, value in await tx.records.items(names.people)]
    packages = await tx.key_packages.list(owner_of(account, room))
    welcomed = await tx.records.get(WELCOMED, names.key) or b""
    trust: dict[tuple[Account, bytes], Verification] = {}
    for entry in await tx.trust.all(str(account)):
        trust[Account(entry.account), entry.signature_key] = Verification(entry.how)
    group_ids = await tx.groups.list(owner_of(account, room))
    group = left = coming = None
    if group_ids:
        group = await tx.groups.load(owner_of(account, room), group_ids[0])
        left = await tx.groups.load(_beside(account, room, _BEFORE), group_ids[0])
        coming = await tx.groups.load(_beside(account, room, _COMING), group_ids[0])
    stood = await tx.records.get(STANDING, names.key)
    lost = await tx.records.get(RECOVERY, names.key)
    if group is None:
        settings = await restored.bound(tx, names, settings)
    return Session(
        account,
        room,
        settings,
        client,
        group,
        standing=firm() if stood is None else Standing.decode(stood),
        left=left,
        coming=coming,
        memory=memory,
        recovery=nothing_lost() if lost is None else Recovery.decode(lost),
        held=dict(sorted(held.items(), key=lambda item: item[1].place)),
        people={person.identity: person for person in people},
        welcomed=tuple(welcomed[at : at + HASH_SIZE] for at in range(0, len(welcomed), HASH_SIZE)),
        trust=trust,
        bundles=tuple(decode_key_package_bundle(bytes(item.bundle)) for item in packages),
    )


async def save(tx: MemberTransaction, names: Names, before: Session, step: Step) -> None:
    """Write what a step changed, and put what it posts into the outbox and what it tells into the inbox."""
    await keeping.keep(tx, names.member, step)
    await keeping.supply(tx, names.member, step)
    after = step.session
    await _save_group(tx, before, step)
    await _save_beside(tx, step, _BEFORE, before.left, after.left)
    await _save_beside(tx, step, _COMING, before.coming, after.coming)
    await _save_small(tx, names, before, after)
    for identity in before.held.keys() - after.held.keys():
        await tx.records.delete(names.held, identity)
    for identity in after.held.keys() - before.held.keys():
        await tx.records.put(names.held, identity, after.held[identity].encode())
    for who in before.people.keys() - after.people.keys():
        await tx.records.delete(names.people, who.encode())
    for who, person in after.people.items():
        if before.people.get(who) is not person:
            await tx.records.put(names.people, who.encode(), _stored(person))
    await _save_key_packages(tx, before, after, step.now)
    for account, key, how in step.recorded:
        await tx.trust.append(str(after.account), str(account), key, how.value, step.now)
    for post in step.posts:
        entry = OutboxEntry(
            account=after.account,
            room=after.room,
            envelope=post.envelope.encode(),
            transaction=post.transaction,
            note=None,
            fallback=post.fallback,
            purpose=post.purpose,
            created_at=step.now,
        )
        await tx.outbox.add(entry)


async def _save_small(tx: MemberTransaction, names: Names, before: Session, after: Session) -> None:
    if after.memory != before.memory:
        await tx.records.put(MEMBER, names.key, after.memory.encode())
    if after.standing != before.standing:
        await tx.records.put(STANDING, names.key, after.standing.encode())
    if after.recovery != before.recovery:
        await tx.records.put(RECOVERY, names.key, after.recovery.encode())
    if after.welcomed != before.welcomed:
        await tx.records.put(WELCOMED, names.key, b"".join(after.welcomed))


async def _save_group(tx: MemberTransaction, before: Session, step: Step) -> None:
    after = step.session
    if after.group is before.group or after.group is None:
        return
    owner, previous = owner_of(after.account, after.room), before.group
    if previous is not None and step.begins_anew:
        await tx.groups.delete(owner, previous.group_id)
        previous = None
    await tx.groups.save(owner, after.group.group_id, changes(previous, after.group))


async def _save_beside(
    tx: MemberTransaction, step: Step, what: str, before: mls.GroupState | None, after: mls.GroupState | None
) -> None:
    """Write a state that is kept besides, or delete it: secrets that nobody needs must be gone."""
    if after is before:
        return
    owner = _beside(step.session.account, step.session.room, what)
    if before is not None and (after is None or step.begins_anew or after.revision <= before.revision):
        await tx.groups.delete(owner, before.group_id)
        before = None
    if after is not None:
        await tx.groups.save(owner, after.group_id, changes(before, after))


async def _save_key_packages(tx: MemberTransaction, before: Session, after: Session, now: int) -> None:
    owner = owner_of(after.account, after.room)
    old = {bundle.reference: bundle for bundle in before.bundles}
    new = {bundle.reference: bundle for bundle in after.bundles}
    for reference in old.keys() - new.keys():
        await tx.key_packages.delete(owner, reference)
    for reference in new.keys() - old.keys():
        bundle = new[reference]
        stored = StoredKeyPackage(
            reference=reference,
            key_package=bundle.message.encode(),
            bundle=encode_key_package_bundle(bundle),
            is_last_resort=bundle.key_package.is_last_resort,
            created_at=now,
            expires_at=_expiry(bundle.key_package),
            spent_at=None,
        )
        await tx.key_packages.put(owner, stored)


async def save_client(tx: MemberTransaction, identity: Identity, client: mls.Client) -> None:
    """Write who a member is: its signature key, which outlives every group."""
    stored = StoredClient(client.suite.number, bytes(client.signature_key.secret.value))
    await tx.records.put(IDENTITY, identity.encode(), stored.encode())


async def load_client(tx: MemberTransaction, identity: Identity, random: Random) -> mls.Client | None:
    """Return who a member is, `None` where it has no key yet."""
    record = await tx.records.get(IDENTITY, identity.encode())
    if record is None:
        return None
    stored = StoredClient.decode(record)
    fresh = mls.Client.basic(identity.encode(), random, suite=stored.suite)
    return capabilities(replace(fresh, signature_key=fresh.suite.load_signature_key(stored.signature_key)))


def owner_of(account: Account, room: RoomAddress) -> str:
    """Return under what a member's groups are stored: one account can be in the groups of several rooms."""
    return f"{account} {room}"


def _beside(account: Account, room: RoomAddress, what: str) -> str:
    return f"{owner_of(account, room)} {what}"


def _person(key: bytes, value: bytes) -> Person:
    stored = StoredPerson.decode(value)
    seen_by = Verification(stored.seen_by.decode())
    return Person(Identity.decode(key), stored.key_package, seen_by, bool(stored.asks), stored.at)


def _stored(person: Person) -> bytes:
    stored = StoredPerson(person.key_package, person.seen_by.value.encode(), int(person.asks), person.at)
    return stored.encode()


def _expiry(key_package: KeyPackage) -> int:
    source = key_package.leaf_node.leaf_node_source
    return source.lifetime.not_after * 1000 if isinstance(source, KeyPackageSource) else 0
