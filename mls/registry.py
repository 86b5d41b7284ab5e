"""Code points: the IANA registries of RFC 9420, section 17, and the closed enums of its structs.

On the wire an open registry's value is a plain integer, known or not; these names are for the known ones.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = [
    "DEFAULT_EXTENSION_TYPES",
    "DEFAULT_PROPOSAL_TYPES",
    "EXTERNAL_PROPOSAL_TYPES",
    "GREASE",
    "MLS10",
    "NO_PATH_PROPOSAL_TYPES",
    "ContentType",
    "CredentialType",
    "ExtensionType",
    "LeafNodeSource",
    "NodeType",
    "PSKType",
    "ProposalOrRefType",
    "ProposalType",
    "ResumptionPSKUsage",
    "SenderType",
    "WireFormat",
]

MLS10: Final = 1
"""`ProtocolVersion mls10` (section 6), the only version there is."""

GREASE: Final = frozenset(0x0A0A + 0x1010 * i for i in range(15))
"""The values that section 13.5 reserves in each registry: `0x0A0A`, `0x1A1A`, ... `0xEAEA`. Only ever sent; on
receipt they are unknown values like any other."""


class WireFormat(IntEnum):
    """The registry "MLS Wire Formats", section 17.2."""

    PUBLIC_MESSAGE = 1
    PRIVATE_MESSAGE = 2
    WELCOME = 3
    GROUP_INFO = 4
    KEY_PACKAGE = 5


class ExtensionType(IntEnum):
    """The registry "MLS Extension Types", section 17.3, and `last_resort_key_package`, which the registry holds since.

    `LAST_RESORT` marks a KeyPackage that may be used more than once (section 16.8). Drafts of
    draft-ietf-mls-extensions up to -07 made it an extension with code point 0x000A, which OpenMLS and mls-rs use;
    later ones move it into an application component. We use the extension, for peers know it.
    """

    APPLICATION_ID = 1
    RATCHET_TREE = 2
    REQUIRED_CAPABILITIES = 3
    EXTERNAL_PUB = 4
    EXTERNAL_SENDERS = 5
    LAST_RESORT = 0x000A


class ProposalType(IntEnum):
    """The registry "MLS Proposal Types", section 17.4, and SelfRemove.

    `SELF_REMOVE` has the code point that draft-ietf-mls-extensions suggests (0x000A). OpenMLS uses the same;
    mls-rs 0.55 has 0xF003, from the private-use range. The draft's number is the one that can become final.
    """

    ADD = 1
    UPDATE = 2
    REMOVE = 3
    PSK = 4
    REINIT = 5
    EXTERNAL_INIT = 6
    GROUP_CONTEXT_EXTENSIONS = 7
    SELF_REMOVE = 0x000A


class CredentialType(IntEnum):
    """The registry "MLS Credential Types", section 17.5."""

    BASIC = 1
    X509 = 2


class ContentType(IntEnum):
    """Section 6."""

    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(IntEnum):
    """Section 6."""

    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


class LeafNodeSource(IntEnum):
    """Section 7.2."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


class NodeType(IntEnum):
    """Section 7.8."""

    LEAF = 1
    PARENT = 2


class PSKType(IntEnum):
    """Section 8.4."""

    EXTERNAL = 1
    RESUMPTION = 2


class ResumptionPSKUsage(IntEnum):
    """Section 8.4."""

    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


class ProposalOrRefType(IntEnum):
    """Section 12.4."""

    PROPOSAL = 1
    REFERENCE = 2


DEFAULT_EXTENSION_TYPES: Final = frozenset(range(1, 6))
"""Extension types that every client supports and that capabilities must not list (section 7.2)."""

DEFAULT_PROPOSAL_TYPES: Final = frozenset(range(1, 8))
"""Proposal types that every client supports and that capabilities must not list (section 7.2)."""

EXTERNAL_PROPOSAL_TYPES: Final = frozenset(
    {
        ProposalType.ADD,
        ProposalType.REMOVE,
        ProposalType.PSK,
        ProposalType.REINIT,
        ProposalType.GROUP_CONTEXT_EXTENSIONS,
    }
)
"""What an `external` sender may propose (section 12.1.8, column "Ext" of section 17.4)."""

NO_PATH_PROPOSAL_TYPES: Final = frozenset({ProposalType.ADD, ProposalType.PSK, ProposalType.REINIT})
"""What may be committed without an UpdatePath (section 12.4, column "Path" of section 17.4)."""
