"""Bytes off the network: malformed, huge, hostile. Each is refused with a `ProtocolError`, and nothing else happens."""

from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.order.log import EquivocationError, begin_log
from bridge.protocol.authenticated_data import open_authenticated_data
from bridge.protocol.bodies import (
    Handshake,
    Hello,
    LogPosition,
    MembershipClaim,
    PublishedKeyPackage,
    WelcomeBody,
    open_body,
)
from bridge.protocol.code_points import (
    MAX_ENVELOPE,
    MAX_FRAGMENTS,
    MAX_SEAL_ENTRIES,
    ORDER_EXTENSION,
    EnvelopeKind,
    Mode,
)
from bridge.protocol.envelope import Envelope, envelope, identity_of, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.fragments import Fragment, check_fragment, join_fragments, split
from bridge.protocol.identity import Identity
from bridge.protocol.numbers import pair_number
from bridge.protocol.order import Order, find_order, pack_order
from bridge.protocol.seal import Seal, SealContent, SealEntry, check_seal, sign_seal, start_of_log
from mls.codec import Struct
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from mls.wire.extensions import Extension
from tests.bridge.protocol.examples import CONTENT, GROUP, KEY, STRUCTURES
from transports.room import Account

BODIES: list[type[Struct]] = [
    Fragment,
    Handshake,
    Hello,
    MembershipClaim,
    PublishedKeyPackage,
    Seal,
    WelcomeBody,
]


@given(st.binary(max_size=400))
def test_any_bytes_are_an_envelope_or_refused(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert open_envelope(data).encode() == data


@given(st.binary(max_size=400), st.sampled_from(BODIES))
def test_any_body_is_one_or_refused(data: bytes, kind: type[Struct]) -> None:
    with contextlib.suppress(ProtocolError):
        assert open_body(kind, envelope(EnvelopeKind.HELLO, b"", data)).encode() == data


@given(st.binary(max_size=200))
def test_any_authenticated_data_is_some_or_refused(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert open_authenticated_data(data).encode() == data


@given(st.binary(max_size=120) | st.builds(cbor2.dumps, st.recursive(st.integers() | st.text() | st.none(), st.lists)))
def test_any_identity_is_one_in_its_one_encoding_or_refused(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert Identity.decode(data).encode() == data


@pytest.mark.parametrize(
    "value",
    [
        ["matrix:u/alice:one"],
        ["matrix:u/alice:one", ""],
        ["matrix:u/alice:one", "d" * 65],
        ["mailto:alice@one", "d"],
        ["matrix:", "d"],
        ["matrix:u/al ice:one", "d"],
        ["matrix:u/alice\u202e:one", "d"],
        ["matrix:u/" + "a" * 600, "d"],
        [1, "d"],
        {"matrix:u/alice:one": "d"},
    ],
)
def test_bad_identities_are_refused(value: object) -> None:
    with pytest.raises(ProtocolError):
        Identity.decode(cbor2.dumps(value))


def test_an_identity_in_another_encoding_is_refused() -> None:
    good = Identity(Account("xmpp:bob@two"), "phone").encode()
    assert Identity.decode(good).device == "phone"
    longer = b"\x98\x02" + good[1:]  # the array's length in two bytes
    with pytest.raises(ProtocolError):
        Identity.decode(longer)
    with pytest.raises(ProtocolError):
        Identity.decode(good + b"\x00")


def test_an_envelope_that_is_too_large_is_refused() -> None:
    data = envelope(EnvelopeKind.APPLICATION, GROUP, bytes(MAX_ENVELOPE)).encode()
    with pytest.raises(ProtocolError, match="are allowed"):
        open_envelope(data)


@given(st.integers(0, 3_000), st.integers(100, 1_000))
def test_what_is_split_comes_together_again(size: int, limit: int) -> None:
    sealed = envelope(EnvelopeKind.APPLICATION, GROUP, bytes(size))
    parts = split(sealed, limit)
    assert all(len(part) <= limit for part in parts)
    if len(parts) == 1:
        assert parts == (sealed.encode(),)
        return
    fragments = [open_body(Fragment, open_envelope(part)) for part in parts]
    for fragment in fragments:
        check_fragment(fragment)
    assert [fragment.index for fragment in fragments] == list(range(len(parts)))
    assert join_fragments(fragments[0].whole, [fragment.part for fragment in fragments]) == sealed.encode()


def test_what_needs_too_many_fragments_is_refused() -> None:
    with pytest.raises(ProtocolError, match=f"into {MAX_FRAGMENTS} events"):
        split(envelope(EnvelopeKind.APPLICATION, GROUP, bytes(100_000)), 200)
    with pytest.raises(ProtocolError):
        split(envelope(EnvelopeKind.APPLICATION, GROUP, bytes(100)), 50)


@pytest.mark.parametrize(
    "index, count, part", [(0, 0, b"x"), (0, 1, b"x"), (2, 2, b"x"), (0, MAX_FRAGMENTS + 1, b"x"), (0, 2, b"")]
)
def test_fragments_that_make_no_sense_are_refused(index: int, count: int, part: bytes) -> None:
    with pytest.raises(ProtocolError):
        check_fragment(Fragment(bytes(32), index, count, part))


def test_mixed_fragments_make_nothing() -> None:
    with pytest.raises(ProtocolError):
        join_fragments(identity_of(b"ab"), [b"b", b"a"])


def _seal(**changes: object) -> Seal:
    return sign_seal(CONTENT.replace(**changes), KEY)


@pytest.mark.parametrize(
    "seal, message",
    [
        (_seal(seq=0), "number 0"),
        (_seal(entries=(SealEntry(bytes(32), b"other bytes"),)), "other bytes"),
        (_seal(entries=(SealEntry(bytes(32), b""),) * (MAX_SEAL_ENTRIES + 1)), "entries"),
        (sign_seal(CONTENT, KEY).replace(signature=bytes(64)), "has not signed"),
        (sign_seal(CONTENT, KEY).replace(signature=b""), "has not signed"),
        (sign_seal(CONTENT, SignaturePrivateKey(Ed25519(), bytes(32))), "has not signed"),
    ],
)
def test_bad_seals_are_refused(seal: Seal, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        check_seal(seal, KEY.public_key)


@pytest.mark.parametrize(
    "change",
    [
        {"room": b""},
        {"rooms": ()},
        {"rooms": (b"xmpp:a@b", b"xmpp:a@b")},
        {"rooms": (b"xmpp:a@b", b"")},
        {"rooms": (b"\xff\xfe",)},
        {"sequencer": b""},
        {"sequencer": bytes(31)},
        {"standby": (bytes(5),)},
        {"mode": Mode.ROOM},
        {"mode": Mode.ROOM, "sequencer": b""},
        {"standby": (bytes(32),) * 257},
    ],
)
def test_orders_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    order = STRUCTURES["Order"]
    assert isinstance(order, Order)
    assert find_order([pack_order(order)]) == order
    with pytest.raises(ProtocolError):
        find_order([pack_order(order.replace(**change))])


def test_a_group_without_an_order_or_with_two_is_none_of_ours() -> None:
    order = STRUCTURES["Order"]
    assert isinstance(order, Order)
    for extensions in ([], [pack_order(order)] * 2, [Extension(ORDER_EXTENSION, b"junk")]):
        with pytest.raises(ProtocolError):
            find_order(extensions)


@given(st.permutations(range(8)), st.integers(0, 3))
def test_a_log_gives_the_same_entries_in_whatever_order_its_seals_come(order: list[int], size: int) -> None:
    position = start_of_log(GROUP, KEY.public_key, 0)
    log, seals = begin_log(GROUP, KEY.public_key, position), []
    for number in range(8):
        entries = tuple(SealEntry(bytes([number, at]) * 16, b"") for at in range(size))
        content = SealContent(GROUP, 0, number + 1, position.seal_hash, entries, number)
        position = content.position
        seals.append(sign_seal(content, KEY))
    seen = []
    for number in order:
        log = log.add(seals[number]).add(seals[number])
        while (entry := log.next_entry) is not None:
            seen.append(entry.identity)
            log = log.advance()
        log = type(log).decode(log.encode())
    assert seen == [bytes([number, at]) * 16 for number in range(8) for at in range(size)]
    assert log.position == position
    assert not log.has_gap


def test_a_seal_that_does_not_follow_is_proof_of_two_histories() -> None:
    start = start_of_log(GROUP, KEY.public_key, 0)
    log = begin_log(GROUP, KEY.public_key, start)
    with pytest.raises(EquivocationError):
        log.add(sign_seal(SealContent(GROUP, 0, 1, bytes(32), (), 0), KEY))
    log = log.add(sign_seal(SealContent(GROUP, 0, 1, start.seal_hash, (), 0), KEY))
    with pytest.raises(EquivocationError):
        log.add(sign_seal(SealContent(GROUP, 0, 1, start.seal_hash, (), 1), KEY))
    with pytest.raises(EquivocationError):
        log.compare(LogPosition(0, 1, bytes(32)))
    log.compare(LogPosition(0, 99, bytes(32)))
    log.compare(LogPosition(1, 1, bytes(32)))


def test_a_log_refuses_what_is_another_logs_or_too_far_ahead() -> None:
    log = begin_log(GROUP, KEY.public_key, start_of_log(GROUP, KEY.public_key, 0))
    for content in (
        SealContent(b"other", 0, 1, bytes(32), (), 0),
        SealContent(GROUP, 1, 1, bytes(32), (), 0),
        SealContent(GROUP, 0, 5_000, bytes(32), (), 0),
    ):
        with pytest.raises(ProtocolError):
            log.add(sign_seal(content, KEY))


def test_a_number_is_the_same_from_both_sides_and_another_for_another_key() -> None:
    alice, bob = (b"alice", bytes(32)), (b"bob", bytes([1]) * 32)
    assert pair_number(alice, bob) == pair_number(bob, alice)
    assert pair_number(alice, bob) != pair_number(alice, (b"bob", bytes([2]) * 32))
    assert len(pair_number(alice, bob)) == 60
    assert pair_number(alice, bob).isdecimal()


def test_kinds_from_the_future_are_envelopes_too() -> None:
    assert open_envelope(Envelope(1, 250, b"", b"?").encode()).kind == 250
