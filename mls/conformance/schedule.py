"""The key schedule and what hangs on it: epoch secrets, pre-shared keys, transcript hashes, the secret tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.codec import UInt32
from mls.conformance.checks import at, expect, expect_equal
from mls.conformance.fields import Entry, Expected, Hex
from mls.conformance.stand_ins import tree_of_signers
from mls.crypto.secret import Secret, wipe
from mls.crypto.suite import CipherSuite
from mls.framing.private import open_sender_data
from mls.registry import MLS10, ContentType
from mls.schedule.key_schedule import (
    WelcomeKeys,
    epoch_secret,
    epoch_secrets,
    export_secret,
    external_key_pair,
    joiner_secret,
    member_secret,
    welcome_keys,
)
from mls.schedule.psk import psk_secret
from mls.schedule.secret_tree import RatchetLimits
from mls.schedule.secret_tree import SecretTree as EngineTree
from mls.schedule.transcript import confirmed_transcript_hash, interim_transcript_hash
from mls.tree import math
from mls.tree.math import LeafIndex
from mls.wire.commit import Commit
from mls.wire.framing import AuthenticatedContent, PrivateMessage, SenderData, SenderDataAAD
from mls.wire.group_context import GroupContext
from mls.wire.psk import ExternalPSK, PreSharedKeyID

if TYPE_CHECKING:
    from mls.crypto.random import Random

__all__ = ["KeySchedule", "PskSecret", "SecretTree", "TranscriptHashes"]

RATCHET_LIMITS = RatchetLimits(out_of_order=1 << 16, forward=1 << 16)
"""Far more than any vector needs, and still an end to what a broken one can cost."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """`MLS-Exporter(label, context, length)`."""

    label: str
    context: Hex
    length: UInt32
    secret: Expected[Hex]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's inputs, then all that follows from them and the epoch before."""

    tree_hash: Hex
    commit_secret: Hex
    psk_secret: Hex
    confirmed_transcript_hash: Hex
    group_context: Expected[Hex]
    joiner_secret: Expected[Hex]
    welcome_secret: Expected[Secret]
    init_secret: Expected[Hex]
    sender_data_secret: Expected[Hex]
    encryption_secret: Expected[Hex]
    exporter_secret: Expected[Hex]
    epoch_authenticator: Expected[Hex]
    external_secret: Expected[Hex]
    confirmation_key: Expected[Hex]
    membership_key: Expected[Hex]
    resumption_psk: Expected[Hex]
    external_pub: Expected[Hex]
    exporter: Exporter


@dataclass(frozen=True, slots=True)
class KeySchedule(Entry):
    """The key schedule over several epochs."""

    cipher_suite: CipherSuite
    group_id: Hex
    initial_init_secret: Secret
    epochs: tuple[Epoch, ...]

    def check(self, random: Random) -> None:  # noqa: ARG002 - the interface of every format
        expect(bool(self.epochs), "is empty", "epochs")
        init_secret = self.initial_init_secret
        for number, epoch in enumerate(self.epochs):
            with at("epochs", number):
                init_secret = self._check_epoch(number, epoch, init_secret)

    def _check_epoch(self, number: int, epoch: Epoch, init_secret: Secret) -> Secret:
        """Check one epoch; return its `init_secret`."""
        suite = self.cipher_suite
        context = GroupContext(
            MLS10, suite.number, self.group_id, number, epoch.tree_hash, epoch.confirmed_transcript_hash, ()
        ).encode()
        expect_equal(context, epoch.group_context, "group_context")
        joiner = joiner_secret(suite, init_secret.value, epoch.commit_secret, context)
        expect_equal(joiner, epoch.joiner_secret, "joiner_secret")
        member = member_secret(suite, joiner, epoch.psk_secret)
        # The engine never hands out the welcome_secret itself: see whether what it derives from it is the same.
        welcome = epoch.welcome_secret.value
        expect_equal(suite.Nh, len(welcome), "welcome_secret", "length")  # HMAC would not mind zeros at the end
        key = suite.expand_with_label(welcome, "key", b"", suite.Nk)
        nonce = suite.expand_with_label(welcome, "nonce", b"", suite.Nn)
        same = welcome_keys(suite, member) == WelcomeKeys(key, nonce)
        expect(same, "does not give the engine's key and nonce", "welcome_secret")
        kept, confirmation_key, encryption_secret = epoch_secrets(suite, epoch_secret(suite, member, context))
        for name, computed, stated in (
            ("init_secret", kept.init_secret, epoch.init_secret),
            ("sender_data_secret", kept.sender_data_secret, epoch.sender_data_secret),
            ("encryption_secret", encryption_secret, epoch.encryption_secret),
            ("exporter_secret", kept.exporter_secret, epoch.exporter_secret),
            ("epoch_authenticator", kept.epoch_authenticator, epoch.epoch_authenticator),
            ("external_secret", kept.external_secret, epoch.external_secret),
            ("confirmation_key", confirmation_key, epoch.confirmation_key),
            ("membership_key", kept.membership_key, epoch.membership_key),
            ("resumption_psk", kept.resumption_psk, epoch.resumption_psk),
        ):
            expect_equal(bytes(computed.value), stated, name)
        expect_equal(external_key_pair(suite, kept.external_secret).public_key, epoch.external_pub, "external_pub")
        exporter = epoch.exporter
        with at("exporter"):
            exported = export_secret(suite, kept.exporter_secret, exporter.label, exporter.context, exporter.length)
            expect_equal(exported, exporter.secret, "secret")
        used = (init_secret, confirmation_key, encryption_secret, *kept.all())
        wipe(secret for secret in used if secret is not kept.init_secret)
        return kept.init_secret


@dataclass(frozen=True, slots=True)
class Psk:
    """An external pre-shared key, with the nonce of one injection."""

    psk_id: Hex
    psk: Secret
    psk_nonce: Hex


@dataclass(frozen=True, slots=True)
class PskSecret(Entry):
    """Pre-shared keys, in order, into one secret."""

    cipher_suite: CipherSuite
    psks: tuple[Psk, ...]
    psk_secret: Expected[Hex]

    def check(self, random: Random) -> None:  # noqa: ARG002 - the interface of every format
        psks = [(PreSharedKeyID(ExternalPSK(psk.psk_id), psk.psk_nonce), psk.psk) for psk in self.psks]
        expect_equal(psk_secret(self.cipher_suite, psks), self.psk_secret, "psk_secret")


@dataclass(frozen=True, slots=True)
class TranscriptHashes(Entry):
    """One Commit's step of the transcript hashes, and its confirmation tag."""

    cipher_suite: CipherSuite
    confirmation_key: Secret
    authenticated_content: Expected[AuthenticatedContent]
    interim_transcript_hash_before: Hex
    confirmed_transcript_hash_after: Expected[Hex]
    interim_transcript_hash_after: Expected[Hex]

    def check(self, random: Random) -> None:  # noqa: ARG002 - the interface of every format
        suite, message = self.cipher_suite, self.authenticated_content
        is_commit = isinstance(message.content.content, Commit)
        expect(is_commit, "does not contain a Commit", "authenticated_content")
        tag = message.confirmation_tag or b""
        confirmed = confirmed_transcript_hash(
            suite, self.interim_transcript_hash_before, message.wire_format, message.content, message.signature
        )
        expect_equal(confirmed, self.confirmed_transcript_hash_after, "confirmed_transcript_hash_after")
        confirms = suite.mac_is_valid(self.confirmation_key, self.confirmed_transcript_hash_after, tag)
        expect(confirms, "the content's confirmation tag is not valid under it", "confirmation_key")
        interim = interim_transcript_hash(suite, confirmed, tag)
        expect_equal(interim, self.interim_transcript_hash_after, "interim_transcript_hash_after")


@dataclass(frozen=True, slots=True)
class SenderDataKeys:
    """The key and nonce for the sender data that goes with a ciphertext."""

    sender_data_secret: Secret
    ciphertext: Hex
    key: Expected[Hex]
    nonce: Expected[Hex]

    def check(self, suite: CipherSuite, random: Random) -> None:
        """Seal sender data with the vector's key and nonce, and have the engine open it.

        The engine derives the two inside, and does not hand them out.
        """
        sender = SenderData(0, 0, bytes(4))
        aad = SenderDataAAD(b"", 0, ContentType.APPLICATION).encode()
        expect(len(self.key) == suite.Nk, f"has {len(self.key)} bytes instead of {suite.Nk}", "key")
        expect(len(self.nonce) == suite.Nn, f"has {len(self.nonce)} bytes instead of {suite.Nn}", "nonce")
        sealed = suite.aead.seal(self.key, self.nonce, sender.encode(), aad)
        message = PrivateMessage(b"", 0, ContentType.APPLICATION, b"", sealed, self.ciphertext)
        tree = tree_of_signers(suite, {0: b""}, random)
        opened = open_sender_data(suite, message, self.sender_data_secret, tree)
        expect_equal(opened, sender, "key")


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a leaf's two ratchets."""

    generation: UInt32
    handshake_key: Expected[Hex]
    handshake_nonce: Expected[Hex]
    application_key: Expected[Hex]
    application_nonce: Expected[Hex]


@dataclass(frozen=True, slots=True)
class SecretTree(Entry):
    """Message keys by leaf and generation, and the key for sender data."""

    cipher_suite: CipherSuite
    sender_data: SenderDataKeys
    encryption_secret: Secret
    leaves: tuple[tuple[Generation, ...], ...]

    def check(self, random: Random) -> None:
        suite = self.cipher_suite
        with at("sender_data"):
            self.sender_data.check(suite, random)
        expect(bool(self.leaves), "is empty", "leaves")
        leaf_count = math.full_leaf_count(math.node_count(len(self.leaves)))
        tree = EngineTree(suite, leaf_count, self.encryption_secret)
        for index, generations in enumerate(self.leaves):
            for position, stated in enumerate(generations):
                with at("leaves", index, position):
                    tree = _take_keys(tree, LeafIndex(index), stated)
        wipe(tree.secrets())


def _take_keys(tree: EngineTree, leaf: LeafIndex, stated: Generation) -> EngineTree:
    """Take the keys of one generation out of the tree, and compare; return the tree without them."""
    for kind, key, nonce, name in (
        (ContentType.PROPOSAL, stated.handshake_key, stated.handshake_nonce, "handshake"),
        (ContentType.APPLICATION, stated.application_key, stated.application_nonce, "application"),
    ):
        tree, taken, spent = tree.key_for(leaf, kind, stated.generation, RATCHET_LIMITS)
        wipe(spent)
        expect_equal(taken.key, key, f"{name}_key")
        expect_equal(taken.nonce, nonce, f"{name}_nonce")
    return tree
