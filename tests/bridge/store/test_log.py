"""The sealed log: in order, one seal to a place, and never without its head."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.store.errors import SealConflictError, StoreUsageError
from bridge.store.log import StoredSeal
from bridge.store.member import MemberStore

LARGEST = (1 << 64) - 1

pytestmark = pytest.mark.asyncio


def seal(term: int, seq: int, at: int = 5) -> StoredSeal:
    return StoredSeal(term, seq, b"hash %d %d" % (term, seq), b"seal %d %d" % (term, seq), at)


async def put(store: MemberStore, scope: str, group_id: bytes, *seals: StoredSeal) -> None:
    async with store.transaction() as tx:
        for item in seals:
            await tx.log.put_seal(scope, group_id, item.term, item.seq, item.seal_hash, item.seal, item.at)


async def test_seals_are_in_order_whatever_their_numbers(store: MemberStore) -> None:
    seals = [seal(0, 1), seal(0, 256), seal(1, 0), seal(LARGEST, 3), seal(LARGEST, LARGEST)]
    await put(store, "member", b"tea", *reversed(seals))
    await put(store, "member", b"cake", seal(2, 2))
    async with store.transaction() as tx:
        assert await tx.log.seals_after("member", b"tea", 0, 0, 10) == seals
        assert await tx.log.seals_after("member", b"tea", 0, 256, 2) == seals[2:4]
        assert await tx.log.head("member", b"tea") == seals[-1]
        assert await tx.log.seal("member", b"tea", 1, 0) == seals[2]
        assert await tx.log.seal("member", b"tea", 1, 1) is None
        assert await tx.log.head("sequencer", b"tea") is None
        with pytest.raises(StoreUsageError, match="not an unsigned 64-bit integer"):
            await tx.log.seal("member", b"tea", LARGEST + 1, 0)


async def test_a_place_in_the_log_has_one_seal(store: MemberStore) -> None:
    await put(store, "member", b"tea", seal(1, 1), seal(1, 1))
    with pytest.raises(SealConflictError) as caught:
        await put(store, "member", b"tea", replace(seal(1, 1), seal_hash=b"another"))
    assert (caught.value.term, caught.value.seq) == (1, 1)
    await put(store, "another scope", b"tea", replace(seal(1, 1), seal_hash=b"another"))


async def test_pruning_the_log_spares_each_head(store: MemberStore) -> None:
    await put(store, "member", b"tea", seal(1, 1), seal(1, 2), seal(1, 3, at=20))
    await put(store, "member", b"cake", seal(1, 1), seal(1, 2))
    await put(store, "sequencer", b"tea", seal(1, 1), seal(1, 2))
    async with store.transaction() as tx:
        await tx.log.prune("member", 20, 1 << 20)
        assert await tx.log.seals_after("member", b"tea", 0, 0, 10) == [seal(1, 3, at=20)]
        assert await tx.log.seals_after("member", b"cake", 0, 0, 10) == [seal(1, 2)]
        assert await tx.log.seals_after("sequencer", b"tea", 0, 0, 10) == [seal(1, 1), seal(1, 2)]


async def test_envelopes_are_kept_by_scope_until_they_are_pruned(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.log.put_envelope("member", b"old", b"old envelope", 5)
        await tx.log.put_envelope("member", b"new", b"new envelope", 20)
        await tx.log.put_envelope("sequencer", b"old", b"its copy", 5)
        await tx.log.put_envelope("member", b"new", b"the same identity is the same envelope", 30)
        await tx.log.prune("member", 20, 1 << 20)
        assert await tx.log.get_envelope("member", b"old") is None
        assert await tx.log.get_envelope("member", b"new") == b"new envelope"
        assert await tx.log.get_envelope("sequencer", b"old") == b"its copy"


async def test_of_more_envelopes_than_there_is_room_for_the_newest_are_kept(store: MemberStore) -> None:
    async with store.transaction() as tx:
        for at in range(5):
            await tx.log.put_envelope("member", bytes([at]), bytes(100), at)
        await tx.log.put_envelope("sequencer", b"old", bytes(400), 0)
        await tx.log.prune("member", 0, 250)
        kept = [at for at in range(5) if await tx.log.get_envelope("member", bytes([at])) is not None]
        assert kept == [3, 4]
        assert await tx.log.get_envelope("sequencer", b"old") is not None
