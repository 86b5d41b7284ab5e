"""Groups as a member lives through them: a Welcome opened, and epochs followed."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.conformance.checks import CheckError, at, expect, expect_equal
from mls.conformance.fields import Entry, Expected, Hex
from mls.conformance.keys import load_hpke_key, load_signature_key
from mls.conformance.stand_ins import permissive_environment, tree_of_signers
from mls.crypto.secret import Secret, wipe
from mls.crypto.suite import CipherSuite
from mls.group.creation import KeyPackageBundle
from mls.group.epoch import start_epoch_from_joiner
from mls.group.group_info import verify_group_info
from mls.group.joining import find_bundle, join
from mls.group.processing import process
from mls.group.received import Committed, Joined, ProposalReceived
from mls.group.state import GroupState, Transition
from mls.schedule.key_schedule import member_secret, welcome_keys
from mls.schedule.psk import psk_secret
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from mls.wire.tree import RatchetTreeExtension
from mls.wire.welcome import GroupInfo, GroupSecrets
from mls.wire.welcome import Welcome as WelcomeStruct

if TYPE_CHECKING:
    from mls.crypto.random import Random

__all__ = ["PassiveClient", "Welcome"]


def _key_package(message: MLSMessage, suite: CipherSuite) -> KeyPackage:
    key_package = message.message
    if not isinstance(key_package, KeyPackage):
        raise CheckError(("key_package",), f"is a {type(key_package).__name__}, not a KeyPackage")
    expect_equal(key_package.cipher_suite, suite.number, "key_package", "cipher_suite")
    return key_package


@dataclass(frozen=True, slots=True)
class Welcome(Entry):
    """A Welcome and one of the KeyPackages that it answers, but neither the tree nor all private keys."""

    cipher_suite: CipherSuite
    init_priv: Hex
    signer_pub: Hex
    key_package: MLSMessage
    welcome: Expected[MLSMessage]

    def check(self, random: Random) -> None:
        suite, welcome = self.cipher_suite, self.welcome.message
        key_package = _key_package(self.key_package, suite)
        if not isinstance(welcome, WelcomeStruct):
            raise CheckError(("welcome",), f"is a {type(welcome).__name__}, not a Welcome")
        with at("init_priv"):
            init_key = load_hpke_key(suite, self.init_priv)
        # Opening a Welcome takes the init key alone; the keys of the leaf are for the tree, which is not here.
        unused = suite.generate_hpke_key(random), suite.generate_signature_key(random)
        with at("welcome"):
            bundle, position = find_bundle(welcome, [KeyPackageBundle(key_package, init_key, *unused)])
            sealed = welcome.secrets[position].encrypted_group_secrets
            opened = suite.decrypt_with_label(
                bundle.init_key, "Welcome", welcome.encrypted_group_info, sealed.kem_output, sealed.ciphertext
            )
            if opened is None:
                raise CheckError((), "the group secrets do not decrypt")
            secrets = GroupSecrets.decode(opened)
            no_psks = psk_secret(suite, ())
            sealing = welcome_keys(suite, member_secret(suite, secrets.joiner_secret, no_psks))
            plaintext = suite.aead.open(sealing.key, sealing.nonce, welcome.encrypted_group_info, b"")
            if plaintext is None:  # pragma: no cover - the secrets opened under this very ciphertext as their context
                raise CheckError((), "the GroupInfo does not decrypt")
            info = GroupInfo.decode(plaintext)
            tree = tree_of_signers(suite, {info.signer: self.signer_pub}, random)
            verify_group_info(suite, info, tree)
            epoch = start_epoch_from_joiner(info.group_context, tree, secrets.joiner_secret, no_psks)
            confirms = hmac.compare_digest(epoch.public.confirmation_tag, info.confirmation_tag)
            expect(confirms, "the confirmation tag is not that of the epoch")
            wipe((*epoch.secrets.all(), *epoch.messages.secrets()))


@dataclass(frozen=True, slots=True)
class ExternalPsk:
    """An external pre-shared key of the group."""

    psk_id: Hex
    psk: Secret


@dataclass(frozen=True, slots=True)
class FollowedEpoch:
    """The messages that lead to an epoch, and what its members then agree on."""

    proposals: tuple[Hex, ...]
    commit: Hex
    epoch_authenticator: Expected[Hex]


@dataclass(frozen=True, slots=True)
class PassiveClient(Entry):
    """A client that joins by a Welcome, and follows what the others do."""

    cipher_suite: CipherSuite
    external_psks: tuple[ExternalPsk, ...]
    key_package: MLSMessage
    signature_priv: Hex
    encryption_priv: Hex
    init_priv: Hex
    welcome: Hex
    ratchet_tree: RatchetTreeExtension | None
    initial_epoch_authenticator: Expected[Hex]
    epochs: tuple[FollowedEpoch, ...]

    def check(self, random: Random) -> None:
        environment = permissive_environment(random, {psk.psk_id: psk.psk for psk in self.external_psks})
        bundle = self._bundle()
        with at("welcome"):
            state = _adopt(join(environment, self.welcome, [bundle], tree=self.ratchet_tree), Joined)
        expect_equal(state.epoch_authenticator, self.initial_epoch_authenticator, "initial_epoch_authenticator")
        for number, epoch in enumerate(self.epochs):
            with at("epochs", number):
                for position, proposal in enumerate(epoch.proposals):
                    with at("proposals", position):
                        state = _adopt(process(state, environment, proposal, now=0), ProposalReceived)
                with at("commit"):
                    state = _adopt(process(state, environment, epoch.commit, now=0), Committed)
                expect_equal(state.epoch_authenticator, epoch.epoch_authenticator, "epoch_authenticator")
        wipe(state.secrets())

    def _bundle(self) -> KeyPackageBundle:
        """Return the KeyPackage with its private keys, after checking that they are its own."""
        suite = self.cipher_suite
        key_package = _key_package(self.key_package, suite)
        leaf = key_package.leaf_node
        with at("init_priv"):
            init_key = load_hpke_key(suite, self.init_priv)
            expect_equal(init_key.public_key, key_package.init_key)
        with at("encryption_priv"):
            encryption_key = load_hpke_key(suite, self.encryption_priv)
            expect_equal(encryption_key.public_key, leaf.encryption_key)
        with at("signature_priv"):
            signature_key = load_signature_key(suite, self.signature_priv)
            expect_equal(signature_key.public_key, leaf.signature_key)
        return KeyPackageBundle(key_package, init_key, encryption_key, signature_key)


def _adopt(transition: Transition[object], expected: type[object]) -> GroupState:
    """Take a step's state, and wipe what it has spent, after checking what the step was."""
    output = transition.output
    expect(isinstance(output, expected), f"the engine has {type(output).__name__}, not {expected.__name__}")
    wipe(transition.spent)
    return transition.state
