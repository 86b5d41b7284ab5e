"""The key schedule (RFC 9420, section 8): from one epoch's secrets to the next one's.

::

                          init_secret_[n-1]
                                |
    commit_secret --------> KDF.Extract
                                |
                    ExpandWithLabel("joiner", GroupContext_[n])
                                |
                          joiner_secret ................ told to new members
                                |
    psk_secret (or 0) ----> KDF.Extract
                                |
                                +--> DeriveSecret("welcome") = welcome_secret
                                |
                    ExpandWithLabel("epoch", GroupContext_[n])
                                |
                          epoch_secret --> DeriveSecret(label), for each of `EpochSecrets`
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mls.crypto.secret import Secret

if TYPE_CHECKING:
    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.suite import CipherSuite

__all__ = [
    "EXTERNAL_INIT_LABEL",
    "EpochSecrets",
    "WelcomeKeys",
    "epoch_secret",
    "epoch_secrets",
    "export_secret",
    "external_key_pair",
    "joiner_secret",
    "member_secret",
    "welcome_keys",
]

EXTERNAL_INIT_LABEL = b"MLS 1.0 external init secret"
"""The exporter context of external initialization (section 8.3)."""

_EPOCH_LABELS = (
    "init",
    "sender data",
    "exporter",
    "external",
    "membership",
    "resumption",
    "authentication",
    "confirm",
    "encryption",
)
"""The labels of an epoch's secrets: those of `EpochSecrets`, in its order, then two that are used at once."""


@dataclass(frozen=True, slots=True, eq=False)
class EpochSecrets:
    """What an epoch keeps (section 8, table 4), each `Nh` bytes; `encryption_secret` went into the secret tree."""

    init_secret: Secret
    sender_data_secret: Secret
    exporter_secret: Secret
    external_secret: Secret
    membership_key: Secret
    resumption_psk: Secret
    epoch_authenticator: Secret

    def all(self) -> tuple[Secret, ...]:
        """Return each secret, in the order of the fields."""
        return (
            self.init_secret,
            self.sender_data_secret,
            self.exporter_secret,
            self.external_secret,
            self.membership_key,
            self.resumption_psk,
            self.epoch_authenticator,
        )


@dataclass(frozen=True, slots=True)
class WelcomeKeys:
    """What encrypts a Welcome's GroupInfo (section 12.4.3.1)."""

    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)


def joiner_secret(suite: CipherSuite, init_secret: bytes | bytearray, commit_secret: bytes, context: bytes) -> bytes:
    """Return the epoch's `joiner_secret`. `context` is the encoded GroupContext of the new epoch."""
    return suite.expand_with_label(suite.extract(init_secret, commit_secret), "joiner", context, suite.Nh)


def member_secret(suite: CipherSuite, joiner: bytes, psk_secret: bytes) -> bytes:
    """Return what the Welcome's keys and the epoch secret are derived from."""
    return suite.extract(joiner, psk_secret)


def welcome_keys(suite: CipherSuite, member: bytes) -> WelcomeKeys:
    """Return the key and nonce for the GroupInfo in a Welcome."""
    welcome_secret = suite.derive_secret(member, "welcome")
    return WelcomeKeys(
        suite.expand_with_label(welcome_secret, "key", b"", suite.Nk),
        suite.expand_with_label(welcome_secret, "nonce", b"", suite.Nn),
    )


def epoch_secrets(suite: CipherSuite, epoch_secret: bytes) -> tuple[EpochSecrets, Secret, Secret]:
    """Return what an epoch keeps, and two secrets that are used at once: `confirmation_key`, `encryption_secret`."""
    derived = suite.expand_with_labels(epoch_secret, tuple((label, suite.Nh) for label in _EPOCH_LABELS))
    *kept, confirmation_key, encryption_secret = map(Secret, derived)
    return EpochSecrets(*kept), confirmation_key, encryption_secret


def epoch_secret(suite: CipherSuite, member: bytes, context: bytes) -> bytes:
    """Return the `epoch_secret`. `context` is the encoded GroupContext of the epoch."""
    return suite.expand_with_label(member, "epoch", context, suite.Nh)


def export_secret(suite: CipherSuite, exporter_secret: Secret, label: str, context: bytes, length: int) -> bytes:
    """`MLS-Exporter(label, context, length)` (section 8.5)."""
    derived = suite.derive_secret(exporter_secret.value, label)
    return suite.expand_with_label(derived, "exported", suite.hash(context), length)


def external_key_pair(suite: CipherSuite, external_secret: Secret) -> HPKEPrivateKey:
    """Return the key pair that external Commits encrypt to (section 8)."""
    return suite.derive_key_pair(external_secret.value)
