"""GroupInfo and Welcome (RFC 9420, sections 12.4.3 and 12.4.3.1)."""

from __future__ import annotations

from typing import Annotated

from mls.codec import Hidden, Opaque, Struct, UInt16, UInt32, encode_opaque, struct
from mls.wire.commit import HPKECiphertext
from mls.wire.extensions import Extension
from mls.wire.group_context import GroupContext
from mls.wire.psk import PreSharedKeyID

__all__ = ["EncryptedGroupSecrets", "GroupInfo", "GroupSecrets", "PathSecret", "Welcome"]


@struct()
class GroupInfo(Struct):
    """An epoch's public state, signed by one of its members."""

    group_context: GroupContext
    extensions: tuple[Extension, ...]
    confirmation_tag: Opaque
    signer: UInt32
    signature: Opaque

    def to_be_signed(self) -> bytes:
        """Return the encoded `GroupInfoTBS`: all fields but the signature."""
        return self.encode()[: -len(encode_opaque(self.signature))]


@struct()
class PathSecret(Struct):
    """The path secret of the lowest node above both the committer and the new member."""

    path_secret: Annotated[Opaque, Hidden()]


@struct()
class GroupSecrets(Struct):
    """What a Welcome tells each new member in secret."""

    joiner_secret: Annotated[Opaque, Hidden()]
    path_secret: PathSecret | None
    psks: tuple[PreSharedKeyID, ...]


@struct()
class EncryptedGroupSecrets(Struct):
    """One new member's GroupSecrets, encrypted to the init key of its KeyPackage."""

    new_member: Opaque
    encrypted_group_secrets: HPKECiphertext


@struct()
class Welcome(Struct):
    """The secrets of an epoch for those whom its Commit added, and its GroupInfo."""

    cipher_suite: UInt16
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: Opaque
