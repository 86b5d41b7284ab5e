"""The operations that are measured: what goes in and out is bytes, as on a network.

Nothing is wiped between rounds, so a step can be repeated from the same state; sending and receiving go on from
round to round, as in a conversation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.crypto.signature import Ecdsa, Ed448
from mls.group.committing import commit
from mls.group.creation import create_group
from mls.group.joining import join
from mls.group.messaging import protect
from mls.group.processing import process
from mls.group.received import ApplicationMessage
from tests.benchmarks.floors import (
    floor_of_add,
    floor_of_create,
    floor_of_join,
    floor_of_open,
    floor_of_process,
    floor_of_protect,
    floor_of_update,
)
from tests.benchmarks.groups import ENVIRONMENT, GROUP_ID, LIFETIME, NOW, Groups, Pair, add_all, new_client
from tests.benchmarks.measuring import Case
from tests.benchmarks.opened import OpenedMessage, OpenedWelcome
from tests.benchmarks.primitives import Primitives

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.crypto.suite import CipherSuite
    from mls.group.state import GroupState

__all__ = ["OPERATIONS", "SIZES", "Operation"]

SIZES = (2, 10, 100, 1_000, 10_000)
DATA = bytes(100)

_LARGE_BATCH = 32
"""From how many signatures or recipients on the engine may use several cores."""


@dataclass(frozen=True)
class Operation:
    """One thing that a client does."""

    name: str
    sizes: tuple[int, ...]
    """The group's members, where nobody asks for others. For `add`: afterwards."""
    case: Callable[[Groups, int], Case]

    def pick(self, asked: tuple[int, ...]) -> tuple[int, ...]:
        """Return the sizes to measure at, if these were asked for (or none)."""
        return self.sizes if self.sizes == (1,) else asked or self.sizes


def _create(groups: Groups, members: int) -> Case:
    suite, client = groups.suite, new_client(groups.suite, 0)

    def run() -> GroupState:
        return create_group(client, ENVIRONMENT, group_id=GROUP_ID, lifetime=LIFETIME).state

    return Case("create", members, run, floor_of_create(Primitives(suite.number), run()))


def _add(groups: Groups, members: int) -> Case:
    """Add all the others in one Commit: from their KeyPackages to the Commit and the Welcome."""
    cold = groups.cold(members)
    sent = OpenedMessage.of(cold.commit, cold.creator)
    welcome = OpenedWelcome.of(cold.welcome, cold.joiner)
    floor = floor_of_add(Primitives(groups.suite.number), cold.creator, sent, welcome, cold.joined.public)
    return Case(
        "add",
        members,
        run=lambda: add_all(cold.creator, cold.key_packages),
        floor=floor,
        prepare=lambda: _forget_keys(groups.suite),
        uses_threads=2 * (members - 1) >= _LARGE_BATCH,
        wire={"commit": len(cold.commit), "welcome": len(cold.welcome)},
    )


def _join(groups: Groups, members: int) -> Case:
    """Join with all the others, from a Welcome with the tree."""
    cold = groups.cold(members)
    floor = floor_of_join(Primitives(groups.suite.number), OpenedWelcome.of(cold.welcome, cold.joiner), cold.joined)
    return Case(
        "join",
        members,
        run=lambda: join(ENVIRONMENT, cold.welcome, [cold.joiner]),
        floor=floor,
        prepare=lambda: _forget_keys(groups.suite),
        uses_threads=members >= _LARGE_BATCH,
        wire={"welcome": len(cold.welcome)},
    )


def _forget_keys(suite: CipherSuite) -> None:
    """Let the engine parse again the public keys that it meets for the first time in earnest."""
    if isinstance(suite.signature, Ecdsa | Ed448):  # Ed25519 keys are not parsed
        suite.signature._parsed.cache_clear()


def _update(name: str, pair: Pair, members: int) -> Case:
    """Commit fresh keys of one's own."""

    def run() -> bytes:
        return commit(pair.author, ENVIRONMENT, now=NOW).output.message.encode()

    made = commit(pair.author, ENVIRONMENT, now=NOW).output
    message = made.message.encode()
    floor = floor_of_update(
        Primitives(pair.author.suite.number),
        pair.author,
        OpenedMessage.of(message, pair.reader),
        made.pending.next_epoch.public,
    )
    recipients_are_many = name == "update-cold" and members >= _LARGE_BATCH
    return Case(name, members, run, floor, uses_threads=recipients_are_many, wire={"commit": len(message)})


def _process(name: str, pair: Pair, members: int) -> Case:
    """Follow such a Commit."""
    message = commit(pair.author, ENVIRONMENT, now=NOW).output.message.encode()
    after = process(pair.reader, ENVIRONMENT, message, now=NOW).state
    floor = floor_of_process(
        Primitives(pair.reader.suite.number), pair.reader, OpenedMessage.of(message, pair.reader), after.public
    )
    return Case(
        name,
        members,
        run=lambda: process(pair.reader, ENVIRONMENT, message, now=NOW),
        floor=floor,
        wire={"commit": len(message)},
    )


class _Conversation:
    """Two members, one of whom speaks."""

    def __init__(self, pair: Pair) -> None:
        self._author = pair.author
        self._reader = pair.reader
        self.message = b""

    def protect(self) -> None:
        made = protect(self._author, ENVIRONMENT, DATA)
        self._author, self.message = made.state, made.output.encode()

    def open(self) -> None:
        opened = process(self._reader, ENVIRONMENT, self.message, now=NOW)
        assert isinstance(opened.output, ApplicationMessage)
        self._reader = opened.state


def _protect(groups: Groups, members: int) -> Case:
    """Send 100 bytes."""
    pair = groups.cold(members).pair
    conversation = _Conversation(pair)
    conversation.protect()
    floor = floor_of_protect(Primitives(groups.suite.number), OpenedMessage.of(conversation.message, pair.reader))
    return Case("protect", members, conversation.protect, floor, wire={"message": len(conversation.message)})


def _open(groups: Groups, members: int) -> Case:
    """Receive 100 bytes."""
    pair = groups.cold(members).pair
    conversation = _Conversation(pair)
    conversation.protect()
    floor = floor_of_open(Primitives(groups.suite.number), OpenedMessage.of(conversation.message, pair.reader))
    conversation.open()
    return Case("open", members, conversation.open, floor, conversation.protect)


def _protect_first(groups: Groups, members: int) -> Case:
    """Send the first message of an epoch."""
    pair = groups.cold(members).pair
    leaves = pair.author.public.tree.leaf_count

    def run() -> bytes:
        return protect(pair.author, ENVIRONMENT, DATA).output.encode()

    sent = OpenedMessage.of(run(), pair.reader)
    return Case("protect-first", members, run, floor_of_protect(Primitives(groups.suite.number), sent, descends=leaves))


def _open_first(groups: Groups, members: int) -> Case:
    """Receive a sender's first message of an epoch."""
    pair = groups.cold(members).pair
    leaves = pair.author.public.tree.leaf_count
    message = protect(pair.author, ENVIRONMENT, DATA).output.encode()
    sent = OpenedMessage.of(message, pair.reader)
    return Case(
        "open-first",
        members,
        run=lambda: process(pair.reader, ENVIRONMENT, message, now=NOW),
        floor=floor_of_open(Primitives(groups.suite.number), sent, descends=leaves),
    )


_UP_TO_1000 = SIZES[:-1]

OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("create", (1,), _create),
        Operation("add", _UP_TO_1000, _add),
        Operation("join", SIZES, _join),
        Operation("update-cold", SIZES, lambda groups, n: _update("update-cold", groups.cold(n).pair, n)),
        Operation("process-cold", SIZES, lambda groups, n: _process("process-cold", groups.cold(n).pair, n)),
        Operation("update-warm", SIZES, lambda groups, n: _update("update-warm", groups.warm(n), n)),
        Operation("process-warm", SIZES, lambda groups, n: _process("process-warm", groups.warm(n), n)),
        Operation("protect", SIZES, _protect),
        Operation("open", SIZES, _open),
        Operation("protect-first", SIZES, _protect_first),
        Operation("open-first", SIZES, _open_first),
    )
}
"""By name, in the order in which they are reported."""
