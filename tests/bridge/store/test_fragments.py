"""Fragments come back whole or not at all, and take a bounded amount."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.store.errors import FragmentError
from bridge.store.fragments import MAX_PARTS
from bridge.store.member import MemberStore
from tests.bridge.store.opening import opened

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def remaining(store: MemberStore) -> tuple[int, int]:
    async with store._statements() as statements:
        ((wholes,),) = await statements.rows("SELECT count(*) FROM fragmented")
        ((parts,),) = await statements.rows("SELECT count(*) FROM fragments")
    return wholes, parts


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 1, 2, 2, 0)])
async def test_parts_come_back_in_order(store: MemberStore, order: tuple[int, ...]) -> None:
    parts = (b"one", b"", b"three")
    async with store.transaction() as tx:
        *early, last = [await tx.fragments.add("room", b"whole", index, 3, parts[index], 1) for index in order]
    assert set(early) == {None}
    assert last == parts
    assert await remaining(store) == (0, 0)


async def test_an_envelope_in_one_part_is_whole_at_once(store: MemberStore) -> None:
    async with store.transaction() as tx:
        assert await tx.fragments.add("room", b"whole", 0, 1, b"all", 1) == (b"all",)


async def test_rooms_and_sources_do_not_mix(store: MemberStore) -> None:
    async with store.transaction() as tx:
        assert await tx.fragments.add("room", b"whole", 0, 2, b"mallory's", 1, source="mallory") is None
        assert await tx.fragments.add("room", b"whole", 0, 2, b"alice's", 1, source="alice") is None
        assert await tx.fragments.add("another", b"whole", 1, 2, b"elsewhere", 1, source="alice") is None
        assert await tx.fragments.add("room", b"whole", 1, 2, b"rest", 1, source="alice") == (b"alice's", b"rest")


@pytest.mark.parametrize(
    "index, count, part, what",
    [
        (0, 3, b"x", "an envelope of 2 parts has one that says 3"),
        (0, 2, b"other", "came twice, and differs"),
        (2, 2, b"x", "part 2 of 2 is beyond"),
        (-1, 2, b"x", "part -1 of 2 is beyond"),
        (0, 0, b"x", "part 0 of 0 is beyond"),
        (0, MAX_PARTS + 1, b"x", "beyond the limit of 512 parts"),
        (1, 2, bytes(1000), "beyond the limit of 1000 bytes"),
    ],
)
async def test_what_contradicts_or_exceeds_is_refused_and_changes_nothing(
    store: MemberStore, index: int, count: int, part: bytes, what: str
) -> None:
    async with store.transaction() as tx:
        await tx.fragments.add("room", b"whole", 0, 2, b"first", 1)
    async with store.transaction() as tx:
        with pytest.raises(FragmentError, match=what):
            await tx.fragments.add("room", b"whole", index, count, part, 1, budget=1000)
    async with store.transaction() as tx:
        assert await tx.fragments.add("room", b"whole", 1, 2, b"rest", 1) == (b"first", b"rest")


async def test_the_oldest_gives_way(store: MemberStore) -> None:
    async with store.transaction() as tx:
        for whole in (b"1", b"2", b"3"):
            await tx.fragments.add("room", whole, 0, 2, bytes(1000), 1, budget=3000)
        await tx.fragments.add("another", b"1", 0, 2, bytes(1000), 1, budget=3000)
        assert await tx.fragments.add("room", b"1", 1, 2, b"", 1, budget=3000) is None, "its other part is forgotten"
        assert await tx.fragments.add("another", b"1", 1, 2, b"", 1) == (bytes(1000), b"")
        assert await tx.fragments.add("room", b"3", 1, 2, b"", 1) == (bytes(1000), b"")


async def test_empty_parts_count_too(store: MemberStore) -> None:
    async with store.transaction() as tx:
        for number in range(200):
            await tx.fragments.add("room", b"%d" % number, 0, 2, b"", 1, budget=10_000)
    assert (await remaining(store))[0] <= 10_000 // 256


async def test_old_ones_are_pruned(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.fragments.add("room", b"old", 0, 2, b"x", 10)
        await tx.fragments.add("room", b"new", 0, 2, b"x", 20)
        await tx.fragments.prune(20)
    assert await remaining(store) == (1, 1)


adding = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4), st.binary(max_size=600))


@settings(max_examples=20)
@given(traffic=st.lists(adding, max_size=25))
async def test_any_traffic_stays_within_the_budget(
    tmp_path_factory: pytest.TempPathFactory, traffic: list[tuple[int, int, int, bytes]]
) -> None:
    async with opened(tmp_path_factory.mktemp("fragments") / "store.db") as store:
        for whole, index, count, part in traffic:
            async with store.transaction() as tx:
                try:
                    parts = await tx.fragments.add("room", b"%d" % whole, index, count, part, 1, budget=2000)
                except FragmentError:
                    continue
                assert parts is None or (len(parts) == count and parts[index] == part)
            async with store._statements() as statements:
                ((used,),) = await statements.rows("SELECT coalesce(sum(length(data) + 256), 0) FROM fragments")
                ((said,),) = await statements.rows("SELECT coalesce(sum(size), 0) FROM fragmented")
                assert used == said <= 2000
