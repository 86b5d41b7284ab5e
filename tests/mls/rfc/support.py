"""What several of these tests look into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.group.messaging import protect
from mls.wire.welcome import GroupSecrets, Welcome

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.wire.message import MLSMessage
    from tests.mls.world import World

__all__ = ["say", "secrets_for"]


def say(world: World, name: str, data: bytes) -> MLSMessage:
    """Let a member send an application message."""
    return world.adopt(name, protect(world.states[name], world.environment, data))


def secrets_for(bundle: KeyPackageBundle, welcome: MLSMessage | None) -> GroupSecrets:
    """What a Welcome says to the holder of a KeyPackage."""
    assert welcome is not None
    assert isinstance(welcome.message, Welcome)
    [sealed] = [
        entry.encrypted_group_secrets for entry in welcome.message.secrets if entry.new_member == bundle.reference
    ]
    plaintext = bundle.suite.decrypt_with_label(
        bundle.init_key, "Welcome", welcome.message.encrypted_group_info, sealed.kem_output, sealed.ciphertext
    )
    assert plaintext is not None
    return GroupSecrets.decode(plaintext)
