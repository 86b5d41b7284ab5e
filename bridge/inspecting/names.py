"""Numbers of registries, with their names where we know them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from bridge.inspecting.explanation import Code
from bridge.protocol.code_points import ORDER_EXTENSION, EnvelopeKind
from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES
from mls.registry import GREASE, MLS10, CredentialType, ExtensionType, ProposalType

__all__ = ["credential", "envelope_kind", "extension", "named", "proposal", "suite", "version"]

_PRIVATE_USE: Final = 0xF000

_SUITES: Final = {
    number: entry.name if number in CIPHER_SUITES else f"{entry.name}, experimental"
    for number, entry in (CIPHER_SUITES | EXPERIMENTAL_CIPHER_SUITES).items()
}
_EXTENSIONS: Final = {int(member): member.name.lower() for member in ExtensionType} | {
    ORDER_EXTENSION: "order, of mls-bridge"
}
_PROPOSALS: Final = {int(member): member.name.lower() for member in ProposalType}
_CREDENTIALS: Final = {int(member): member.name.lower() for member in CredentialType}
_KINDS: Final = {int(member): member.name for member in EnvelopeKind}


def named(member: IntEnum) -> Code:
    """Return the code point of a closed enum."""
    return Code(int(member), member.name.lower())


def version(number: int) -> Code:
    """Return a protocol version of MLS."""
    return Code(number, "mls10" if number == MLS10 else None)


def suite(number: int) -> Code:
    """Return a cipher suite."""
    return _open(number, _SUITES)


def extension(number: int) -> Code:
    """Return an extension type."""
    return _open(number, _EXTENSIONS)


def proposal(number: int) -> Code:
    """Return a proposal type."""
    return _open(number, _PROPOSALS)


def credential(number: int) -> Code:
    """Return a credential type."""
    return _open(number, _CREDENTIALS)


def envelope_kind(number: int) -> Code:
    """Return an envelope's kind."""
    return Code(number, _KINDS.get(number))


def _open(number: int, names: Mapping[int, str]) -> Code:
    """Return a value of an open registry (RFC 9420, section 17)."""
    if number in names:
        return Code(number, names[number])
    if number in GREASE:
        return Code(number, "GREASE")
    return Code(number, "for private use" if number >= _PRIVATE_USE else None)
