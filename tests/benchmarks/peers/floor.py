"""The floors of our own benchmark, for the operations and the groups that are measured here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.group.creation import create_key_package
from mls.tree.math import LeafIndex
from mls.wire.proposals import Remove
from tests.benchmarks.floors import Floor, floor_of_process, floor_of_update
from tests.benchmarks.groups import new_client
from tests.benchmarks.opened import OpenedMessage
from tests.benchmarks.operations import OPERATIONS
from tests.benchmarks.peers.host import HOST, Host, lifetime
from tests.benchmarks.primitives import Primitives

if TYPE_CHECKING:
    from mls.wire.proposals import AnyProposal
    from tests.benchmarks.peers.trials import Shared

__all__ = ["floor_of"]


def floor_of(operation: str, shared: Shared) -> Floor:
    """Return the bare cryptography of an operation, as `cryptography` and libsodium have it.

    Of `remove` it is a little low: of the tree hashes that change, those above the removed leaf are not counted.
    """
    match operation:
        case "update-cold" | "update-warm":
            return _floor_of_update(shared, [], warm=operation == "update-warm")
        case "remove":
            return _floor_of_update(shared, [Remove(LeafIndex(0))], warm=True)
        case "process-cold" | "process-warm":
            return _floor_of_process(shared, warm=operation == "process-warm")
        case "create":
            return OPERATIONS[operation].case(shared.groups, 1).floor
        case _:
            return OPERATIONS[operation].case(shared.groups, shared.members).floor


def _floor_of_update(shared: Shared, proposals: list[AnyProposal], *, warm: bool) -> Floor:
    host, member = _room(shared, warm=warm)
    made = member.make_commit(proposals)
    sent = OpenedMessage.of(made.message.encode(), host.state)
    return floor_of_update(_primitives(shared), member.state, sent, made.pending.next_epoch.public)


def _floor_of_process(shared: Shared, *, warm: bool) -> Floor:
    host, member = _room(shared, warm=warm)
    before = member.state
    message = host.commit()
    member.follow(message)
    return floor_of_process(_primitives(shared), before, OpenedMessage.of(message, before), member.state.public)


def _room(shared: Shared, *, warm: bool) -> tuple[Host, Host]:
    """Return a group like those that are measured, with our engine in this process as its last member, too."""
    host = Host(shared.bases.of(shared.members - 1, warm=warm))
    client = new_client(shared.groups.suite, shared.members - 1)
    bundle = create_key_package(client, HOST, lifetime=lifetime())
    member = Host.join(host.add([bundle.message.encode()], with_path=False), bundle)
    if warm:
        host.follow(member.commit())
    return host, member


def _primitives(shared: Shared) -> Primitives:
    return Primitives(shared.groups.suite.number)
