"""Credentials (RFC 9420, section 5.3)."""

from __future__ import annotations

from typing import Annotated, TypeAlias, assert_never

from mls.codec import Opaque, Struct, Tagged, UInt16, struct
from mls.registry import CredentialType

__all__ = [
    "AnyCredential",
    "BasicCredential",
    "Certificate",
    "Credential",
    "UnknownCredential",
    "X509Credential",
    "credential_type",
]


@struct(tag=CredentialType.BASIC)
class BasicCredential(Struct):
    """`opaque identity<V>`: a bare assertion, whose format the application defines."""

    identity: Opaque


@struct()
class Certificate(Struct):
    """One DER-encoded X.509 certificate."""

    cert_data: Opaque


@struct(tag=CredentialType.X509)
class X509Credential(Struct):
    """`Certificate certificates<V>`: a chain, the end entity first."""

    certificates: tuple[Certificate, ...]


@struct()
class UnknownCredential(Struct):
    """A credential of a type that we do not know, kept as bytes.

    The RFC gives unknown types no length. All defined ones start with a vector, and so we, as OpenMLS does, take
    the body of an unknown one to be a single `opaque<V>`.
    """

    credential_type: UInt16
    data: Opaque


AnyCredential: TypeAlias = BasicCredential | X509Credential | UnknownCredential

Credential: TypeAlias = Annotated[
    AnyCredential,
    Tagged(CredentialType, size=2, unknown=UnknownCredential),
]


def credential_type(credential: AnyCredential) -> int:
    """Return the credential's code point."""
    match credential:
        case BasicCredential():
            return CredentialType.BASIC
        case X509Credential():
            return CredentialType.X509
        case UnknownCredential(credential_type=number):
            return number
        case _:
            assert_never(credential)
