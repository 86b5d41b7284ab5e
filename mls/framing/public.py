"""PublicMessage: signed, not encrypted (RFC 9420, section 6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls import rules
from mls.codec import encode_opaque
from mls.errors import UsageError
from mls.framing.content import to_be_signed
from mls.registry import WireFormat
from mls.wire.framing import ApplicationData, AuthenticatedContent, Member, PublicMessage

if TYPE_CHECKING:
    from mls.crypto.secret import Secret
    from mls.crypto.suite import CipherSuite
    from mls.wire.group_context import GroupContext

__all__ = ["open_public", "protect_public"]


def protect_public(
    suite: CipherSuite, message: AuthenticatedContent, context: GroupContext, membership_key: Secret | None
) -> PublicMessage:
    """Return `message` as a PublicMessage. Senders outside the group have no membership key.

    Raises `UsageError` for application data, which must never travel unencrypted (section 6).
    """
    if isinstance(message.content.content, ApplicationData):
        msg = "application data must be sent as a PrivateMessage (RFC 9420, section 6)"
        raise UsageError(msg)
    tag = None
    if isinstance(message.content.sender, Member) and membership_key is not None:
        tag = suite.mac(membership_key, _authenticated_content_tbm(message, context))
    return PublicMessage(message.content, message.signature, message.confirmation_tag, tag)


def open_public(
    suite: CipherSuite, message: PublicMessage, context: GroupContext, membership_key: Secret | None
) -> AuthenticatedContent:
    """Check the membership tag of `message`, and return what it carries, still to be verified.

    Without a membership key, as outside the group, the tag cannot be checked. Raises `RuleError`.
    """
    content = message.content
    rules.APPLICATION_DATA_IS_ENCRYPTED.require(not isinstance(content.content, ApplicationData))
    opened = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, message.signature, message.confirmation_tag)
    if isinstance(content.sender, Member) and membership_key is not None:
        tbm = _authenticated_content_tbm(opened, context)
        stated = message.membership_tag or b""
        rules.MEMBERSHIP_TAG_IS_VALID.require(suite.mac_is_valid(membership_key, tbm, stated))
    return opened


def _authenticated_content_tbm(message: AuthenticatedContent, context: GroupContext) -> bytes:
    """Return the encoded `AuthenticatedContentTBM`: what is signed, then the FramedContentAuthData."""
    tag = b"" if message.confirmation_tag is None else encode_opaque(message.confirmation_tag)
    return to_be_signed(WireFormat.PUBLIC_MESSAGE, message.content, context) + encode_opaque(message.signature) + tag
