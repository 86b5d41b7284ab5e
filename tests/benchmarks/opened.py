"""What messages hold inside, read with the keys of one who may: the floors take their sizes and signatures from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.codec import encode_opaque
from mls.framing.content import sender_key, to_be_signed
from mls.framing.private import open_content, open_sender_data
from mls.schedule.key_schedule import member_secret, welcome_keys
from mls.schedule.psk import psk_secret
from mls.schedule.secret_tree import RatchetLimits
from mls.tree.math import LeafIndex
from mls.wire.commit import Commit
from mls.wire.framing import Member, PrivateMessage
from mls.wire.message import MLSMessage
from mls.wire.welcome import GroupInfo, GroupSecrets, Welcome

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.group.state import GroupState
    from mls.wire.commit import UpdatePath
    from mls.wire.framing import FramedContent

__all__ = ["OpenedMessage", "OpenedWelcome", "sign_content"]


def sign_content(label: str, content: bytes) -> bytes:
    """Return the encoded `SignContent` (section 5.1.2)."""
    return encode_opaque(b"MLS 1.0 " + label.encode()) + encode_opaque(content)


@dataclass(frozen=True)
class OpenedMessage:
    """A PrivateMessage, and what is in it."""

    message: PrivateMessage
    content: FramedContent
    signed: bytes
    """The `SignContent` that the signature covers."""
    signature: bytes
    signature_key: bytes
    """The public key of its author."""
    plaintext_size: int
    """With padding."""

    @classmethod
    def of(cls, data: bytes, reader: GroupState) -> OpenedMessage:
        """Open an encoded PrivateMessage. The reader's state stays as it is."""
        message = MLSMessage.decode(data).message
        assert isinstance(message, PrivateMessage)
        tree, context = reader.public.tree, reader.public.context
        sender = open_sender_data(reader.suite, message, reader.epoch_secrets.sender_data_secret, tree)
        opened, _, _ = open_content(message, sender, reader.messages, RatchetLimits())
        return cls(
            message,
            opened.content,
            sign_content("FramedContentTBS", to_be_signed(opened.wire_format, opened.content, context)),
            opened.signature,
            sender_key(opened.content, tree, context),
            len(message.ciphertext) - reader.suite.aead.Nt,
        )

    @property
    def author(self) -> LeafIndex:
        """The leaf that sent the message."""
        sender = self.content.sender
        assert isinstance(sender, Member)
        return LeafIndex(sender.leaf_index)

    @property
    def commit(self) -> Commit:
        """The Commit that the message is."""
        assert isinstance(self.content.content, Commit)
        return self.content.content

    @property
    def path(self) -> UpdatePath:
        """The Commit's path."""
        assert self.commit.path is not None
        return self.commit.path


@dataclass(frozen=True)
class OpenedWelcome:
    """A Welcome, and what is in it for one of those whom it welcomes."""

    welcome: Welcome
    secrets_size: int
    """Of one encoded GroupSecrets."""
    info: GroupInfo

    @classmethod
    def of(cls, data: bytes, bundle: KeyPackageBundle) -> OpenedWelcome:
        """Open an encoded Welcome with the private keys of a KeyPackage."""
        welcome = MLSMessage.decode(data).message
        assert isinstance(welcome, Welcome)
        suite = bundle.suite
        sealed = next(
            entry.encrypted_group_secrets for entry in welcome.secrets if entry.new_member == bundle.reference
        )
        secrets = suite.decrypt_with_label(
            bundle.init_key, "Welcome", welcome.encrypted_group_info, sealed.kem_output, sealed.ciphertext
        )
        assert secrets is not None
        joiner = GroupSecrets.decode(secrets).joiner_secret
        keys = welcome_keys(suite, member_secret(suite, joiner, psk_secret(suite, [])))
        info = suite.aead.open(keys.key, keys.nonce, welcome.encrypted_group_info, b"")
        assert info is not None
        return cls(welcome, len(secrets), GroupInfo.decode(info))
