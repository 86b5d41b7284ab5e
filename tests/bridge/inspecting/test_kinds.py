"""One of each: what it is taken for, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.inspecting import Kind, NotUnderstoodError
from bridge.protocol.bodies import Handshake
from bridge.protocol.code_points import ORDER_EXTENSION, EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.order import pack_order
from bridge.protocol.seal import Seal
from mls.codec import encode_opaque
from mls.wire.framing import PrivateMessage
from mls.wire.key_package import KeyPackage
from mls.wire.message import wrap
from mls.wire.welcome import GroupInfo
from tests.bridge.inspecting.samples import ALICE, KEY, NOW, found, json_of, samples, text_of
from tests.bridge.protocol.examples import STRUCTURES

FROZEN: dict[str, str] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "protocol" / "examples.json").read_text(encoding="ascii")
)["structures"]

BODY_KINDS = {
    EnvelopeKind.HELLO: "hello",
    EnvelopeKind.KEY_PACKAGE: "published_key_package",
    EnvelopeKind.HANDSHAKE: "handshake",
    EnvelopeKind.APPLICATION: "private_message",
    EnvelopeKind.WELCOME: "welcome_body",
    EnvelopeKind.SEAL: "seal",
    EnvelopeKind.MEMBERSHIP: "membership_claim",
}


@pytest.mark.parametrize("kind", BODY_KINDS)
def test_an_envelope_is_explained_with_its_body(kind: EnvelopeKind) -> None:
    sealed = samples().envelopes[kind]
    finding = found(sealed.encode())
    assert (finding.taken_for, finding.problems) == ("envelope", ())
    told = json_of(sealed.encode())
    assert told["envelope_kind"] == {"number": kind, "name": kind.name}
    assert told["identity"] == {"bytes": 32, "hex": sealed.identity.hex()}
    body = told["body"]
    assert isinstance(body, dict)
    assert body["kind"] == BODY_KINDS[kind]


def test_a_fragment_says_which_part_of_what_it_is() -> None:
    whole = samples().envelopes[EnvelopeKind.WELCOME]
    parts = samples().fragments
    told = json_of(parts[1])["body"]
    assert isinstance(told, dict)
    assert told["whole"] == {"bytes": 32, "hex": whole.identity.hex()}
    assert (told["index"], told["count"]) == (1, len(parts))


@pytest.mark.parametrize("number", [EnvelopeKind.ACK, EnvelopeKind.REQUEST, 200])
def test_a_kind_without_a_meaning_is_no_problem(number: int) -> None:
    data = samples().envelopes[EnvelopeKind.HELLO].replace(kind=number).encode()
    finding = found(data)
    assert finding.problems == ()
    assert ("reserved" if number < 17 else "future") in text_of(finding)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("key_package", "key_package"),
        ("commit", "private_message"),
        ("welcome", "welcome"),
        ("group_info", "group_info"),
        ("self_remove", "public_message"),
        ("public_commit", "public_message"),
    ],
)
def test_each_wire_format_is_explained(name: str, kind: str) -> None:
    finding = found(getattr(samples(), name).encode())
    assert (finding.taken_for, finding.problems) == ("MLSMessage", ())
    assert finding.explanation.kind == kind


def test_a_key_package_tells_who_and_for_how_long() -> None:
    text = text_of(found(samples().key_package.encode()))
    assert "account: xmpp:carol@example.net" in text
    assert "device: phone" in text
    assert "not before: 2026-09-21 13:13:20 UTC" in text
    assert "not after: 2026-12-20 14:13:20 UTC" in text
    assert "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519 (1)" in text
    assert "signature check: valid" in text


@pytest.mark.parametrize("now, told", [(0, "not yet valid"), (NOW, "current"), (NOW + 91 * 86_400, "expired")])
def test_a_lifetime_is_held_against_the_clock(now: int, told: str) -> None:
    assert f"lifetime: {told}" in text_of(found(samples().key_package.encode(), now=now))


def test_a_wrong_signature_of_a_key_package_is_a_problem() -> None:
    package = samples().key_package.message
    assert isinstance(package, KeyPackage)
    forged = package.replace(init_key=bytes(32))
    finding = found(wrap(forged).encode())
    assert finding.problems == ("KeyPackage: its signature is wrong",)
    assert "signature check: wrong: of the KeyPackage" in text_of(finding)


def test_a_key_package_and_a_group_info_need_no_wrapping() -> None:
    assert found(samples().key_package.message.encode()).taken_for == "KeyPackage"
    assert found(samples().group_info.message.encode()).taken_for == "GroupInfo"


def test_a_group_info_tells_order_members_and_signer() -> None:
    text = text_of(found(samples().group_info.encode()))
    assert "mode: sealed (2)" in text
    assert "rights: ADD | REMOVE | VOUCH | SETTINGS (15)" in text
    assert "`-- [2] leaf 1: xmpp:carol@example.net (phone)" in text
    assert "signature check: valid, by matrix:u/alice:example.org (laptop)" in text


def test_a_group_info_with_another_tree_or_signature_is_a_problem() -> None:
    info = samples().group_info.message
    assert isinstance(info, GroupInfo)
    forged = info.replace(group_context=info.group_context.replace(tree_hash=bytes(32)))
    problems = found(forged.encode()).problems
    assert problems[0] == "GroupInfo: the tree inside is another one than its tree_hash names"
    assert "group_info_signature_is_valid" in problems[1]
    bare = found(info.replace(extensions=()).encode())
    assert bare.problems == ()
    assert "signature check: not checked: there is no valid tree inside" in text_of(bare)


def test_what_cannot_be_read_is_told_by_its_size() -> None:
    message = samples().application.message
    assert isinstance(message, PrivateMessage)
    text = text_of(found(samples().application.encode()))
    assert f"content: encrypted: {len(message.ciphertext)} bytes" in text
    assert "tea at four" not in text
    assert "knows the log up to: Position in the log" in text


def test_proposals_and_extensions_have_names() -> None:
    assert "Proposal remove: removes a device" in text_of(found(samples().public_commit.encode()))
    assert "Proposal self_remove: the sender leaves" in text_of(found(samples().self_remove.encode()))
    assert "extension type: required_capabilities (3)" in text_of(found(samples().group_info.encode()))


def test_a_seal_is_checked_with_the_sequencers_key() -> None:
    data = samples().envelopes[EnvelopeKind.SEAL].body
    assert "signature check: not checked" in text_of(found(data))
    signed = found(data, sequencer_key=KEY.public_key)
    assert (signed.taken_for, signed.problems) == ("seal", ())
    assert "signature check: valid" in text_of(signed)
    other = found(data, sequencer_key=bytes(32))
    assert other.problems == ("seal: a seal that the group's sequencer has not signed",)


def test_a_seal_that_carries_other_bytes_than_it_names_is_a_problem() -> None:
    seal = Seal.decode(samples().envelopes[EnvelopeKind.SEAL].body)
    first, second = seal.content.entries
    entries = (first, second.replace(inlined=first.inlined))
    finding = found(seal.replace(content=seal.content.replace(entries=entries)).encode())
    assert "seal: an inlined envelope has another identity than the entry names" in finding.problems


def test_an_order_is_found_bare_and_as_an_extension() -> None:
    extension = pack_order(samples().order)
    assert found(extension.extension_data).taken_for == "order"
    assert found(extension.encode()).taken_for == "order extension"
    assert extension.extension_type == ORDER_EXTENSION
    assert json_of(extension.encode()) == json_of(extension.extension_data)


def test_an_identity_is_found() -> None:
    told = json_of(ALICE.encode())
    assert told == {
        "kind": "identity",
        "account": "matrix:u/alice:example.org",
        "device": "laptop",
        "network": "matrix",
    }


@pytest.mark.parametrize("inner", ["commit", "welcome", "group_info"])
def test_an_envelope_that_does_not_fit_its_message_is_a_problem(inner: str) -> None:
    misused = samples().envelopes[EnvelopeKind.APPLICATION].replace(body=getattr(samples(), inner).encode())
    assert any("its kind does not fit" in problem for problem in found(misused.encode()).problems)
    moved = samples().envelopes[EnvelopeKind.APPLICATION].replace(group_id=b"another")
    assert found(moved.encode()).problems == ("envelope: its group is another one than that of the message in it",)


def test_a_malformed_body_is_a_problem_and_the_rest_is_told() -> None:
    data = envelope(EnvelopeKind.HANDSHAKE, b"tea", Handshake(b"\0\1\0\7", b"")).encode()
    finding = found(data)
    assert finding.problems == ("handshake: 7 is not a WireFormat (at byte 2)",)
    assert "leads to: nothing: it is a proposal" in text_of(finding)
    assert "handshake: 7 is not a WireFormat" in text_of(finding)


@pytest.mark.parametrize("name, taken_for", [("Envelope", "envelope"), ("Seal", "seal"), ("Order", "order")])
def test_the_frozen_examples_are_known(name: str, taken_for: str) -> None:
    assert found(FROZEN[name].encode()).taken_for == taken_for


@pytest.mark.parametrize(
    "name, kind",
    [
        ("Hello", EnvelopeKind.HELLO),
        ("PublishedKeyPackage", EnvelopeKind.KEY_PACKAGE),
        ("Handshake", EnvelopeKind.HANDSHAKE),
        ("WelcomeBody", EnvelopeKind.WELCOME),
        ("Seal", EnvelopeKind.SEAL),
        ("MembershipClaim", EnvelopeKind.MEMBERSHIP),
        ("Fragment", EnvelopeKind.FRAGMENT),
    ],
)
def test_the_frozen_bodies_are_known(name: str, kind: EnvelopeKind) -> None:
    told = json_of(envelope(kind, bytes(range(16)), bytes.fromhex(FROZEN[name])).encode())["body"]
    assert isinstance(told, dict)
    assert name.lower() == str(told["kind"]).replace("_", "")
    assert STRUCTURES[name].encode() == bytes.fromhex(FROZEN[name])


def test_envelopes_in_envelopes_end_somewhere() -> None:
    data = samples().envelopes[EnvelopeKind.SEAL]
    seal = Seal.decode(data.body)
    for _ in range(20):
        inner = seal.content.entries[0].replace(inlined=data.encode(), identity=data.identity)
        seal = seal.replace(content=seal.content.replace(entries=(inner,)))
        data = data.replace(body=seal.encode())
    assert open_envelope(data.encode()).body == data.body
    assert "seal: envelopes more than 4 deep in each other" in found(data.encode()).problems


def test_whoever_says_what_it_is_gets_that_or_an_error() -> None:
    data = samples().group_info.encode()
    assert found(data, Kind.TREE).taken_for == "tree of a GroupInfo message"
    with pytest.raises(NotUnderstoodError) as refused:
        found(data, Kind.ENVELOPE)
    [attempt] = refused.value.attempts
    assert (attempt.taken_for, attempt.offset) == ("envelope", 0)
    assert attempt.why == "not an envelope: the envelope's version is 0, not 1 (at byte 0)"


def test_an_error_names_the_byte() -> None:
    data = samples().envelopes[EnvelopeKind.HELLO].encode()
    with pytest.raises(NotUnderstoodError) as refused:
        found(data[:-1], Kind.ENVELOPE)
    [attempt] = refused.value.attempts
    # The body's header is whole, and what it announces is not there.
    assert attempt.offset == 2 + len(encode_opaque(b"tea for two")) + 2
