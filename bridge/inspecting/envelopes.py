"""Envelopes and what they carry, kind by kind, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bridge.inspecting import names
from bridge.inspecting.explanation import Blob, Explanation, Field, Moment
from bridge.inspecting.look import Look, text
from bridge.inspecting.messages import explain_message_body
from bridge.inspecting.orders import explain_position
from bridge.inspecting.seals import explain_seal
from bridge.protocol.bodies import Handshake, Hello, MembershipClaim, PublishedKeyPackage, WelcomeBody, open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.fragments import Fragment, check_fragment
from bridge.protocol.seal import Seal
from mls.registry import ContentType
from mls.wire.framing import FramedContent, PrivateMessage, PublicMessage
from mls.wire.key_package import KeyPackage
from mls.wire.message import AnyMessage, MLSMessage
from mls.wire.welcome import Welcome

__all__ = ["explain_envelope"]


def explain_envelope(data: bytes, look: Look) -> Explanation:
    """Explain an envelope. Raises `ProtocolError` for what is none; a malformed body is a problem."""
    envelope = open_envelope(data)
    kind = names.envelope_kind(envelope.kind)
    fields = [
        Field("version", envelope.version),
        Field("envelope_kind", kind),
        Field("identity", Blob(envelope.identity)),
        Field("group_id", Blob(envelope.group_id) if envelope.group_id else "none: it belongs to no group"),
    ]
    explain = _BODIES.get(envelope.kind)
    if explain is None:
        about = "its number is reserved" if kind.name else "a kind of the future, which receivers keep quiet about"
        fields.append(Field("body", Blob(envelope.body)))
    else:
        about = _ABOUT[EnvelopeKind(envelope.kind)]
        fields.append(Field("body", look.inside("body", envelope.body, lambda _: explain(envelope, look))))
    return Explanation("envelope", f"Envelope {kind.name or kind.number}", about, tuple(fields))


def _hello(envelope: Envelope, look: Look) -> Explanation:
    hello = open_body(Hello, envelope)
    fields = (
        Field("software", text(hello.software)),
        Field("rooms", look.texts(hello.rooms)),
        Field("sequencer_key", Blob(hello.sequencer_key) if hello.sequencer_key else "none: it is no sequencer"),
        Field("max_envelope", hello.max_envelope),
    )
    return Explanation("hello", "Hello", "claims of whoever posted it", fields)


def _key_package(envelope: Envelope, look: Look) -> Explanation:
    body = open_body(PublishedKeyPackage, envelope)
    fields = (
        Field("purpose", names.named(body.purpose)),
        Field("room", text(body.room)),
        Field("key_package", look.inside("key package", body.key_package, lambda data: _message(data, envelope, look))),
    )
    return Explanation("published_key_package", "PublishedKeyPackage", "", fields)


def _handshake(envelope: Envelope, look: Look) -> Explanation:
    body = open_body(Handshake, envelope)
    leads_to = Blob(body.leads_to) if body.leads_to else "nothing: it is a proposal"
    fields = (
        Field("leads_to", leads_to),
        Field("message", look.inside("handshake", body.message, lambda data: _message(data, envelope, look))),
    )
    return Explanation("handshake", "Handshake", "", fields)


def _application(envelope: Envelope, look: Look) -> Explanation:
    return _message(envelope.body, envelope, look)


def _welcome(envelope: Envelope, look: Look) -> Explanation:
    body = open_body(WelcomeBody, envelope)
    fields = (
        Field("stands_at", explain_position(body.stands_at)),
        Field("welcome", look.inside("welcome", body.welcome, lambda data: _message(data, envelope, look))),
    )
    return Explanation("welcome_body", "WelcomeBody", "", fields)


def _seal(envelope: Envelope, look: Look) -> Explanation:
    seal = open_body(Seal, envelope)
    if seal.content.group_id != envelope.group_id:
        look.problem("seal", "it is for another group than its envelope")
    return explain_seal(seal, look, lambda data: explain_envelope(data, look))


def _membership(envelope: Envelope, look: Look) -> Explanation:
    claim = open_body(MembershipClaim, envelope)
    if text(claim.membership) not in _MEMBERSHIPS:
        look.problem("membership claim", "a membership that is not known")
    fields = (
        Field("room", text(claim.room)),
        Field("account", text(claim.account)),
        Field("membership", text(claim.membership)),
        Field("by", text(claim.by)),
        Field("at", Moment(claim.at)),
    )
    return Explanation("membership_claim", "MembershipClaim", "", fields)


def _fragment(envelope: Envelope, look: Look) -> Explanation:
    fragment = open_body(Fragment, envelope)
    try:
        check_fragment(fragment)
    except ProtocolError as error:
        look.problem("fragment", error)
    fields = (
        Field("whole", Blob(fragment.whole)),
        Field("index", fragment.index),
        Field("count", fragment.count),
        Field("part_bytes", len(fragment.part)),
    )
    return Explanation("fragment", "Fragment", "", fields)


def _message(data: bytes, envelope: Envelope, look: Look) -> Explanation:
    """Explain the MLSMessage in an envelope, which must be of the envelope's kind and group."""
    message = MLSMessage.decode(data).message
    if not _fits(EnvelopeKind(envelope.kind), message):
        look.problem("envelope", f"its kind does not fit the {type(message).__name__} in it")
    match message:
        case PrivateMessage(group_id=group_id) | PublicMessage(content=FramedContent(group_id=group_id)):
            if group_id != envelope.group_id:
                look.problem("envelope", "its group is another one than that of the message in it")
        case _:
            pass  # which group a Welcome is for is encrypted, and a KeyPackage is for any
    return explain_message_body(message, look)


def _fits(kind: EnvelopeKind, message: AnyMessage) -> bool:
    match message:
        case PrivateMessage(content_type=ContentType.APPLICATION):
            return kind is EnvelopeKind.APPLICATION
        case PrivateMessage() | PublicMessage():
            return kind is EnvelopeKind.HANDSHAKE
        case Welcome():
            return kind is EnvelopeKind.WELCOME
        case KeyPackage():
            return kind is EnvelopeKind.KEY_PACKAGE
        case _:
            return False


_MEMBERSHIPS: Final = frozenset({"joined", "invited", "left", "kicked", "banned"})

_BODIES: Final[dict[int, Callable[[Envelope, Look], Explanation]]] = {
    EnvelopeKind.HELLO: _hello,
    EnvelopeKind.KEY_PACKAGE: _key_package,
    EnvelopeKind.HANDSHAKE: _handshake,
    EnvelopeKind.APPLICATION: _application,
    EnvelopeKind.WELCOME: _welcome,
    EnvelopeKind.SEAL: _seal,
    EnvelopeKind.MEMBERSHIP: _membership,
    EnvelopeKind.FRAGMENT: _fragment,
}

_ABOUT: Final = {
    EnvelopeKind.HELLO: "what a relay or a sequencer says of itself",
    EnvelopeKind.KEY_PACKAGE: "somebody asks to be let in, or offers to be added",
    EnvelopeKind.HANDSHAKE: "a Commit or a proposal: it counts once the order names it",
    EnvelopeKind.APPLICATION: "a message among members",
    EnvelopeKind.WELCOME: "lets new members in",
    EnvelopeKind.SEAL: "the order of what was posted",
    EnvelopeKind.MEMBERSHIP: "what a relay says that it saw on the other side",
    EnvelopeKind.FRAGMENT: "a part of an envelope that is too large for one event",
}
