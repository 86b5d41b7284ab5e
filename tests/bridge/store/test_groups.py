"""Groups: what a step changed is what is written, and what comes back is what was stored."""

from __future__ import annotations

import pytest

import mls
from bridge.store.errors import CorruptStoreError, StoreConflictError
from bridge.store.member import MemberStore
from mls.persistence import Changes, changes
from tests.bridge.store.opening import files
from tests.mls.world import World, fingerprint

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

OWNER = "xmpp:alice@example.org"


async def save(store: MemberStore, group_changes: Changes, group_id: bytes = b"tea") -> None:
    async with store.transaction() as tx:
        await tx.groups.save(OWNER, group_id, group_changes)


async def load(store: MemberStore, group_id: bytes = b"tea") -> mls.GroupState | None:
    async with store.transaction() as tx:
        return await tx.groups.load(OWNER, group_id)


async def test_a_group_comes_back_after_each_step(store: MemberStore) -> None:
    world = World.of("alice", "bob")
    before: mls.GroupState | None = None
    for step in range(4):
        after = world.states["alice"]
        await save(store, changes(before, after))
        loaded = await load(store)
        assert loaded is not None
        assert fingerprint(loaded) == fingerprint(after)
        before = after
        message = world.adopt("alice", mls.protect(after, world.environment, b"message %d" % step))
        world.process("bob", message)


async def test_a_step_from_another_revision_is_refused(store: MemberStore) -> None:
    world = World.of("alice", "bob")
    first = world.states["alice"]
    second = mls.protect(first, world.environment, b"one").state
    third = mls.protect(second, world.environment, b"two").state
    with pytest.raises(StoreConflictError, match="no revision"):
        await save(store, changes(first, second))
    await save(store, changes(None, first))
    for wrong in (changes(second, third), changes(None, second)):
        with pytest.raises(StoreConflictError) as caught:
            await save(store, wrong)
        assert (caught.value.revision, caught.value.expected) == (first.revision, wrong.revision_before)
    loaded = await load(store)
    assert loaded is not None
    assert fingerprint(loaded) == fingerprint(first)
    await save(store, changes(first, second))


async def test_secret_parts_are_encrypted_and_public_ones_are_not(store: MemberStore) -> None:
    world = World.of("alice", "bob")
    state = world.states["alice"]
    group_changes = changes(None, state)
    await save(store, group_changes)
    found = files(store.path)
    secret = [part.data for part in group_changes.put if part.is_secret]
    assert secret
    assert not [data for data in secret if data in found]
    # Larger parts are cut into pages.
    assert all(part.data[:100] in found for part in group_changes.put if not part.is_secret)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE group_parts SET data = x'00' WHERE key_id IS NULL",
        "UPDATE group_parts SET data = x'00' WHERE key_id IS NOT NULL",
        "UPDATE group_parts SET kind = 99 WHERE kind = 1",
        "DELETE FROM group_parts WHERE kind = 3",
        "UPDATE group_parts SET place = 77 WHERE kind = 10",
        "UPDATE value_keys SET wrapped = zeroblob(72)",
    ],
)
async def test_a_damaged_group_is_a_clear_error(store: MemberStore, sql: str) -> None:
    world = World.of("alice", "bob")
    state = mls.protect(world.states["alice"], world.environment, b"so that there is a ratchet").state
    await save(store, changes(None, state))
    async with store._statements() as statements:
        await statements.rows(sql)
    with pytest.raises(CorruptStoreError):
        await load(store)


async def test_epochs_of_64_bits_fit(store: MemberStore) -> None:
    world = World.of("alice", "bob")
    group_changes = changes(None, world.states["alice"])
    key = group_changes.put[1].key._replace(epoch=(1 << 64) - 1)
    part = type(group_changes.put[1])(key, b"data")
    await save(store, Changes(None, 1, (part,), ()))
    await save(store, Changes(1, 2, (), (key,)))


async def rows_and_bytes(store: MemberStore, group_changes: Changes, group_id: bytes) -> tuple[int, int]:
    """Save, and return how many rows it wrote and how many bytes the log grew by."""
    await store.truncate()
    before = store._database.changes
    await save(store, group_changes, group_id)
    log = store.path.with_name(store.path.name + "-wal").stat().st_size
    return store._database.changes - before, log


async def test_the_cost_of_a_message_does_not_grow_with_the_group(store: MemberStore) -> None:
    costs = []
    for members in (2, 1000):
        world = World.of("alice")
        names = [f"m{number}" for number in range(1, members)]
        bundles = [world.key_package(name).key_package for name in names]
        added = mls.add(world.states["alice"], world.environment, bundles, now=world.now)
        output = world.adopt("alice", added)
        world.process("alice", output.message)
        state = world.states["alice"]
        group_id = b"%d" % members
        await save(store, changes(None, state), group_id)
        # The first message of a sender in an epoch also writes the path above its ratchets.
        first = mls.protect(state, world.environment, b"one").state
        await save(store, changes(state, first), group_id)
        second = mls.protect(first, world.environment, b"two").state
        costs.append(await rows_and_bytes(store, changes(first, second), group_id))
    (few_rows, few_bytes), (many_rows, many_bytes) = costs
    assert many_rows == few_rows <= 10
    assert many_bytes <= few_bytes + 4 * 4120, "a few pages of deeper indices"
