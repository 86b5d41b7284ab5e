"""One of each structure of the room protocol, by name: `tests/vectors/protocol/examples.json` has their bytes."""

from __future__ import annotations

from bridge.protocol.asking import (
    Answer,
    EnvelopesWanted,
    HeadWanted,
    LogWanted,
    RejoinWanted,
    Request,
    SealedGroupInfo,
)
from bridge.protocol.authenticated_data import AuthenticatedData, LastCommit, SealHead
from bridge.protocol.bodies import (
    Handshake,
    Hello,
    KeyPackagePurpose,
    LogPosition,
    MembershipClaim,
    PublishedKeyPackage,
    WelcomeBody,
)
from bridge.protocol.code_points import EnvelopeKind, Introductions, Mode, Right
from bridge.protocol.envelope import envelope
from bridge.protocol.fragments import Fragment, split
from bridge.protocol.identity import Identity
from bridge.protocol.numbers import group_number, pair_number
from bridge.protocol.order import Admin, Order, Retention
from bridge.protocol.seal import SealContent, SealEntry, sign_seal, start_of_log
from bridge.protocol.term_change import TermChange, TermChangeContent, endorse
from bridge.protocol.verdicts import RemoveNotice, Verdict
from mls.codec import Struct
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from mls.wire.commit import HPKECiphertext
from transports.room import Account

__all__ = ["CONTENT", "KEY", "NUMBERS", "STRUCTURES"]

KEY = SignaturePrivateKey(Ed25519(), bytes(range(32)))
GROUP = bytes(range(16))
ROOMS = (b"matrix:roomid/tea:example.org", b"xmpp:tea@muc.example.net")
AT = 1_790_000_000_000

_position = LogPosition(0, 2, bytes([7]) * 32)
_handshake = envelope(EnvelopeKind.HANDSHAKE, GROUP, Handshake(b"an MLSMessage", bytes([9]) * 32))
_start = start_of_log(GROUP, KEY.public_key, 0)
CONTENT = SealContent(GROUP, 0, 1, _start.seal_hash, (SealEntry(_handshake.identity, _handshake.encode()),), AT)
_change = TermChangeContent(GROUP, 1, _position, bytes([6]) * 32)
_nonce = bytes(range(16, 32))
_order = Order(
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

STRUCTURES: dict[str, Struct] = {
    "Envelope": _handshake,
    "Hello": Hello(b"mls-bridge", ROOMS, KEY.public_key, 4 << 20),
    "PublishedKeyPackage": PublishedKeyPackage(KeyPackagePurpose.ASK, ROOMS[0], b"an MLSMessage"),
    "Handshake": Handshake(b"an MLSMessage", bytes([9]) * 32),
    "WelcomeBody": WelcomeBody(b"an MLSMessage", _position),
    "MembershipClaim": MembershipClaim(ROOMS[1], b"xmpp:eve@example.net", b"kicked", b"xmpp:carol@example.net", AT),
    "Fragment": Fragment(bytes([5]) * 32, 1, 3, b"the middle"),
    "Verdict": Verdict(bytes([9]) * 32, 8, 3, 1, b"a signature"),
    "RemoveNotice": RemoveNotice(8, 3, 1, (1, 5), b"a signature"),
    "Request for the log": Request(_nonce, LogWanted(_position)),
    "Request for envelopes": Request(_nonce, EnvelopesWanted((bytes([9]) * 32, bytes([8]) * 32))),
    "Request for the head": Request(_nonce, HeadWanted()),
    "Request to come back": Request(
        _nonce, RejoinWanted(b"a signature key", _position, b"an HPKE key", b"a signature")
    ),
    "Answer": Answer(_nonce, _position, (_handshake.encode(),), 1),
    "SealedGroupInfo": SealedGroupInfo(_nonce, _position, HPKECiphertext(b"a KEM output", b"a ciphertext")),
    "TermChange": TermChange(_change, (endorse(_change, KEY),)),
    "SealContent": CONTENT,
    "Seal": sign_seal(CONTENT, KEY),
    "Order": _order,
    "Order in mode room": _order.replace(mode=Mode.ROOM, rooms=ROOMS[1:], room=ROOMS[1], sequencer=b""),
    "AuthenticatedData in mode sealed": AuthenticatedData(SealHead(_position)),
    "AuthenticatedData in mode room": AuthenticatedData(LastCommit(bytes([3]) * 32)),
}

_alice = (Identity(Account("matrix:u/alice:example.org"), "laptop").encode(), bytes([1]) * 32)
_carol = (Identity(Account("xmpp:carol@example.net"), "phone").encode(), bytes([2]) * 32)

NUMBERS = {
    "identity": _alice[0].hex(),
    "start of log": _start.seal_hash.hex(),
    "identity of the envelope": _handshake.identity.hex(),
    "hash of the seal": CONTENT.hash.hex(),
    "pair number": pair_number(_alice, _carol),
    "group number": group_number(GROUP, 7, bytes([4]) * 32),
    "fragments of the envelope, at 128 bytes": [part.hex() for part in split(_handshake.replace(body=bytes(200)), 128)],
}
