"""Extensions and the ones that RFC 9420 defines (sections 5.3.3, 11.1, 12.1.8.1, 12.4.3.2, 13.4)."""

from __future__ import annotations

from typing import TypeVar

from mls.codec import Opaque, Struct, UInt16, struct
from mls.registry import ExtensionType
from mls.wire.credentials import Credential

__all__ = [
    "ApplicationId",
    "Extension",
    "ExternalPub",
    "ExternalSender",
    "ExternalSenders",
    "RequiredCapabilities",
    "find_extension",
    "last_resort",
    "pack_extension",
]


@struct()
class Extension(Struct):
    """A type and its data; the data of unknown types stays as it came (section 13.4)."""

    extension_type: UInt16
    extension_data: Opaque


@struct()
class ApplicationId(Struct):
    """`application_id` (section 5.3.3): a name that nobody vouches for."""

    application_id: Opaque


@struct()
class RequiredCapabilities(Struct):
    """`required_capabilities` (section 11.1): what each member must support beyond the defaults."""

    extension_types: tuple[UInt16, ...]
    proposal_types: tuple[UInt16, ...]
    credential_types: tuple[UInt16, ...]


@struct()
class ExternalSender(Struct):
    """One who may propose from outside the group (section 12.1.8.1)."""

    signature_key: Opaque
    credential: Credential


@struct()
class ExternalSenders(Struct):
    """`external_senders` (section 12.1.8.1)."""

    external_senders: tuple[ExternalSender, ...]


@struct()
class ExternalPub(Struct):
    """`external_pub` (section 12.4.3.2): the key to which an external Commit encrypts its init secret."""

    external_pub: Opaque


Known = TypeVar("Known", ApplicationId, RequiredCapabilities, ExternalSenders, ExternalPub)

_TYPES: dict[type[Struct], ExtensionType] = {
    ApplicationId: ExtensionType.APPLICATION_ID,
    RequiredCapabilities: ExtensionType.REQUIRED_CAPABILITIES,
    ExternalSenders: ExtensionType.EXTERNAL_SENDERS,
    ExternalPub: ExtensionType.EXTERNAL_PUB,
}


def find_extension(extensions: tuple[Extension, ...], kind: type[Known]) -> Known | None:
    """Return the extension of that kind, decoded, or `None`. Raises `DecodeError` where its data is malformed."""
    for extension in extensions:
        if extension.extension_type == _TYPES[kind]:
            return kind.decode(extension.extension_data)
    return None


def pack_extension(value: ApplicationId | RequiredCapabilities | ExternalSenders | ExternalPub) -> Extension:
    """Return the extension that carries `value`."""
    return Extension(_TYPES[type(value)], value.encode())


def last_resort() -> Extension:
    """Return the mark of a KeyPackage that may be used more than once (section 16.8)."""
    return Extension(ExtensionType.LAST_RESORT, b"")
