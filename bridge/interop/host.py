"""The place where calls are answered: its registry, its clock, and the environment that the engine's steps get.

Nothing here wipes what a step has spent. Two states can share a secret (a state and the one that its Commit leads
to hold the same ratchets), and the older one stays usable until it is freed; the garbage collector has the rest.
For a program that tests, on keys that protect nobody, that is right; for anything else it would not be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from google.protobuf.message import Message

from bridge.interop.errors import CallError, Code, invalid
from bridge.interop.registry import Registry
from mls import (
    CIPHER_SUITES,
    EXPERIMENTAL_CIPHER_SUITES,
    CipherSuite,
    Client,
    Environment,
    KeyPackageBundle,
    Limits,
    Secret,
    UnsafeTrustEveryone,
    create_key_package,
    default_capabilities,
    lifetime_of_days,
)
from mls.wire.credentials import BasicCredential
from mls.wire.leaf_node import Lifetime

__all__ = ["Call", "Host", "answering"]

LIFETIME_DAYS: Final = 90

LIMITS: Final = Limits(
    # Some stacks make KeyPackages that are valid from 1970 to the end of time.
    max_lifetime=(1 << 64) - 1,
    # A driver may name any epoch that a member has seen.
    resumption_psks=1024,
)

Request = TypeVar("Request", bound=Message)


def _seconds() -> int:
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Host:
    """All that a call works on."""

    registry: Registry = field(default_factory=Registry)
    environment: Environment = Environment(UnsafeTrustEveryone(), limits=LIMITS)  # noqa: RUF009 - immutable
    clock: Callable[[], int] = _seconds
    """Seconds since 1970."""
    experimental: bool = False
    """Whether the suites that are not standardised are offered, too."""

    @property
    def now(self) -> int:
        """The time."""
        return self.clock()

    @property
    def lifetime(self) -> Lifetime:
        """The lifetime of a leaf that is made now."""
        return lifetime_of_days(LIFETIME_DAYS, now=self.now)

    def with_psks(self, psks: Mapping[bytes, Secret]) -> Environment:
        """Return the environment of one who has these external PSKs."""
        return replace(self.environment, psks=psks)

    @property
    def suites(self) -> Mapping[int, CipherSuite]:
        """The cipher suites that are offered, by number."""
        return CIPHER_SUITES | EXPERIMENTAL_CIPHER_SUITES if self.experimental else CIPHER_SUITES

    def suite(self, number: int) -> CipherSuite:
        """Return a cipher suite. Raises `CallError` for one that is not offered."""
        if number > 0xFFFF:
            raise invalid(f"{number} is not the number of a cipher suite: it has 16 bits")
        if number not in self.suites:
            raise CallError(Code.UNIMPLEMENTED, f"cipher suite {number} is not offered: {sorted(self.suites)} are")
        return self.suites[number]

    def client(self, identity: bytes, suite: CipherSuite) -> Client:
        """Return a client of that name, with a fresh key. It says that it has every suite, for a later ReInit."""
        random = self.environment.random
        key = suite.generate_signature_key(random)
        return Client(suite, BasicCredential(identity), key, default_capabilities(self.suites, random))

    def key_package(self, client: Client) -> KeyPackageBundle:
        """Return a fresh KeyPackage."""
        return create_key_package(client, self.environment, lifetime=self.lifetime)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the interface: what it takes, and what answers it."""

    request: type[Message]
    answer: Callable[[Host, Message], Message]


def answering(request: type[Request], function: Callable[[Host, Request], Message]) -> Call:
    """Return the call that `function` answers. It raises `CallError` or `MlsError`, and then has changed nothing."""

    def answer(host: Host, message: Message) -> Message:
        if not isinstance(message, request):
            msg = f"a {type(message).__name__} came for a {request.__name__}"
            raise TypeError(msg)
        return function(host, message)

    return Call(request, answer)
