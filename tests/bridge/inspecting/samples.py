"""Real bytes of everything that can be inspected, made by the engine; the same in each run."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from functools import cache

import mls
from bridge.inspecting import Finding, Kind, Look, finding_as_json, finding_as_text, inspect
from bridge.inspecting.as_json import Json
from bridge.member.environment import capabilities, environment, required_capabilities
from bridge.protocol.authenticated_data import AuthenticatedData, SealHead
from bridge.protocol.bodies import (
    Handshake,
    Hello,
    KeyPackagePurpose,
    MembershipClaim,
    PublishedKeyPackage,
    WelcomeBody,
)
from bridge.protocol.code_points import EnvelopeKind, Introductions, Mode, Right
from bridge.protocol.envelope import Envelope, envelope
from bridge.protocol.fragments import split
from bridge.protocol.identity import Identity
from bridge.protocol.order import Admin, Order, Retention, pack_order
from bridge.protocol.seal import SealContent, SealEntry, sign_seal, start_of_log
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from transports.carriers import MATRIX_EVENT_TYPE
from transports.matrix.events import envelope_content
from transports.room import Account
from transports.xmpp.elements import serialised
from transports.xmpp.plugin.stanza import envelope_message

__all__ = [
    "ALICE",
    "CAROL",
    "KEY",
    "NOW",
    "ROOMS",
    "Samples",
    "as_matrix_event",
    "as_stanza",
    "found",
    "group_of",
    "json_of",
    "people",
    "samples",
    "text_of",
]

NOW = 1_790_000_000
KEY = SignaturePrivateKey(Ed25519(), bytes(range(32)))
ROOMS = (b"matrix:roomid/tea:example.org", b"xmpp:tea@muc.example.net")
ALICE = Identity(Account("matrix:u/alice:example.org"), "laptop")
CAROL = Identity(Account("xmpp:carol@example.net"), "phone")
LIFETIME = mls.lifetime_of_days(90, now=NOW)


@dataclass(frozen=True)
class Samples:
    """The life of a small group, as what was posted."""

    order: Order
    key_package: mls.MLSMessage
    commit: mls.MLSMessage
    welcome: mls.MLSMessage
    application: mls.MLSMessage
    self_remove: mls.MLSMessage
    public_commit: mls.MLSMessage
    group_info: mls.MLSMessage
    tree: bytes
    envelopes: dict[EnvelopeKind, Envelope]
    fragments: tuple[bytes, ...]


def people(count: int) -> list[Identity]:
    """As many members, on both networks in turn."""
    return [
        Identity(
            Account(f"matrix:u/user{number}:example.org" if number % 2 else f"xmpp:user{number}@example.net"), "phone"
        )
        for number in range(count)
    ]


def group_of(identities: list[Identity], *, removed: tuple[int, ...] = ()) -> mls.GroupState:
    """A group of these, all added by the first; then some are removed."""
    env = mls.Environment(mls.UnsafeTrustEveryone(), random=random.Random(1).randbytes)
    client = [capabilities(mls.Client.basic(identity.encode(), env.random)) for identity in identities]
    state = mls.create(client[0], env, group_id=b"tea", lifetime=LIFETIME).state
    if client[1:]:
        packages = [mls.create_key_package(one, env, lifetime=LIFETIME).message for one in client[1:]]
        state = _applied(mls.add(state, env, packages, now=NOW), env)[0]
    if removed:
        state = _applied(mls.remove(state, env, removed, now=NOW), env)[0]
    return state


@cache
def samples() -> Samples:
    """Alice founds a group and adds Carol; they talk; Carol leaves."""
    env = environment(random.Random(2).randbytes)
    alice = capabilities(mls.Client.basic(ALICE.encode(), env.random))
    carol = capabilities(mls.Client.basic(CAROL.encode(), env.random))
    order = Order(
        1,
        Mode.SEALED,
        ROOMS[0],
        ROOMS,
        0,
        KEY.public_key,
        (),
        0,
        (Admin(b"matrix:u/alice:example.org", sum(Right)),),
        Right.ADD | Right.REMOVE,
        Introductions.MEMBERS,
        Retention(600, 5, 86_400, 64),
    )
    extensions = (required_capabilities(), pack_order(order))
    founded = mls.create(alice, env, group_id=b"tea for two", lifetime=LIFETIME, extensions=extensions).state
    bundle = mls.create_key_package(carol, env, lifetime=LIFETIME)
    start = start_of_log(b"tea for two", KEY.public_key, 0)
    known = AuthenticatedData(SealHead(start)).encode()
    options = mls.CommitOptions(authenticated_data=known)
    added = mls.add(founded, env, [bundle.message], now=NOW, options=options)
    state, welcome = _applied(added, env)
    assert welcome is not None
    joined = mls.join(env, welcome, [bundle]).state
    public = mls.CommitOptions(wire_format=mls.WireFormat.PUBLIC_MESSAGE)
    public_commit = mls.remove(state, env, [1], now=NOW, options=public).output.message
    spoken = mls.protect(state, env, b"tea at four", authenticated_data=known)
    leads_to = hashlib.sha256(state.public.context.encode()).digest()
    handshake = envelope(EnvelopeKind.HANDSHAKE, b"tea for two", Handshake(added.output.message.encode(), leads_to))
    content = SealContent(
        b"tea for two",
        0,
        1,
        start.seal_hash,
        (SealEntry(handshake.identity, handshake.encode()), SealEntry(bytes(32), b"")),
        NOW * 1000,
    )
    welcome_body = WelcomeBody(welcome.encode(), content.position)
    published = PublishedKeyPackage(KeyPackagePurpose.ASK, ROOMS[1], bundle.message.encode())
    bodies = {
        EnvelopeKind.HELLO: Hello(b"mls-bridge", ROOMS, KEY.public_key, 4 << 20),
        EnvelopeKind.KEY_PACKAGE: published,
        EnvelopeKind.APPLICATION: spoken.output,
        EnvelopeKind.WELCOME: welcome_body,
        EnvelopeKind.SEAL: sign_seal(content, KEY),
        EnvelopeKind.MEMBERSHIP: MembershipClaim(
            ROOMS[1], b"xmpp:eve@example.net", b"kicked", b"xmpp:carol@example.net", NOW * 1000
        ),
    }
    envelopes = {kind: envelope(kind, b"tea for two", body) for kind, body in bodies.items()}
    return Samples(
        order,
        bundle.message,
        added.output.message,
        welcome,
        spoken.output,
        mls.leave(joined, env).output,
        public_commit,
        mls.group_info(state),
        state.public.tree.to_extension().encode(),
        envelopes | {EnvelopeKind.HANDSHAKE: handshake},
        split(envelopes[EnvelopeKind.WELCOME], 400),
    )


def as_matrix_event(data: bytes) -> bytes:
    """The event that carries an envelope, as a client shows its source."""
    event = {"type": MATRIX_EVENT_TYPE, "event_id": "$1", "sender": "@alice:example.org"}
    return json.dumps(event | {"content": envelope_content(data, "t1", None)}, indent=2).encode()


def as_stanza(data: bytes) -> bytes:
    """The stanza that carries an envelope."""
    stanza = envelope_message("tea@muc.example.net", data, transaction="t1", note=None, body="encrypted")
    return serialised(stanza).encode()


def found(data: bytes, kind: Kind = Kind.AUTO, *, sequencer_key: bytes | None = None, now: int = NOW) -> Finding:
    return inspect(data, kind, Look(now=now, sequencer_key=sequencer_key))


def json_of(data: bytes, kind: Kind = Kind.AUTO, *, sequencer_key: bytes | None = None) -> dict[str, Json]:
    """The explanation in JSON."""
    told = finding_as_json(found(data, kind, sequencer_key=sequencer_key))["explanation"]
    assert isinstance(told, dict)
    return told


def text_of(finding: Finding, *, full: bool = False) -> str:
    """What is printed."""
    return "\n".join("".join(part for part, _ in line) for line in finding_as_text(finding, full=full))


def _applied(
    made: mls.Transition[mls.CommitOutput], env: mls.Environment
) -> tuple[mls.GroupState, mls.MLSMessage | None]:
    """The state after one's own Commit came back, and the Welcome."""
    done = mls.process(made.state, env, made.output.message, now=NOW)
    assert isinstance(done.output, mls.Committed)
    return done.state, done.output.welcome
