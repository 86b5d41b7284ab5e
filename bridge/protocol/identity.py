"""Who a leaf stands for: the identity in its basic credential (PROTOCOL.md, "Identity").

Deterministic CBOR of `[account URI, device id]`. The URI's scheme is the network: `matrix`, `xmpp`, `memory`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cbor2

from bridge.protocol.errors import ProtocolError
from mls.wire.credentials import AnyCredential, BasicCredential
from transports.room import Account, Network

__all__ = ["Identity", "identity_of_credential"]

_MAX_URI = 512
_MAX_DEVICE = 64


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """An account, and one of its devices."""

    account: Account
    device: str

    @property
    def network(self) -> Network:
        """The network that the account is on."""
        return Network(self.account.partition(":")[0])

    def encode(self) -> bytes:
        """Return the credential's identity."""
        return cbor2.dumps([str(self.account), self.device])

    @classmethod
    def decode(cls, data: bytes) -> Identity:
        """Read a credential's identity. Raises `ProtocolError` for anything but the one encoding of a good one."""
        if len(data) > _MAX_URI + _MAX_DEVICE + 16:
            raise ProtocolError("an identity that is too long")
        try:
            value = cbor2.load(io.BytesIO(data))
        except (cbor2.CBORError, ValueError, RecursionError) as error:
            raise ProtocolError("an identity that is not CBOR") from error
        match value:
            case [str(account), str(device)]:
                identity = cls(Account(account), device)
            case _:
                raise ProtocolError("an identity that is not [account URI, device id]")
        identity._check()
        if identity.encode() != data:
            raise ProtocolError("an identity that is not in its one encoding")
        return identity

    def _check(self) -> None:
        scheme, colon, rest = self.account.partition(":")
        if not colon or not rest or scheme not in set(Network) or len(self.account.encode()) > _MAX_URI:
            raise ProtocolError("an identity whose account is no URI of a known network")
        if not 0 < len(self.device.encode()) <= _MAX_DEVICE:
            raise ProtocolError("an identity without a device, or with one whose name is too long")
        if not (self.account + self.device).isprintable() or " " in self.account:
            raise ProtocolError("an identity with characters that nobody can see")


def identity_of_credential(credential: AnyCredential) -> Identity:
    """Return who a credential stands for. Raises `ProtocolError` for any but a good basic one."""
    if not isinstance(credential, BasicCredential):
        raise ProtocolError("a credential that is not a basic one")
    return Identity.decode(credential.identity)
