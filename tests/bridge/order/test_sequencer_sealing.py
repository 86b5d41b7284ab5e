"""What a sequencer decides, by itself; and who is served next."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.order.lanes import NO_LANES, ByteQuota
from bridge.order.sealing import (
    MAX_IN_FLIGHT,
    Handed,
    Memory,
    SealingSettings,
    Stop,
    adopt,
    begin,
    confirm,
    due,
    finish_reading,
    make_entries,
    pin,
    seal,
)
from bridge.protocol.code_points import MAX_INLINE, MAX_SEAL_ENTRIES

SETTINGS = SealingSettings()
NOW = 1_800_000_000_000


def ready() -> Memory:
    return finish_reading(pin(begin(SETTINGS), b"g", bytes(32)))


def due_now(memory: Memory, *, waiting: int = 1, waiting_due: int | None = NOW, now: int = NOW) -> int | None:
    return due(memory, SETTINGS, waiting=waiting, waiting_due=waiting_due, now=now)


def test_nothing_is_sealed_before_the_room_is_read_or_a_group_is_known() -> None:
    assert due_now(pin(begin(SETTINGS), b"g", bytes(32))) is None
    assert due_now(finish_reading(begin(SETTINGS))) is None
    assert due_now(ready()) == NOW


def test_a_clock_that_was_set_back_does_not_stop_it_and_time_in_seals_only_grows() -> None:
    memory, first = seal(ready(), (), now=NOW)
    memory, second = seal(memory, (), now=NOW - 3_600_000)

    assert due_now(memory, waiting_due=NOW - 3_600_000, now=NOW - 3_600_000) == NOW - 3_600_000
    assert second.timestamp == first.timestamp == NOW
    assert second.previous == first.hash


def test_a_full_seal_does_not_wait_for_more() -> None:
    memory, _ = seal(ready(), (), now=NOW)

    assert due_now(memory) == NOW + SETTINGS.gathering
    assert due_now(memory, waiting=MAX_SEAL_ENTRIES) == NOW


def test_no_more_seals_than_a_few_are_on_their_way() -> None:
    memory = ready()
    contents = []
    for number in range(MAX_IN_FLIGHT):
        memory, content = seal(memory, (), now=NOW + number)
        contents.append(content)

    assert due_now(memory) is None
    assert due_now(confirm(memory, contents[0], contents[0].hash)) is not None


def test_a_seal_of_its_own_that_it_does_not_know_stops_it() -> None:
    memory, first = seal(ready(), (), now=NOW)
    memory, second = seal(memory, (), now=NOW)
    _, third = seal(memory, (), now=NOW)

    assert confirm(memory, second, None).stopped.decode() == Stop.UNKNOWN_SEAL
    assert confirm(memory, third, None).stopped
    assert confirm(memory, first, bytes(32)).stopped
    assert confirm(memory, first.replace(group_id=b"other"), first.hash).stopped
    assert not confirm(memory, first, None).stopped  # long past, and forgotten
    assert due_now(confirm(memory, third, None)) is None


def test_own_seals_are_adopted_in_one_chain_from_wherever_the_archive_begins() -> None:
    memory = ready()
    contents = []
    for number in range(5):
        memory, content = seal(memory, (), now=NOW + number)
        contents.append(content)
    built = begin(SETTINGS)
    for content in contents[2:]:
        built = adopt(built, content)

    assert (built.head, built.group_id, built.shown) == (memory.head, b"g", 5)
    assert adopt(adopt(begin(SETTINGS), contents[0]), contents[2]).stopped
    assert adopt(adopt(begin(SETTINGS), contents[0]), contents[1].replace(previous=bytes(32))).stopped
    assert adopt(begin(SETTINGS), contents[0].replace(term=1)).stopped


def test_memory_survives_being_stored() -> None:
    memory, _ = seal(ready(), (), now=NOW)

    assert Memory.decode(memory.encode()) == memory


@given(st.lists(st.integers(0, MAX_INLINE + 10), max_size=MAX_SEAL_ENTRIES), st.integers(4000, 60_000))
def test_a_seal_fits_into_an_event(sizes: list[int], max_event: int) -> None:
    handed = [Handed.of(b"g", bytes(32), bytes(size)) for size in sizes]

    entries = make_entries(handed, b"g", SealingSettings(max_event=max_event))
    _, content = seal(ready(), entries, now=NOW)

    assert len(content.encode()) + 64 + 16 <= max_event
    assert len(entries) == len(sizes)


@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(0, 5000)), max_size=60), st.integers(1, 10**6)
)
def test_lanes_serve_all_in_each_senders_order_and_at_their_time(pushes: list[tuple[bytes, int]], rate: int) -> None:
    quota = ByteQuota(per_minute=rate)
    lanes, dues = NO_LANES, dict[tuple[bytes, int], int]()
    for sender, size in pushes:
        lanes, lane, at = lanes.push(sender, size, quota, now=NOW)
        dues[sender, lane.end - 1] = at
    served: list[tuple[bytes, int]] = []
    now = NOW
    while (next_due := lanes.next_due()) is not None:
        now = max(now, next_due)
        taken = lanes.next_lane(now)
        assert taken is not None
        assert dues[taken.sender, taken.first] <= now
        served.append((taken.sender, taken.first))
        lanes = lanes.pop(taken, dues.get((taken.sender, taken.first + 1), 0))

    assert len(served) == len(pushes)
    for name in (b"a", b"b", b"c"):
        assert [number for sender, number in served if sender == name] == list(range(sum(s == name for s, _ in pushes)))


def test_senders_take_turns() -> None:
    lanes = NO_LANES
    for sender in (b"a", b"a", b"a", b"b", b"b", b"c"):
        lanes, _, _ = lanes.push(sender, 1, ByteQuota(per_minute=1 << 30), now=NOW)
    order = []
    while (lane := lanes.next_lane(NOW)) is not None:
        order.append(lane.sender)
        lanes = lanes.pop(lane, NOW)

    assert sorted(order[:3]) == [b"a", b"b", b"c"]
    assert order[-1] == b"a"
    assert lanes.pruned(NOW + 10**9).lanes == ()
