"""What the steps of a script are made of: who, what they refer to, and proposals by value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, NewType, TypeAlias

__all__ = [
    "PROPOSALS",
    "Actor",
    "AddByValue",
    "CiphertextOf",
    "CommitOf",
    "Description",
    "Extension",
    "ExternalPSKByValue",
    "GroupContextExtensionsByValue",
    "KeyPackageOf",
    "PSKOf",
    "Product",
    "ProposalOf",
    "ReInitByValue",
    "RemoveByValue",
    "ResumptionPSKByValue",
]

Actor = NewType("Actor", str)
"""Somebody in a script. The name is the identity in the credential, too."""


class Product(Enum):
    """What a step can leave for later ones."""

    KEY_PACKAGE = "key package"
    PROPOSAL = "proposal"
    COMMIT = "commit"
    CIPHERTEXT = "ciphertext"
    PSK = "PSK"


# A field of one of these types is the number of an earlier step that leaves such a product.
KeyPackageOf: TypeAlias = Annotated[int, Product.KEY_PACKAGE]
ProposalOf: TypeAlias = Annotated[int, Product.PROPOSAL]
CommitOf: TypeAlias = Annotated[int, Product.COMMIT]
CiphertextOf: TypeAlias = Annotated[int, Product.CIPHERTEXT]
PSKOf: TypeAlias = Annotated[int, Product.PSK]


@dataclass(frozen=True, kw_only=True)
class Extension:
    """An extension of the group context."""

    extension_type: int
    extension_data: bytes = b""


# --- Proposals that a Commit holds by value, or that an external signer makes ---


@dataclass(frozen=True, kw_only=True)
class AddByValue:
    key_package: KeyPackageOf


@dataclass(frozen=True, kw_only=True)
class RemoveByValue:
    removed: Actor


@dataclass(frozen=True, kw_only=True)
class ExternalPSKByValue:
    psk_id: PSKOf


@dataclass(frozen=True, kw_only=True)
class ResumptionPSKByValue:
    epoch_id: int


@dataclass(frozen=True, kw_only=True)
class GroupContextExtensionsByValue:
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReInitByValue:
    change_group_id: bool = False
    change_cipher_suite: bool = False
    extensions: tuple[Extension, ...] = ()


Description: TypeAlias = (
    AddByValue
    | RemoveByValue
    | ExternalPSKByValue
    | ResumptionPSKByValue
    | GroupContextExtensionsByValue
    | ReInitByValue
)

PROPOSALS: dict[str, type[Description]] = {
    "add": AddByValue,
    "remove": RemoveByValue,
    "externalPSK": ExternalPSKByValue,
    "resumptionPSK": ResumptionPSKByValue,
    "groupContextExtensions": GroupContextExtensionsByValue,
    "reinit": ReInitByValue,
}
"""By their `proposalType`."""
