"""Whom a credential stands for, in words."""

from __future__ import annotations

from typing import assert_never

from bridge.content import harmless_line
from bridge.inspecting import names
from bridge.inspecting.explanation import Blob, Explanation, Field
from bridge.inspecting.look import text
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import Identity
from mls.wire.credentials import (
    AnyCredential,
    BasicCredential,
    UnknownCredential,
    X509Credential,
    credential_type,
)

__all__ = ["explain_credential", "explain_identity", "who"]

_LONGEST_NAME = 80


def explain_identity(identity: Identity) -> Explanation:
    """Explain the identity of this room protocol."""
    return Explanation("identity", "Identity", "whose device a leaf is", _identity(identity))


def explain_credential(credential: AnyCredential) -> tuple[Field, ...]:
    """Return fields that say whom a credential stands for. It is a claim: nothing here vouches for it."""
    kind = Field("credential", names.credential(credential_type(credential)))
    match credential:
        case BasicCredential(identity=data):
            try:
                return (kind, *_identity(Identity.decode(data)))
            except ProtocolError as error:
                return (
                    kind,
                    Field("identity", _readable(data) or Blob(data)),
                    Field("not_of_this_protocol", str(error)),
                )
        case X509Credential(certificates=certificates):
            sizes = sum(len(certificate.cert_data) for certificate in certificates)
            return (kind, Field("certificates", len(certificates)), Field("certificates_bytes", sizes))
        case UnknownCredential(data=data):
            return (kind, Field("data", Blob(data)))
        case _:
            assert_never(credential)


def who(credential: AnyCredential) -> str:
    """Return on one line, harmless to print, whom a credential stands for."""
    match credential:
        case BasicCredential(identity=data):
            try:
                identity = Identity.decode(data)
            except ProtocolError:
                return harmless_line(_readable(data) or f"identity {data[:8].hex()}", limit=_LONGEST_NAME)
            return harmless_line(f"{identity.account} ({identity.device})", limit=_LONGEST_NAME)
        case X509Credential(certificates=certificates):
            return f"X.509, {len(certificates)} certificates"
        case UnknownCredential(credential_type=number):
            return f"a credential of type {number}"
        case _:
            assert_never(credential)


def _identity(identity: Identity) -> tuple[Field, ...]:
    return (
        Field("account", identity.account),
        Field("device", identity.device),
        Field("network", identity.network.value),
    )


def _readable(data: bytes) -> str:
    """Return the text that an identity of another application is, as far as one can tell; else nothing."""
    shown = text(data[: 4 * _LONGEST_NAME])
    return shown if shown.isprintable() and "\ufffd" not in shown else ""
