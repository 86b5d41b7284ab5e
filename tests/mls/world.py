"""A small world for the tests: clients by name, one group that they share, and a room that delivers to all.

Everything is seeded, so that a failure repeats. After each step the world checks what must hold after every
step: the state that went in did not change, what was spent is in no state any more, and all members of an epoch
have the same authenticator.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from mls.crypto.secret import wipe
from mls.crypto.suite import CipherSuite, cipher_suite
from mls.group.authentication import UnsafeTrustEveryone
from mls.group.committing import CommitOptions, commit
from mls.group.creation import Client, KeyPackageBundle, create_group, create_key_package, default_capabilities
from mls.group.environment import Environment
from mls.group.joining import join
from mls.group.messaging import propose, propose_add
from mls.group.processing import process
from mls.group.state import Status
from mls.registry import WireFormat
from mls.wire.credentials import BasicCredential
from mls.wire.leaf_node import Lifetime
from mls.wire.proposals import Add

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mls.group.received import Received
    from mls.group.state import GroupState, Transition
    from mls.wire.extensions import Extension
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

__all__ = ["GROUP_ID", "LIFETIME", "NOW", "World", "fingerprint", "proposing"]

Output = TypeVar("Output")

GROUP_ID = b"the group"
NOW = 1_000_000
LIFETIME = Lifetime(NOW - 3600, NOW + 90 * 24 * 3600)


def proposing(
    state: GroupState,
    environment: Environment,
    proposal: AnyProposal,
    *,
    wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE,
) -> Transition[MLSMessage]:
    """Propose anything but an Update, by whichever of the engine's functions is for it."""
    if isinstance(proposal, Add):
        return propose_add(state, environment, proposal.key_package, now=NOW, wire_format=wire_format)
    return propose(state, environment, proposal, wire_format=wire_format)


def fingerprint(state: GroupState) -> tuple[object, ...]:
    """Everything of a state that a step could change by mistake, as values of its own."""
    return (
        state.revision,
        state.status,
        state.public.context.encode(),
        state.public.tree.to_extension().encode(),
        state.public.tree.tree_hash(),
        state.public.interim_transcript_hash,
        sorted(bytes(secret.value) if not secret.is_wiped else b"" for secret in state.secrets()),
        tuple(item.reference for item in state.proposals),
        tuple(pending.message_hash for pending in state.pending),
        tuple((past.context.encode(), past.ended_at) for past in state.past),
        tuple(key.epoch for key in state.resumption_keys),
        state.reinit,
    )


@dataclass
class World:
    """Clients, and the newest state of each that is in the group."""

    suite_number: int = 1
    seed: int = 1
    environment: Environment = field(init=False)
    clients: dict[str, Client] = field(default_factory=dict)
    states: dict[str, GroupState] = field(default_factory=dict)
    now: int = NOW

    def __post_init__(self) -> None:
        generator = random.Random(self.seed)
        self.environment = Environment(UnsafeTrustEveryone(), random=generator.randbytes)

    @classmethod
    def of(cls, *names: str, suite: int = 1, seed: int = 1, extensions: tuple[Extension, ...] = ()) -> World:
        """Return a world in which these clients are in the group, the first one its creator."""
        world = cls(suite, seed)
        world.found(names[0], extensions=extensions)
        if len(names) > 1:
            world.add(names[0], *names[1:])
        return world

    @property
    def suite(self) -> CipherSuite:
        return cipher_suite(self.suite_number, experimental=True)

    def set(self, **changes: object) -> None:
        """Change the environment."""
        self.environment = replace(self.environment, **changes)  # type: ignore[arg-type]

    def client(self, name: str) -> Client:
        """Return the client of that name, making it at its first mention."""
        if name not in self.clients:
            self.clients[name] = Client(
                self.suite,
                BasicCredential(name.encode()),
                self.suite.generate_signature_key(self.environment.random),
                default_capabilities([self.suite_number]),
            )
        return self.clients[name]

    def key_package(self, name: str, *, is_last_resort: bool = False) -> KeyPackageBundle:
        return create_key_package(self.client(name), self.environment, lifetime=LIFETIME, is_last_resort=is_last_resort)

    def found(self, name: str, *, extensions: tuple[Extension, ...] = ()) -> GroupState:
        created = create_group(
            self.client(name), self.environment, group_id=GROUP_ID, lifetime=LIFETIME, extensions=extensions
        )
        self.states[name] = created.state
        return created.state

    def adopt(self, name: str, transition: Transition[Output]) -> Output:
        """Take a step's result for `name`, as a caller should: keep the state, wipe what is spent."""
        reachable = {id(secret) for secret in transition.state.secrets()}
        assert not any(id(secret) in reachable for secret in transition.spent)
        wipe(transition.spent)
        self.states[name] = transition.state
        return transition.output

    def process(self, name: str, message: MLSMessage | bytes) -> Received:
        """Give a message to one member."""
        before = self.states[name]
        frozen = fingerprint(before)
        transition = process(before, self.environment, _bytes(message), now=self.now)
        assert fingerprint(before) == frozen, "a step changed its input"
        return self.adopt(name, transition)

    def deliver(self, message: MLSMessage | bytes, *, to: Iterable[str] | None = None) -> dict[str, Received]:
        """Give a message to all members, the sender included, or to some."""
        received = {name: self.process(name, message) for name in (list(self.states) if to is None else to)}
        self.check_agreement()
        return received

    def commit(
        self,
        name: str,
        *proposals: AnyProposal,
        joiners: Sequence[tuple[str, KeyPackageBundle]] = (),
        options: CommitOptions = CommitOptions(),  # noqa: B008 - immutable
        references: Sequence[bytes] | None = None,
    ) -> dict[str, Received]:
        """Commit, deliver to all, and let the joiners in."""
        made = commit(
            self.states[name],
            self.environment,
            now=self.now,
            proposals=proposals,
            references=references,
            options=options,
        )
        output = self.adopt(name, made)
        received = self.deliver(output.message)
        for joiner, bundle in joiners:
            assert output.pending.welcome is not None
            tree = None if options.welcome_with_tree else self.states[name].public.tree.to_extension()
            self.adopt(joiner, join(self.environment, output.pending.welcome.encode(), [bundle], tree=tree))
        self.check_agreement()
        return received

    def add(self, by: str, *names: str, options: CommitOptions = CommitOptions()) -> None:  # noqa: B008 - immutable
        """Add clients in one Commit."""
        bundles = [(name, self.key_package(name)) for name in names]
        self.commit(by, *(Add(bundle.key_package) for _, bundle in bundles), joiners=bundles, options=options)

    def leaf(self, name: str) -> int:
        """Return a member's leaf index."""
        return self.states[name].own_leaf

    def check_agreement(self) -> None:
        """Check that members of the same epoch have the same authenticator and tree."""
        by_epoch: dict[int, set[tuple[bytes, bytes]]] = {}
        for state in self.states.values():
            if state.status is not Status.REMOVED:
                seen = (state.epoch_authenticator, state.public.context.encode())
                by_epoch.setdefault(state.epoch, set()).add(seen)
        assert all(len(seen) == 1 for seen in by_epoch.values()), "members of an epoch disagree"


def _bytes(message: MLSMessage | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.encode()
