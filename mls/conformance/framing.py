"""Message protection: proposals, Commits and application data, as PublicMessage and as PrivateMessage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.codec import UInt64
from mls.conformance.checks import CheckError, at, expect_equal
from mls.conformance.fields import Entry, Expected, Hex
from mls.conformance.keys import load_signature_key
from mls.conformance.stand_ins import permissive_environment, tree_of_signers
from mls.conformance.trees import BareProposal
from mls.crypto.secret import Secret, wipe
from mls.crypto.suite import CipherSuite
from mls.errors import RuleError, UsageError
from mls.framing.content import VerifiedContent, sign, verify
from mls.framing.private import open_content, open_sender_data, protect_private
from mls.framing.public import open_public, protect_public
from mls.registry import MLS10, WireFormat
from mls.schedule.secret_tree import RatchetLimits, SecretTree
from mls.tree.math import LeafIndex
from mls.wire.commit import Commit
from mls.wire.framing import (
    ApplicationData,
    AuthenticatedContent,
    FramedContent,
    Member,
    PrivateMessage,
    PublicMessage,
)
from mls.wire.group_context import GroupContext
from mls.wire.message import MLSMessage, wrap

if TYPE_CHECKING:
    from mls.crypto.random import Random
    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.environment import Environment
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.framing import AnyContent

__all__ = ["MessageProtection"]

SENDER = LeafIndex(1)
"""The member who sends all of the format's messages, in a group of two."""


@dataclass(frozen=True, slots=True)
class MessageProtection(Entry):
    """One of each kind of content, raw and as it travels."""

    cipher_suite: CipherSuite
    group_id: Hex
    epoch: UInt64
    tree_hash: Hex
    confirmed_transcript_hash: Hex
    signature_priv: Hex
    signature_pub: Hex
    encryption_secret: Secret
    sender_data_secret: Secret
    membership_key: Secret
    proposal: Expected[BareProposal]
    proposal_pub: Expected[Hex]
    proposal_priv: Expected[Hex]
    commit: Expected[Commit]
    commit_pub: Expected[Hex]
    commit_priv: Expected[Hex]
    application: Expected[Hex]
    application_priv: Expected[Hex]

    def check(self, random: Random) -> None:
        suite = self.cipher_suite
        context = GroupContext(
            MLS10, suite.number, self.group_id, self.epoch, self.tree_hash, self.confirmed_transcript_hash, ()
        )
        with at("signature_priv"):
            signature_key = load_signature_key(suite, self.signature_priv)
        other = suite.generate_signature_key(random).public_key
        with at("signature_pub"):
            tree = tree_of_signers(suite, {0: other, SENDER: self.signature_pub}, random)
        group = _Group(self, context, tree, signature_key, permissive_environment(random))
        application = ApplicationData(self.application)
        tag = group.check_public("commit", self.commit_pub, self.commit)
        group.check_public("proposal", self.proposal_pub, self.proposal.proposal)
        group.check_private("proposal", self.proposal_priv, self.proposal.proposal, None)
        group.check_private("commit", self.commit_priv, self.commit, tag)
        group.check_private("application", self.application_priv, application, None)
        group.check_is_never_public(application)


@dataclass(frozen=True, slots=True)
class _Group:
    """One epoch, seen by a member who has yet to send and to receive anything."""

    given: MessageProtection
    context: GroupContext
    tree: RatchetTree
    signature_key: SignaturePrivateKey
    environment: Environment

    def check_public(self, name: str, message: bytes, content: AnyContent) -> bytes | None:
        """Unprotect the vector's PublicMessage and one of our own. Return the vector's confirmation tag."""
        with at(f"{name}_pub"):
            opened = self._open_public(message)
        expect_equal(opened.framed, self._framed(content), name)
        tag = opened.message.confirmation_tag
        with at(f"{name}_pub", "created"):
            signed = self._sign(WireFormat.PUBLIC_MESSAGE, content, tag)
            sealed = protect_public(self.tree.suite, signed, self.context, self.given.membership_key)
            expect_equal(self._open_public(wrap(sealed).encode()).message, signed)
        return tag

    def check_private(self, name: str, message: bytes, content: AnyContent, tag: bytes | None) -> None:
        """Unprotect the vector's PrivateMessage and one of our own."""
        with at(f"{name}_priv"):
            opened = self._open_private(message)
        expect_equal(opened.framed, self._framed(content), name)
        with at(f"{name}_priv", "created"):
            signed = self._sign(WireFormat.PRIVATE_MESSAGE, content, tag)
            sealed, messages, spent = protect_private(
                signed,
                self._secret_tree(),
                self.given.sender_data_secret,
                padding=self.environment.padding,
                random=self.environment.random,
            )
            wipe((*spent, *messages.secrets()))
            expect_equal(self._open_private(wrap(sealed).encode()).message, signed)

    def check_is_never_public(self, content: ApplicationData) -> None:
        """Application data must not be sent as a PublicMessage, nor taken from one (section 6)."""
        signed = self._sign(WireFormat.PUBLIC_MESSAGE, content, None)
        try:
            protect_public(self.tree.suite, signed, self.context, self.given.membership_key)
        except UsageError:
            pass
        else:
            raise CheckError(("application",), "the engine protects it as a PublicMessage")
        forbidden = PublicMessage(signed.content, signed.signature, None, bytes(self.tree.suite.Nh))
        try:
            open_public(self.tree.suite, forbidden, self.context, None)
        except RuleError:
            pass
        else:
            raise CheckError(("application",), "the engine takes it from a PublicMessage")

    def _framed(self, content: AnyContent) -> FramedContent:
        return FramedContent(self.context.group_id, self.context.epoch, Member(SENDER), b"", content)

    def _sign(self, wire_format: WireFormat, content: AnyContent, tag: bytes | None) -> AuthenticatedContent:
        framed = self._framed(content)
        signature = sign(self.tree.suite, self.signature_key, wire_format, framed, self.context)
        return AuthenticatedContent(wire_format, framed, signature, tag)

    def _open_public(self, data: bytes) -> VerifiedContent:
        message = MLSMessage.decode(data).message
        if not isinstance(message, PublicMessage):
            raise CheckError((), f"is a {type(message).__name__}, not a PublicMessage")
        opened = open_public(self.tree.suite, message, self.context, self.given.membership_key)
        return verify(opened, self.tree, self.context)

    def _open_private(self, data: bytes) -> VerifiedContent:
        message = MLSMessage.decode(data).message
        if not isinstance(message, PrivateMessage):
            raise CheckError((), f"is a {type(message).__name__}, not a PrivateMessage")
        sender = open_sender_data(self.tree.suite, message, self.given.sender_data_secret, self.tree)
        opened, messages, spent = open_content(message, sender, self._secret_tree(), RatchetLimits())
        wipe((*spent, *messages.secrets()))
        return verify(opened, self.tree, self.context)

    def _secret_tree(self) -> SecretTree:
        """Return a fresh secret tree: each message starts from the epoch's beginning."""
        return SecretTree(self.tree.suite, 2, Secret(self.given.encryption_secret.value))
