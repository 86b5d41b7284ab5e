"""Extensions, in words: those of RFC 9420, and the order extension."""

from __future__ import annotations

from typing import Final

from bridge.inspecting import names
from bridge.inspecting.explanation import Blob, Explanation, Field
from bridge.inspecting.look import Look, text
from bridge.inspecting.orders import explain_order
from bridge.inspecting.people import explain_credential
from bridge.inspecting.trees import explain_tree
from bridge.protocol.code_points import ORDER_EXTENSION
from mls.errors import DecodeError
from mls.registry import ExtensionType
from mls.wire.extensions import (
    ApplicationId,
    Extension,
    ExternalPub,
    ExternalSender,
    ExternalSenders,
    RequiredCapabilities,
)

__all__ = ["explain_extension"]

_EXPLAINED: Final = frozenset({*ExtensionType, ORDER_EXTENSION})


def explain_extension(extension: Extension, look: Look) -> Explanation:
    """Explain an extension by its type. What is malformed inside is a problem, and shown as bytes."""
    number = extension.extension_type
    content = Field("data", Blob(extension.extension_data))
    if number in _EXPLAINED:
        where = f"extension {names.extension(number).name}"
        found = look.inside(where, extension.extension_data, lambda data: _known(number, data, look))
        if isinstance(found, Explanation):
            return Explanation(found.kind, found.title, found.about, (_type(number), *found.fields))
    return Explanation("extension", "Extension", "", (_type(number), content))


def _type(number: int) -> Field:
    return Field("extension_type", names.extension(number))


def _known(number: int, data: bytes, look: Look) -> Explanation:  # noqa: PLR0911 - one for each type
    if number == ORDER_EXTENSION:
        return explain_order(data, look)
    match ExtensionType(number):
        case ExtensionType.APPLICATION_ID:
            identifier = ApplicationId.decode(data).application_id
            return _explained("application_id", "a name that nobody vouches for", Field("id", text(identifier)))
        case ExtensionType.RATCHET_TREE:
            return explain_tree(data, look)
        case ExtensionType.REQUIRED_CAPABILITIES:
            return _required(RequiredCapabilities.decode(data), look)
        case ExtensionType.EXTERNAL_PUB:
            key = Field("external_pub", Blob(ExternalPub.decode(data).external_pub))
            return _explained("external_pub", "lets its reader join by an external Commit", key)
        case ExtensionType.EXTERNAL_SENDERS:
            senders = look.several(ExternalSenders.decode(data).external_senders, _sender)
            return _explained("external_senders", "who may propose from outside", Field("senders", senders))
        case ExtensionType.LAST_RESORT:
            if data:
                raise DecodeError(f"{len(data)} bytes where there is nothing to say", 0)
            return _explained("last_resort", "the KeyPackage may be used more than once")


def _explained(kind: str, about: str, *fields: Field) -> Explanation:
    return Explanation(kind, f"Extension {kind}", about, fields)


def _required(required: RequiredCapabilities, look: Look) -> Explanation:
    return _explained(
        "required_capabilities",
        "what each member must support",
        Field("extensions", look.several(required.extension_types, names.extension)),
        Field("proposals", look.several(required.proposal_types, names.proposal)),
        Field("credentials", look.several(required.credential_types, names.credential)),
    )


def _sender(sender: ExternalSender) -> Explanation:
    fields = (*explain_credential(sender.credential), Field("signature_key", Blob(sender.signature_key)))
    return Explanation("external_sender", "External sender", "", fields)
