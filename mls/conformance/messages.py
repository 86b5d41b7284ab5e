"""Messages: every struct that travels decodes, and encodes to the same bytes again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, TypeVar, cast

from mls.codec import Struct
from mls.conformance.checks import CheckError, at, expect, expect_equal
from mls.conformance.fields import EncodingOf, Entry, declaration
from mls.registry import ContentType
from mls.wire.commit import Commit
from mls.wire.framing import PrivateMessage, PublicMessage, content_type
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from mls.wire.proposals import Add, ExternalInit, GroupContextExtensions, PreSharedKey, ReInit, Remove, Update
from mls.wire.tree import RatchetTreeExtension
from mls.wire.welcome import GroupInfo, GroupSecrets, Welcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mls.crypto.random import Random

__all__ = ["Messages"]

Value = TypeVar("Value")

BODIES: Final[Mapping[str, type[Struct] | ContentType]] = {
    "mls_welcome": Welcome,
    "mls_group_info": GroupInfo,
    "mls_key_package": KeyPackage,
    "public_message_application": ContentType.APPLICATION,
    "public_message_proposal": ContentType.PROPOSAL,
    "public_message_commit": ContentType.COMMIT,
    "private_message": PrivateMessage,
}
"""What the MLSMessage of a field holds; for a PublicMessage, the type of its content."""


@dataclass(frozen=True, slots=True)
class Messages(Entry):
    """One of each struct. Nothing is said of their contents: signatures and tags need not be valid."""

    mls_welcome: Annotated[bytes, EncodingOf(MLSMessage)]
    mls_group_info: Annotated[bytes, EncodingOf(MLSMessage)]
    mls_key_package: Annotated[bytes, EncodingOf(MLSMessage)]
    ratchet_tree: Annotated[bytes, EncodingOf(RatchetTreeExtension)]
    group_secrets: Annotated[bytes, EncodingOf(GroupSecrets)]
    add_proposal: Annotated[bytes, EncodingOf(Add)]
    update_proposal: Annotated[bytes, EncodingOf(Update)]
    remove_proposal: Annotated[bytes, EncodingOf(Remove)]
    pre_shared_key_proposal: Annotated[bytes, EncodingOf(PreSharedKey)]
    re_init_proposal: Annotated[bytes, EncodingOf(ReInit)]
    external_init_proposal: Annotated[bytes, EncodingOf(ExternalInit)]
    group_context_extensions_proposal: Annotated[bytes, EncodingOf(GroupContextExtensions)]
    commit: Annotated[bytes, EncodingOf(Commit)]
    public_message_application: Annotated[bytes, EncodingOf(MLSMessage)]
    public_message_proposal: Annotated[bytes, EncodingOf(MLSMessage)]
    public_message_commit: Annotated[bytes, EncodingOf(MLSMessage)]
    private_message: Annotated[bytes, EncodingOf(MLSMessage)]

    def check(self, random: Random) -> None:  # noqa: ARG002 - the interface of every format
        for name, field in declaration(Messages).fields.items():
            kind, data = cast("EncodingOf", field.kind), cast("bytes", getattr(self, name))
            with at(name):
                decoded = kind.struct.decode(data)
                expect_equal(_anew(decoded).encode(), data)
                if isinstance(decoded, MLSMessage):
                    _check_body(decoded, BODIES[name])


def _anew(value: Value) -> Value:
    """Return a struct built from its parts again: a decoded one may keep the bytes that it came as."""
    match value:
        case Struct():
            parts = {field.name: _anew(getattr(value, field.name)) for field in value.wire_fields}
            return type(value)(**parts)
        case tuple():
            return type(value)(_anew(item) for item in value)
        case _:
            return value


def _check_body(message: MLSMessage, expected: type[Struct] | ContentType) -> None:
    body = message.message
    if isinstance(expected, ContentType):
        if not isinstance(body, PublicMessage):
            raise CheckError((), f"is a {type(body).__name__}, not a PublicMessage")
        kind = content_type(body.content.content)
        expect(kind == expected, f"its content is of type {kind.name}, not {expected.name}")
    else:
        expect(isinstance(body, expected), f"is a {type(body).__name__}, not a {expected.__name__}")
