"""Stored states and KeyPackages that are not what they were: parts that are missing, damaged, or of another version."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES
from mls.errors import DecodeError, UsageError
from mls.group.committing import commit
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose_update
from mls.persistence import PartKey, PartKind, decode_key_package_bundle, encode_key_package_bundle, load
from mls.persistence.stored import StoredHeader
from mls.wire.proposals import Add
from tests.mls.journey import talk
from tests.mls.stored import MemoryStore
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.group.state import GroupState


def parts_of(state: GroupState) -> dict[PartKey, bytes]:
    """Return a state as it is stored all at once."""
    store = MemoryStore()
    store.save(None, state)
    return store.parts


def rich_state(suite: int = 1) -> GroupState:
    """Return a state with every kind of part but a ReInit."""
    world = World.of("alice", "bob", "carol", suite=suite)
    talk(world)
    world.commit("carol")
    talk(world)
    world.deliver(
        world.adopt("bob", propose_update(world.states["bob"], world.environment, leaf_changes=LeafChanges()))
    )
    world.adopt("bob", commit(world.states["bob"], world.environment, now=world.now))
    return world.states["bob"]


def test_a_missing_part() -> None:
    parts = parts_of(rich_state())
    assert {key.kind for key in parts} == set(PartKind) - {PartKind.REINIT}
    for key in parts:
        rest = {other: data for other, data in parts.items() if other != key}
        with pytest.raises(DecodeError, match=r"lacks its part|parts instead of"):
            load(rest)
    with pytest.raises(DecodeError, match="lacks its part HEADER 0 0"):
        load({})


def test_a_private_key_of_the_wrong_size() -> None:
    parts = parts_of(rich_state())
    for key, data in parts.items():
        if key.kind is PartKind.PRIVATE_KEY:
            for damaged in (b"", data[:-1], data + b"\0"):
                with pytest.raises(DecodeError, match="bytes instead of 32"):
                    load(parts | {key: damaged})


def test_an_own_leaf_that_is_not_in_the_tree() -> None:
    parts = parts_of(rich_state())
    header = StoredHeader.decode(parts[PartKey(PartKind.HEADER)])
    for leaf in (3, 4, 2**32 - 1):
        with pytest.raises(DecodeError, match="is not in its tree"):
            load(parts | {PartKey(PartKind.HEADER): header.replace(own_leaf=leaf).encode()})


@pytest.mark.parametrize("suite", [1, 2])
def test_damaged_parts(suite: int) -> None:
    """What does not come back is refused, and as what it is; nothing else is raised."""
    generator = random.Random(suite)
    parts = parts_of(rich_state(suite))
    refused: set[PartKind] = set()
    for key, data in parts.items():
        damaged = [data[: generator.randrange(len(data))], data + b"\0", b""]
        for _ in range(10):
            turned = bytearray(data)
            turned[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
            damaged.append(bytes(turned))
        for item in damaged:
            try:
                load(parts | {key: item})
            except (DecodeError, UsageError):
                refused.add(key.kind)
    whatever = {PartKind.SECRET_NODE, PartKind.SENDER_DATA_SECRET, PartKind.RESUMPTION_PSK, PartKind.PRIVATE_KEY}
    assert refused >= set(PartKind) - {PartKind.REINIT} - whatever


def test_a_tree_that_is_not_its_contexts() -> None:
    state = rich_state()
    parts = parts_of(state)
    key = PartKey(PartKind.TREE, state.epoch)
    with pytest.raises(DecodeError, match="not the one that its GroupContext states"):
        load(parts | {key: parts[PartKey(PartKind.TREE, state.epoch - 1)]})


@pytest.mark.parametrize(
    "at, message", [(1, "version of a stored state"), (10, "unknown status"), (12, "cipher suite")], ids=str
)
def test_an_unknown_header(at: int, message: str) -> None:
    parts = parts_of(rich_state())
    header = bytearray(parts[PartKey(PartKind.HEADER)])
    header[at] = 99
    with pytest.raises(DecodeError, match=message):
        load(parts | {PartKey(PartKind.HEADER): bytes(header)})


# KeyPackages


@pytest.mark.parametrize("suite", sorted(CIPHER_SUITES | EXPERIMENTAL_CIPHER_SUITES))
def test_bundles(suite: int) -> None:
    world = World.of("alice", suite=suite)
    bundle = world.key_package("bob", is_last_resort=True)
    data = encode_key_package_bundle(bundle)
    back = decode_key_package_bundle(data, experimental=True)
    assert (back.key_package, back.reference) == (bundle.key_package, bundle.reference)
    for name in ("init_key", "encryption_key", "signature_key"):
        assert getattr(back, name).secret == getattr(bundle, name).secret
    world.commit("alice", Add(bundle.key_package), joiners=[("bob", back)])
    talk(world)


def test_bundles_that_are_none() -> None:
    data = encode_key_package_bundle(World().key_package("alice"))
    bad = [data[:length] for length in range(0, len(data), 7)]
    bad += [data + b"\0", b"\0\x02" + data[2:], data[:4] + b"\0\x63" + data[6:]]
    for item in bad:
        with pytest.raises(DecodeError):
            decode_key_package_bundle(item)
    generator = random.Random(1)
    refused = 0
    for _ in range(500):
        turned = bytearray(data)
        turned[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        try:
            decode_key_package_bundle(bytes(turned))
        except (DecodeError, UsageError):
            refused += 1
    assert refused
